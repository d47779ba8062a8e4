"""A decision about a proposed hold is about what was known then; more is proposed anew."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error

from tests.factories import as_person, given, make_protocol, sign_in
from tests.outcomes.conftest import save_death, save_event
from tests.outcomes.test_deaths import vital_signs
from tests.outcomes.test_safety_rules import (
    DLT,
    RELATED,
    SUSAR,
    elsewhere,
    happened,
    holds,
    participant,
    proposals,
    switch,
)
from tests.signing import proof_of
from trialsite.casebook.models import Subject
from trialsite.conduct.models import ProposedHold, RuleKind
from trialsite.conduct.services.holds import lift_hold
from trialsite.conduct.services.proposals import dismiss_proposed
from visits.models import TreatmentSession
from visits.services.sessions import void_session


@pytest.fixture
def version(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def subject(cast, version) -> Subject:
    return participant(cast.site, "001-001", cast.nurse)


def dismissed(cast) -> None:
    """Whoever sees every site decides about all that waits."""
    by = cast.investigator
    with as_person(by):
        for each in ProposedHold.objects.filter(status="open"):
            dismiss_proposed(proposal=each, reason="explained", by=by)


def again(record, by, facts: dict[str, Any], **worse: str) -> None:
    given(record.refresh_from_db)()
    save_event(record, by, record.version, **(facts | worse), complete="no", reason="more is known")


def states(trigger: str) -> list[str]:
    return [row[1] for row in proposals(trigger=trigger)]


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize(
    "worse",
    [
        {"grade": "5"},
        {"outcome": "FATAL"},
        {"results_in_death": "true"},
        {"disability": "true"},
        {"related_cells": "DEFINITE"},
        {"related_anticoagulant": "PROBABLE"},
    ],
)
def test_an_event_that_is_graver_than_what_was_decided_is_proposed_anew(cast, subject, worse):
    facts = SUSAR | {"related_circuit": "NOT RELATED"}
    record = happened(subject, cast.nurse, **facts)
    dismissed(cast)
    again(record, cast.nurse, facts, **worse)
    assert states("susar") == ["dismissed", "open"]
    dismissed(cast)
    again(record, cast.nurse, facts | worse, expectedness="UNEXPECTED", comment="")
    assert states("susar") == ["dismissed", "dismissed"]


@pytest.mark.parametrize(
    "other",
    [{"related_cells": "NOT ASSESSABLE"}, {"grade": "3"}, {"started_on": "2026-03-06"}],
)
def test_an_event_that_says_no_more_than_was_decided_is_not(cast, subject, other):
    facts = SUSAR | {"started_time": "", "ended_on": "", "ongoing": "true"}
    record = happened(subject, cast.nurse, **facts, complete="no")
    dismissed(cast)
    again(record, cast.nurse, facts, **other)
    assert states("susar") == ["dismissed"]


def test_what_became_graver_while_it_waited_was_decided_too(cast, subject):
    record = happened(subject, cast.nurse, **SUSAR)
    again(record, cast.nurse, SUSAR, related_cells="DEFINITE")
    assert states("susar") == ["open"]
    dismissed(cast)
    again(record, cast.nurse, SUSAR, related_cells="PROBABLE")
    assert states("susar") == ["dismissed"]


@pytest.mark.requirement("PR1")
def test_a_rule_that_is_on_holds_again_for_what_is_graver_than_what_was_lifted(
    cast, version, subject
):
    switch(cast, version, RuleKind.HOLD, "susar")
    record = happened(subject, cast.nurse, **SUSAR)
    (hold,) = holds()
    with as_person(cast.investigator):
        lift_hold(hold=hold, reason="explained", by=cast.investigator,
                  proof=proof_of(cast.investigator))  # fmt: skip
    again(record, cast.nurse, SUSAR, results_in_death="true")
    assert len(holds()) == 1


def test_a_further_event_of_the_count_is_proposed_after_a_dismissal(cast, version, subject):
    """Of another site, whose nurse sees nothing of the decision."""
    other = elsewhere(cast)
    second = participant(cast.other_site, "002-001", other, "2026-03-06T10:00")
    for _each in range(2):
        happened(subject, cast.nurse, **RELATED)
    dismissed(cast)
    happened(second, other, **RELATED)
    assert states("related_sae") == ["dismissed", "open"]


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize("decided", [True, False])
def test_after_a_dismissal_a_session_that_lets_more_count_is_not_mute(cast, version, decided):
    """Voiding sessions lets the events of two others count, one after the other."""
    several = [
        participant(cast.site, f"001-00{n}", cast.nurse, f"2026-03-{n + 4:02d}T10:00")
        for n in (1, 2, 3, 4, 5)
    ]
    for each in (several[0], several[1], several[3], several[4]):
        happened(each, cast.nurse, **RELATED)
    assert states("related_sae") == ["open"]
    if decided:
        dismissed(cast)
    void(cast, several[2])
    assert states("related_sae") == (["dismissed", "open"] if decided else ["open"])
    if decided:
        dismissed(cast)
    void(cast, several[1])
    waiting = [row for row in proposals(trigger="related_sae") if row[1] == "open" and row[3]]
    assert len(waiting) == (0 if decided else 1)


def void(cast, subject) -> None:
    by = cast.investigator
    with as_person(by):
        session = TreatmentSession.objects.get(subject=subject)
        void_session(session=session, reason="another participant", by=by)


def test_a_monitor_that_more_events_cross_is_proposed_after_a_dismissal(cast, version, subject):
    record = happened(subject, cast.nurse, **DLT)
    second = participant(cast.site, "001-002", cast.nurse)
    happened(second, cast.nurse, **DLT)
    assert "open" in states("monitor")
    dismissed(cast)
    before = len(states("monitor"))
    again(record, cast.nurse, DLT, related_cells="DEFINITE")
    assert states("monitor").count("open") == 1
    assert len(states("monitor")) == before + 1


def test_a_death_judged_more_related_than_was_decided_is_proposed_anew(cast, subject):
    save_death(subject, cast.nurse, died_on="2026-03-20", related_cells="POSSIBLE")
    dismissed(cast)
    save_death(subject, cast.nurse, 1, died_on="2026-03-20", related_cells="POSSIBLE",
               source="FAMILY", reason="source")  # fmt: skip
    assert states("death_related") == ["dismissed"]
    save_death(subject, cast.nurse, 2, died_on="2026-03-20", related_cells="DEFINITE",
               reason="autopsy")  # fmt: skip
    assert states("death_related") == ["dismissed", "open"]


def test_what_a_decision_was_about_stays_in_the_database(cast, subject):
    happened(subject, cast.nurse, **SUSAR)
    dismissed(cast)
    with as_person(cast.investigator), pytest.raises(Error, match="decided once"):
        ProposedHold.objects.filter(trigger="susar").update(measures={"grade": 5})


def test_the_page_says_that_more_is_proposed_again(cast, subject):
    happened(subject, cast.nurse, **SUSAR)
    found = given(ProposedHold.objects.get)(trigger="susar")
    client = sign_in(cast.investigator)
    answer = client.post(
        f"/holds/proposals/{found.pk}/dismiss/", {"dismiss-reason": "explained"}, follow=True
    )
    assert "made again only when more is known" in answer.content.decode()


@pytest.mark.parametrize(("seen", "raised"), [("", True), ("2026-03-20T10:00", False)])
def test_a_death_whose_date_is_said_to_be_unknown_counts_as_early_as_it_may_have_been(
    cast, subject, seen, raised
):
    """After the last sign of life; until somebody says that the date is unknown, nothing is."""
    if seen:
        vital_signs(subject, cast.nurse, seen)
    save_death(subject, cast.nurse, died_on="", complete="no")
    assert states("death_after_session") == []
    unknown: dict[str, Any] = {"died_on": "", "died_on.missing": "UNK"}
    save_death(subject, cast.nurse, 1, complete="no", **unknown)
    assert states("death_after_session") == (["open"] if raised else [])


def test_a_death_judged_related_before_its_date_is_known_is_proposed(cast, subject):
    save_death(subject, cast.nurse, died_on="", related_cells="PROBABLE", complete="no")
    assert states("death_related") == ["open"]
