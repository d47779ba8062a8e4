"""A lab result that names its specimen: judged, and shown on both pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from samples.lab_results import check_specimens, is_ours
from samples.services.specimen_ends import void_specimen
from screening.models.consent import Scope
from tests.factories import as_person, given, make_record, make_subject, sign_in
from tests.labs.conftest import make_laboratory
from tests.samples.bench import aliquoted, collected, stored
from tests.screening.consenting import wall, withdraw
from trialsite.casebook.protocols import protocol_of
from trialsite.labs.entry import read_panel
from trialsite.labs.models import Laboratory
from trialsite.labs.services.panels import save_panel


@pytest.mark.parametrize(
    ("ref", "ours"),
    [
        ("S001-000001-Q", True),
        ("S001-000001-02-Q", True),
        ("ｓ001－000001－Q", True),
        ("2026112300417", False),
        ("", False),
        ("S001", False),
    ],
)
def test_only_codes_in_our_shape_are_judged(ref, ours):
    assert is_ours(ref) == ours


def test_a_specimen_of_this_person_is_right_and_one_of_another_is_not(visit, technician, cast):
    tube = collected(visit, technician, "URINE")
    part = aliquoted(visit, technician, "SERUM")[0]
    other = make_subject(cast.site)
    refs = [tube.code, part.code.lower(), "H-4711"]
    with as_person(technician):
        assert check_specimens(visit.subject_id, refs) == {}
        found = check_specimens(other.pk, refs)
    assert set(found) == {tube.code, part.code.lower()}
    assert all("another participant" in each for each in found.values())


def test_a_misread_an_unknown_and_a_voided_code_are_told(visit, technician):
    from trialsite.core.ids import with_check

    tube = collected(visit, technician, "URINE")
    with as_person(technician):
        void_specimen(specimen=tube, reason="Wrong tube", by=technician)
        unknown = with_check("S001-999999")
        misread = unknown[:-1] + ("A" if unknown[-1] != "A" else "B")
        found = check_specimens(visit.subject_id, [tube.code, unknown, misread])
    assert "voided" in found[tube.code]
    assert "No sample" in found[unknown]
    assert "check character" in found[misread]


def test_another_sites_specimen_is_unknown_here(visit, technician, cast):
    tube = collected(visit, technician, "URINE")
    with as_person(cast.stranger):
        found = check_specimens(visit.subject_id, [tube.code])
    assert "No sample of your sites" in found[tube.code]


def test_the_pages_of_a_sample_whose_consent_is_withdrawn_offer_its_end_only(
    cast, visit, technician, box
):
    kept = stored(visit, technician, box)
    client = sign_in(technician)
    address = reverse("samples:sample", args=[kept.code])
    assert reverse("samples:act", args=[kept.code, "thaw"]) in client.get(address).content.decode()
    withdraw(cast, visit.subject, Scope.SAMPLES)
    page = client.get(address).content.decode()
    assert "samples are to be destroyed" in page
    assert reverse("samples:act", args=[kept.code, "thaw"]) not in page
    assert reverse("samples:act", args=[kept.code, "end"]) in page


def test_boxes_have_labels(technician, box):
    client = sign_in(technician)
    one = client.get(reverse("samples:box_label", args=[box.code]))
    sheet = client.get(reverse("samples:freezer_labels", args=[box.rack.freezer_id]))
    for answer in (one, sheet):
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")


@given
def has_laboratory(cast) -> bool:
    return Laboratory.objects.filter(site=cast.site, code="CENTRAL").exists()


def test_a_result_and_its_specimen_lead_to_each_other(cast, visit, technician):
    part = aliquoted(visit, technician, "SERUM")[0]
    if not has_laboratory(cast):
        make_laboratory(cast.site)
    record = make_record(visit.subject, form_oid="F.LB")
    with as_person(cast.nurse):
        texts = {
            "laboratory": "CENTRAL",
            "collected_at": wall(visit.site, hours=-1).isoformat(timespec="minutes"),
            "specimen": "SERUM",
            "BILI": "20",
            "BILI.unit": "umol/L",
            "BILI.ref": part.code,
        }
        entry = read_panel(protocol_of(record.protocol_version_id), texts)
        save_panel(record=record, entry=entry, by=cast.nurse, base_version=record.version)
    nurse = sign_in(cast.nurse)
    panel = reverse("labs:panel", args=[record.pk])
    for code in (part.code, part.specimen.code):
        page = nurse.get(reverse("samples:sample", args=[code])).content.decode()
        assert "Results measured in it" in page
        assert panel in page
    assert f"code={part.code}" in nurse.get(panel).content.decode()
