"""The safety rules are judged again when a session or a row of grades changes what they count."""

from __future__ import annotations

import pytest

from outcomes.models import AdverseEventGrade
from outcomes.selectors.safety import toxicity_of
from screening.models import ConsentDocument
from tests.factories import as_person, given, make_protocol
from tests.outcomes.test_grades import graded
from tests.outcomes.test_safety_rules import (
    DLT,
    RELATED,
    SUSAR,
    happened,
    holds,
    participant,
    proposals,
    switch,
)
from tests.screening.consenting import wall
from tests.visits.treating import end, fresh, prepared, start, treatable
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.models import RuleKind
from trialsite.conduct.selectors import rule_lines
from trialsite.crf.services import void_row
from visits.models import TreatmentSession
from visits.services.sessions import Times, correct_times, void_session


@pytest.fixture
def version(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def pair(cast, version) -> list[Subject]:
    one = treatable(cast)
    return [one, treatable(cast, given(ConsentDocument.objects.get)())]


def day(cast, hours: float) -> str:
    return wall(cast.site, hours=hours).date().isoformat()


def event_of(subject, cast, on: str, facts: dict[str, str]) -> CrfRecord:
    when = {"started_on": on, "started_time": "", "ended_on": "", "ongoing": "true",
            "outcome": "NOT RECOVERED/NOT RESOLVED"}  # fmt: skip
    return happened(subject, cast.nurse, **(facts | when))


def treated_now(cast, subject, hours: float) -> TreatmentSession:
    session = start(cast, prepared(cast, fresh(subject)), wall(cast.site, hours=hours))
    return end(cast, session, wall(cast.site, hours=hours + 0.5))


def void(cast, session) -> None:
    by = cast.investigator
    with as_person(by):
        session = TreatmentSession.objects.get(pk=session.pk)
        void_session(session=session, reason="another participant", by=by)


@pytest.mark.requirement("PR1")
def test_a_session_entered_after_its_events_lets_the_monitor_cross(cast, version, pair):
    for subject in pair:
        event_of(subject, cast, day(cast, 0), DLT)
    treated_now(cast, pair[0], -3)
    assert proposals(trigger="monitor") == []
    session = treated_now(cast, pair[1], -2)
    assert proposals(trigger="monitor") == [("monitor", "open", True, True)]
    void(cast, session)
    assert proposals(trigger="monitor") == [("monitor", "open", True, False)]


def test_a_session_that_is_timed_anew_is_judged_anew(cast, version, pair):
    sessions = [treated_now(cast, subject, -30) for subject in pair]
    for subject in pair:
        event_of(subject, cast, day(cast, -30), DLT)
    assert proposals(trigger="monitor") == [("monitor", "open", True, True)]
    session, by = sessions[0], cast.investigator
    times = Times(started_at=wall(cast.site, hours=-3), ended_at=wall(cast.site, hours=-2))
    with as_person(by):
        correct_times(session=session, times=times, reason="wrong day", by=by)
    assert [row[3] for row in proposals(trigger="monitor")] == [False]


def test_a_session_makes_the_events_before_it_related_to_the_first_treated(cast, version, pair):
    switch(cast, version, RuleKind.HOLD, "related_sae")
    for _each in range(2):
        event_of(pair[0], cast, day(cast, 0), RELATED)
    assert holds() == []
    treated_now(cast, pair[0], -3)
    assert len(holds()) == 1


def test_whoever_becomes_one_of_the_first_counts_when_a_session_is_voided(cast, version):
    """No event changes; the one that now counts is of another subject than the session."""
    several = [
        participant(cast.site, f"001-00{n}", cast.nurse, f"2026-03-{n + 4:02d}T10:00")
        for n in (1, 2, 3, 4)
    ]
    happened(several[0], cast.nurse, **RELATED)
    happened(several[3], cast.nurse, **RELATED)
    assert proposals(trigger="related_sae") == []
    void(cast, given(TreatmentSession.objects.get)(subject=several[1]))
    assert proposals(trigger="related_sae") == [("related_sae", "open", True, True)]
    void(cast, given(TreatmentSession.objects.get)(subject=several[2]))
    assert len(proposals(trigger="related_sae")) == 1


def test_a_row_of_grades_that_is_worse_than_the_event_is_what_the_rules_compare(cast, version):
    subject = participant(cast.site, "001-001", cast.nurse)
    switch(cast, version, RuleKind.HOLD, "susar")
    mild = SUSAR | {"grade": "2", "life_threatening": ""}
    record = happened(subject, cast.nurse, **mild)
    assert holds() == []
    row = graded(record, cast.nurse, "2026-03-05", 4, "10:40", reason="course")
    assert isinstance(row, AdverseEventGrade)
    assert len(holds()) == 1
    with as_person(cast.investigator):
        (line,) = (
            each
            for each in rule_lines(version.pk, viewer=cast.investigator)
            if each.rule.key == "susar"
        )
        assert line.watched is not None
        assert line.watched.met
    with as_person(cast.nurse):
        void_row(
            record=CrfRecord.objects.get(pk=record.pk), group=AdverseEventGrade, row_id=row.pk,
            reason="another event", by=cast.nurse,
        )  # fmt: skip
    assert proposals(trigger="susar") == [("susar", "placed", False, False)]


@pytest.mark.parametrize(("grade", "counts"), [(2, 0), (3, 1)])
def test_the_monitor_counts_the_worst_row_of_grades_too(cast, version, grade, counts):
    subject = participant(cast.site, "001-001", cast.nurse)
    record = happened(subject, cast.nurse, **(DLT | {"grade": "1"}))
    graded(record, cast.nurse, "2026-03-05", grade, "10:40", reason="course")
    (monitor,) = protocol_of(version.pk).proposals.monitors
    with as_person(cast.nurse):
        assert toxicity_of(monitor).with_event == counts
