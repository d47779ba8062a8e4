"""The deployment check of the protocol file against the forms that exist here."""

from __future__ import annotations

from tests.factories import PROTOCOL
from trialsite.crf.checks import check_protocol_file


def test_the_study_shipped_names_only_forms_and_items_that_exist():
    assert check_protocol_file() == []


def test_an_item_that_no_form_has_is_an_error_of_the_deployment(settings, tmp_path):
    text = PROTOCOL.read_text("utf-8")
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace("I.VS.MAP", "I.VS.MAPP"), "utf-8")
    settings.PROTOCOL_FILE = str(changed)
    (found,) = check_protocol_file()
    assert found.id == "trialsite.E003"
    assert "'I.VS.MAPP'" in found.msg
    assert "criteria.EX03.rule.prompts.mean_arterial_pressure.item_oid" in found.msg


def test_an_absent_file_is_no_error_of_the_file(settings, tmp_path):
    settings.PROTOCOL_FILE = str(tmp_path / "absent.yaml")
    assert check_protocol_file() == []
