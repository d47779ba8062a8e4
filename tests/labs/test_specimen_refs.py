"""The specimen a result was measured in: as printed, asked about where it is not this person's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.factories import as_person, sign_in
from tests.labs.importing import AT, LONG, Desk
from tests.labs.test_panel_page import Tab
from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import LabResult
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.specimen_checks import register_specimen_check, specimen_checks
from trialsite.review.models import Query

BILI = {"BILI": "20", "BILI.unit": "umol/L"}
OURS = {**BILI, "BILI.ref": "TS-0001-7"}
WRONG = "No tube of this subject has the number TS-9"


@pytest.fixture(autouse=True)
def _looking(cast) -> Iterator[None]:
    with acting(system_context("tests", Channel.COMMAND)):
        yield


@pytest.fixture
def checker() -> Iterator[list[tuple[uuid.UUID, frozenset[str]]]]:
    """Somebody who knows tubes: numbers TS-9… are nobody's; what was asked is noted."""
    asked: list[tuple[uuid.UUID, frozenset[str]]] = []
    before = list(specimen_checks)

    def check(subject_id: uuid.UUID, refs: Collection[str]) -> Mapping[str, str]:
        asked.append((subject_id, frozenset(refs)))
        return {ref: WRONG for ref in refs if ref.startswith("TS-9")}

    specimen_checks.clear()
    register_specimen_check(check)
    yield asked
    specimen_checks[:] = before


def ref_of(record, analyte: str = "BILI") -> str:
    return LabResult.objects.get(panel_id=record.pk, analyte=analyte, voided_at=None).specimen_ref


def test_the_specimen_stands_beside_its_result_and_in_what_a_signature_binds(cast, draw, save):
    first = save(draw, BILI).record
    plain = first.content_hash
    second = save(draw, OURS).record
    assert ref_of(draw) == "TS-0001-7"
    assert second.version == first.version + 1
    assert second.content_hash != plain
    tab = Tab(sign_in(cast.nurse), draw)
    assert tab.value("BILI.ref") == "TS-0001-7"


def test_one_specimen_is_stated_for_every_result_that_names_none(cast, draw):
    tab = Tab(sign_in(cast.nurse), draw)
    said = {**OURS, "INR": "1.5", "INR.unit": "{INR}", "rest.ref": "H-77"}
    assert tab.post({**said, "PTA.missing": "ND"}).status == 302
    assert [ref_of(draw, key) for key in ("BILI", "INR", "PTA")] == ["TS-0001-7", "H-77", ""]


def test_a_specimen_without_a_result_is_not_dropped_in_silence(cast, draw):
    tab = Tab(sign_in(cast.nurse), draw)
    tab.post({**BILI, "INR.ref": "H-77"})
    assert tab.status == 422
    assert tab.value("INR.ref") == "H-77"
    assert "Enter the result of this specimen" in tab.html
    tab.post({**BILI, "INR.ref": "H-77", "INR.missing": "NAV"})
    assert tab.status == 302
    assert ref_of(draw, "INR") == "H-77"


@pytest.mark.parametrize("ref", ["x" * 41, "TS\u200e1", "a\x07b"])
def test_what_cannot_be_an_identifier_is_refused_beside_its_line(draw, save, ref):
    with pytest.raises(ImpossibleError) as refused:
        save(draw, {**BILI, "BILI.ref": ref})
    assert set(refused.value.errors) == {"BILI"}


def test_a_specimen_of_nobody_warns_beside_its_field_and_is_asked_about_once(
    cast, draw, save, checker
):
    tab = Tab(sign_in(cast.nurse), draw)
    both = {**BILI, "BILI.ref": "TS-9", "BILI.sig": "NCS", "INR": "1.1", "INR.unit": "{INR}"}
    assert tab.post({**both, "INR.ref": "TS-9"}).status == 302
    line = tab.again().line("BILI")
    assert WRONG in line
    assert "<details" in line
    assert " open" in line
    assert (draw.subject_id, frozenset({"TS-9"})) in checker
    assert not Query.objects.filter(record=draw).exists()
    assert tab.post({**both, "INR.ref": "TS-9"}, action="complete").status == 302
    asked = Query.objects.unresolved().filter(record=draw, check_oid__endswith=".SPECIMEN")
    assert [each.check_oid for each in asked] == ["LB.BILI.SPECIMEN"]
    right = {key: text.replace("TS-9", "TS-1") for key, text in both.items()}
    save(draw, {**right, "INR.ref": "TS-1"}, reason="misread")
    assert not asked.all().exists()


def test_leaving_the_field_tells_of_a_specimen_of_nobody(cast, draw, checker):
    answer = sign_in(cast.nurse).post(
        f"/labs/panels/{draw.pk}/look/", {**BILI, "analyte": "BILI", "BILI.ref": "TS-9"}
    )
    assert json.loads(answer.content)["warning"] == WRONG


@pytest.mark.django_db
def test_a_file_names_the_specimen_of_each_result(cast, laboratory, subject, draw, save):
    mapping = LONG.replace("  unit: unit\n", "  unit: unit\n  specimen_ref: tube\n")
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=mapping, by=cast.data_manager)
    save(draw, {**BILI, "BILI.confirm": "seen", "collected_at": AT.replace(" ", "T")})
    lines = [("BILI", "20", "umol/L", "H-1"), ("INR", "1.1", "", "H-1"), ("PTA", "80", "%", "")]
    lines += [("PLAT", "200", "10^9/L", "x" * 41)]
    text = "who,when,test,result,unit,tube\n" + "".join(
        f"{subject.screening_number},{AT},{','.join(line)}\n" for line in lines
    )
    desk = Desk(cast.nurse).upload(laboratory, text.encode())
    assert desk.counts == {
        "New results": 2,
        "Changes of what stands": 1,
        "Row not whole": 1,
    }
    assert "H-1" in desk.said
    desk.choose(leave_all="row").accept("the tube is named now")
    panel = LabResult.objects.get(analyte="BILI", voided_at=None)
    assert (panel.specimen_ref, panel.confirmed) == ("H-1", "seen")
    assert LabResult.objects.get(analyte="INR").specimen_ref == "H-1"
    assert LabResult.objects.get(analyte="PTA").specimen_ref == ""
    again = Desk(cast.nurse).upload(laboratory, text.encode() + b"\n")
    assert again.counts == {"Already in the casebook": 3, "Row not whole": 1}
