"""What the forms of a session ask about: what does not fit together, or not with what was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import as_person, given
from tests.screening.consenting import wall
from tests.screening.deciding import draw, make_laboratory_of
from tests.visits.treating import planned, treatable
from trialsite.casebook.models import CrfRecord
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import form
from trialsite.crf.services import save_crf
from trialsite.review.models import Query
from visits.models.session_codes import Modality

PREPARATION = {
    "barrier_model": "BF-1",
    "weight": "60",
    "blood_flow": "120",
    "plasma_flow": "25",
    "reactor_flow": "100",
    "anticoagulant": "UFH",
    "heparin_bolus": "2000",
}
END = {"any_complication": "false"}


@pytest.fixture
def subject(cast):
    make_laboratory_of(cast)
    return treatable(cast)


def asked(cast, session, form_oid: str, texts: dict[str, str], hours: float = -2) -> set[str]:
    """The checks that ask once the form at a session's visit is complete."""
    when = "prepared_at" if form_oid == "F.TXP" else "recorded_at"
    at = wall(cast.site, hours=hours).isoformat(timespec="minutes")
    record = given(CrfRecord.objects.get)(visit__records=session.pk, form_oid=form_oid)
    crf: Any = form(form_oid).data
    entry = read_texts(crf, texts | {when: at})
    assert not entry.errors
    with as_person(cast.nurse):
        save_crf(record=record, entry=entry, by=cast.nurse, base_version=0, complete=True)
        open_queries = Query.objects.unresolved().filter(record=record)
        return set(open_queries.values_list("check_oid", flat=True))


@pytest.mark.parametrize(
    ("inr", "bolus", "expected"),
    [
        ("2.51", "1001", True),
        ("2.5", "1001", False),
        ("2.51", "1000", False),
        (None, "2000", False),
    ],
)
def test_a_large_heparin_bolus_with_a_slow_inr_is_asked_about(cast, subject, inr, bolus, expected):
    session = planned(cast, subject)
    if inr:
        draw(cast, subject, {"INR": inr}, hours=-3)
        for hours in (-30, -1):
            draw(cast, subject, {"INR": "1.1" if expected else "4"}, hours=hours)
    found = asked(cast, session, "F.TXP", PREPARATION | {"heparin_bolus": bolus})
    assert ("TXP.HEPARIN_INR" in found) is expected


@pytest.mark.parametrize(("weight", "expected"), [("66", False), ("66.1", True), ("53.9", True)])
def test_a_weight_far_from_the_last_is_asked_about(cast, subject, weight, expected):
    first, second = planned(cast, subject), planned(cast, subject)
    assert "TXP.WEIGHT_CHANGE" not in asked(cast, first, "F.TXP", PREPARATION, hours=-50)
    later = PREPARATION | {"weight": weight}
    assert ("TXP.WEIGHT_CHANGE" in asked(cast, second, "F.TXP", later)) is expected


@pytest.mark.parametrize("modality", [Modality.REACTOR, Modality.PE])
def test_cells_without_a_named_barrier_filter_are_asked_about(cast, subject, modality):
    cells = modality is Modality.REACTOR
    why = "" if cells else "no lot"
    session = planned(cast, subject, modality=[modality], no_cells_reason=why)
    found = asked(cast, session, "F.TXP", PREPARATION | {"barrier_model": ""})
    assert ("TXP.BARRIER_SAID" in found) is cells
    other = planned(cast, subject, modality=[modality], no_cells_reason=why)
    assert "TXP.BARRIER_SAID" not in asked(cast, other, "F.TXP", PREPARATION)


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ({"ffp_volume": "2000"}, False),
        ({"ffp_volume": "1800"}, False),
        ({"ffp_volume": "1799"}, True),
        ({"ffp_volume": "1000", "albumin_dose": "50", "albumin_strength": "5"}, False),
        ({}, True),
    ],
)
def test_plasma_that_was_not_replaced_is_asked_about(cast, subject, replaced, expected):
    session = planned(cast, subject)
    found = asked(cast, session, "F.TXE", END | {"plasma_exchanged": "2000"} | replaced)
    assert ("TXE.PLASMA_REPLACED" in found) is expected
