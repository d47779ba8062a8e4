"""Mapping files: every problem with its line, every version kept, stated by the data manager."""

from __future__ import annotations

import json

import pytest

from tests.factories import as_person
from tests.labs.importing import LONG, Desk
from trialsite.exports.reading.mappings import MappingError
from trialsite.labs.import_views import EXAMPLE
from trialsite.labs.importing.mapping import read_lab_mapping
from trialsite.labs.importing.models import LabFileMapping
from trialsite.labs.services.mappings import keep_mapping
from trialsite.protocol.labs import Labs


@pytest.fixture(scope="module")
def labs() -> Labs:
    from trialsite.protocol import load, study_path

    return load(study_path("nct06904755")).labs


def problems(text: str, labs: Labs) -> list[tuple[int, str]]:
    with pytest.raises(MappingError) as caught:
        read_lab_mapping(text, labs)
    return [(each.line, each.path) for each in caught.value.problems]


def test_the_example_on_the_empty_page_is_a_mapping_and_json_is_one_too(labs):
    assert read_lab_mapping(EXAMPLE, labs).columns.subject == "Subject"
    body = {"columns": {"subject": "a", "collected": "b", "analyte": "c", "result": "d"}}
    assert read_lab_mapping(json.dumps(body, indent=1), labs).columns.result == "d"


@pytest.mark.parametrize(
    ("old", "new", "line", "path"),
    [
        ("  subject: who", "  subjet: who", 4, "columns.subjet"),
        ("  subject: who", "  subject: ''", 4, "columns.subject"),
        ("specimen: SERUM", "specimen: URINE", 9, "specimen"),
        ("specimen: SERUM", "zone: Nowhere", 9, "zone"),
        ("specimen: SERUM", "analytes: {x: NOPE}", 9, "analytes.x"),
        ("specimen: SERUM", "units: {x: furlong}", 9, "units.x"),
        ("specimen: SERUM", "sexes: {x: man}", 9, "sexes.x"),
        ("specimen: SERUM", "zero_is_missing: [NOPE]", 9, "zero_is_missing"),
        ("specimen: SERUM", "results: {x: {analyte: BILI}}", 3, "columns"),
        ("  result: result\n", "", 3, "columns"),
        ("  unit: unit", "  unit: result", 3, "columns"),
        ('  missing: ["-"]', "  dates: [YYYY-QQ]", 2, "layout.dates"),
        ('  missing: ["-"]', "  header_row: 0", 2, "layout.header_row"),
        ('  missing: ["-"]', "  encoding: klingon", 2, "layout.encoding"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_where(labs, old, new, line, path):
    found = problems(LONG.replace(old, new), labs)
    assert path in [each for _line, each in found]
    assert abs({p: n for n, p in found}[path] - line) <= 1


def test_a_wide_mapping_names_units_that_are_accepted(labs):
    text = (
        "columns: {subject: a, collected: b}\n"
        "results:\n"
        '  "Bili": {analyte: BILI, unit: furlong}\n'
        '  "Krea": {analyte: CREAT, unit: mg/dl}\n'
    )
    assert problems(text, labs) == [(3, "results.Bili.unit")]


@pytest.mark.parametrize(
    "text", ["", "[]", "a: &x 1\nb: *x", "\t", "!!python/object:os {}", "a: 1"]
)
def test_what_is_no_mapping_is_refused(labs, text):
    assert problems(text, labs)


def test_each_change_is_one_more_version_and_the_same_text_is_none(cast, laboratory):
    with as_person(cast.data_manager):
        first = keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
        same = keep_mapping(
            laboratory=laboratory, text=LONG.replace("\n", "\r\n"), by=cast.data_manager
        )
        other = keep_mapping(laboratory=laboratory, text=LONG + "zone: UTC\n", by=cast.data_manager)
        assert (first.version, same.pk, other.version) == (1, first.pk, 2)
        assert LabFileMapping.objects.get(pk=first.pk).text == LONG


def test_the_page_keeps_what_was_typed_and_shows_the_lines_that_are_wrong(cast, laboratory):
    desk = Desk(cast.data_manager)
    address = f"/labs/laboratories/{laboratory.pk}/mapping/"
    text = LONG.replace("subject: who", "subjet: who")
    desk.open(address).post(address, text=text)
    assert desk.status == 422
    assert "subjet: who" in desk.html
    assert "did you mean" in desk.said
    assert desk.post(address, text=LONG).status == 200
    assert "version 1" in desk.said
    nurse = Desk(cast.nurse).open(address)
    assert "who" in nurse.said
    assert "<textarea" not in nurse.html
    assert nurse.post(address, text=LONG).status == 403
