"""Laboratory tests after a transplantation: the lists of forms owed ask what the protocol asks."""

from __future__ import annotations

import pytest

from tests.factories import PROTOCOL, as_person, given, make_protocol, make_subject
from tests.outcomes.following import day, transplant
from tests.visits.scheduling import anchor, visit_at
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import attend_visit, lay_out_visits
from trialsite.dashboard.owed import owed_forms


def followed_under(cast, tmp_path, *, asked_for: bool) -> Subject:
    """Enrolled, 28 days after day zero, under a protocol that asks for labs after a
    transplantation or does not; seen on the days 14 and 28."""
    version = None
    if not asked_for:
        path = tmp_path / "study.yaml"
        asks, spares = "labs_after_transplantation: true", "labs_after_transplantation: false"
        text = PROTOCOL.read_text("utf-8").replace(asks, spares)
        path.write_text(text.replace('version: "1.0"', 'version: "2"'), "utf-8")
        version = make_protocol(cast.site, path=path)
    subject: Subject = make_subject(
        cast.site, status="enrolled", number="1", protocol_version=version
    )
    given(lay_out_visits)(subject=subject, by=cast.investigator)
    anchor(cast, subject, day(subject, 28))
    for event, ago in (("SE.D14", 14), ("SE.D28", 0)):
        with as_person(cast.nurse):
            attend_visit(visit=visit_at(subject, event), on=day(subject, ago), by=cast.nurse)
    return subject


def labs_owed(cast) -> set[str]:
    with as_person(cast.nurse):
        rows = owed_forms(cast.nurse, [cast.site]).filter(record__form_oid="F.LB")
        return set(rows.values_list("visit__event_oid", flat=True))


@pytest.mark.parametrize(
    ("asked_for", "transplanted", "owed"),
    [
        (True, 5, {"SE.D14", "SE.D28"}),
        (False, 5, {"SE.D14"}),
        # Blood of the day itself may have been drawn before it.
        (False, 0, {"SE.D14", "SE.D28"}),
        (False, None, {"SE.D14", "SE.D28"}),
    ],
)
def test_labs_are_owed_after_a_transplantation_only_where_the_protocol_asks(
    cast, tmp_path, asked_for, transplanted, owed
):
    subject = followed_under(cast, tmp_path, asked_for=asked_for)
    if transplanted is not None:
        transplant(cast, subject, transplanted_on=day(subject, transplanted).isoformat())
    assert labs_owed(cast) == owed


@pytest.mark.parametrize("known", ["%Y", "%Y-%m", "%Y-%m-%d"])
def test_of_a_date_partly_known_the_last_day_it_leaves_counts(cast, tmp_path, known):
    subject = followed_under(cast, tmp_path, asked_for=False)
    said = day(subject, 1).strftime(known)
    transplant(cast, subject, transplanted_on=said)
    maybe_before = day(subject, 0).isoformat().startswith(said)
    assert ("SE.D28" in labs_owed(cast)) is maybe_before


def test_labs_begun_are_to_be_finished_all_the_same(cast, tmp_path):
    subject = followed_under(cast, tmp_path, asked_for=False)
    transplant(cast, subject, transplanted_on=day(subject, 5).isoformat())
    begun = CrfRecord.objects.filter(visit=visit_at(subject, "SE.D28"), form_oid="F.LB")
    given(begun.update)(status="in_progress", version=1)
    assert labs_owed(cast) == {"SE.D14", "SE.D28"}
