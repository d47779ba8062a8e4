"""The sentinel gate: data of its day open it, or the signed review of whoever died or left."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from tests.conduct.test_holds import came_to, enrolled, refusals, reviewed, switch
from tests.factories import as_person, given, make_protocol, make_record, make_visit, sign_in
from tests.signing import factors_of
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.conduct.models import Decision, GateReview
from trialsite.conduct.selectors import treatment_refusals
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError
from trialsite.review.signatures import void_signature

NOW = dt.datetime(2026, 3, 6, tzinfo=dt.UTC)
REVIEW = "/holds/gates/sentinel/review/"


@pytest.fixture
def version(cast) -> ProtocolVersion:
    found: ProtocolVersion = make_protocol(cast.site, cast.other_site)
    switch(cast, found, "sentinel")
    return found


def days_ago(days: int) -> dt.date:
    today: dt.date = given(trial_today)("Asia/Shanghai")
    return today - dt.timedelta(days=days)


def sentinel(cast, *, days: int, seen: bool = False, site=None, **fields) -> Subject:
    """The subject before: treated so many days ago, seen on day seven or not."""
    subject = enrolled(
        cast, site or cast.other_site, number="002-001", day_zero=days_ago(days), **fields
    )
    if seen:
        came_to(subject, "SE.D7", days_ago(days - 7))
    return subject


def first_session_refused(cast, version) -> list[str]:
    with as_person(cast.nurse):
        return treatment_refusals(site_id=cast.site.pk, first_under=version.pk)


def waits(cast, version) -> bool:
    """Whether the next subject waits: to be enrolled, and to be treated for the first time."""
    count = given(Subject.objects.filter(number__isnull=False).count)()
    enrolment = refusals(cast, version, enrolled=count, who=cast.nurse)
    treatment = first_session_refused(cast, version)
    assert bool(enrolment) == bool(treatment)
    return bool(treatment)


@pytest.mark.parametrize(
    ("days", "seen", "fields", "closed"),
    [
        (3, False, {}, True),
        (7, False, {}, True),
        (12, False, {}, True),
        (12, True, {}, False),
        (3, False, {"status": "died", "died_on": "2026-02"}, True),
        (12, False, {"status": "died", "died_on": "2026-02"}, True),
        (12, False, {"status": "withdrawn"}, True),
        (12, False, {"status": "completed"}, True),
        (12, True, {"status": "withdrawn"}, False),
    ],
)
def test_only_data_of_its_day_open_the_sentinel_by_themselves(
    cast, version, days, seen, fields, closed
):
    """A death or a withdrawal is no datum of day seven: it closes the gate, not opens it."""
    sentinel(cast, days=days, seen=seen, **fields)
    assert waits(cast, version) == closed


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize(
    ("visit", "record", "closed"),
    [
        ({"mode": "telephone"}, {}, True),
        ({"mode": "on_site"}, None, True),
        ({"mode": "ward"}, {"status": "not_started", "version": 0}, True),
        ({"mode": "ward"}, {"status": "not_done", "not_done_reason": "forgotten"}, True),
        ({"mode": "ward"}, {"void_reason": "wrong subject", "voided_at": NOW}, True),
        ({"mode": "ward"}, {"status": "in_progress"}, False),
        ({"mode": "home"}, {}, False),
    ],
)
def test_a_telephone_call_or_a_visit_without_data_opens_no_sentinel(
    cast, version, visit, record, closed
):
    subject = sentinel(cast, days=12)
    seen = make_visit(subject, "SE.D7", status="attended", attended_on=days_ago(5), **visit)
    if record is not None:
        make_record(subject, visit=seen, **({"status": "complete", "version": 1} | record))
    assert waits(cast, version) == closed


def test_a_contact_that_stands_for_the_missed_visit_opens_no_sentinel(cast, version):
    subject = sentinel(cast, days=12)
    missed = make_visit(subject, "SE.D7", status="missed")
    contact = make_visit(
        subject, "SE.D14", status="attended", attended_on=days_ago(5), stands_for=missed
    )
    make_record(subject, visit=contact, status="complete", version=1)
    assert waits(cast, version)


def test_a_death_after_the_day_does_not_take_its_data_back(cast, version):
    died = days_ago(2).isoformat()
    sentinel(cast, days=12, seen=True, status="died", died_on=died)
    assert not waits(cast, version)


def test_whoever_left_untreated_was_no_sentinel(cast, version):
    enrolled(cast, cast.other_site, number="002-001", status="withdrawn")
    assert not waits(cast, version)


def test_an_enrolled_subject_who_waits_for_treatment_keeps_no_other_from_it(cast, version):
    enrolled(cast, cast.other_site, number="002-001")
    assert refusals(cast, version, enrolled=1)
    assert first_session_refused(cast, version) == []


def test_whoever_is_treated_already_is_not_asked_the_gate(cast, version):
    sentinel(cast, days=3)
    with as_person(cast.nurse):
        assert treatment_refusals(site_id=cast.site.pk) == []


def test_a_signed_review_of_the_death_lets_the_study_go_on(cast, version):
    subject = sentinel(cast, days=3, status="died", died_on="2026-02")
    (said,) = first_session_refused(cast, version)
    assert "signed review" in said
    assert "002-001" not in said
    review = reviewed(cast, version, gate="sentinel", covers=[subject.pk])
    assert not waits(cast, version)
    with as_person(cast.investigator):
        void_signature(signature=review.signature, reason="wrong file", by=cast.investigator)
    assert waits(cast, version)


def test_a_review_speaks_for_the_subjects_it_names_and_for_no_other(cast, version):
    one = sentinel(cast, days=12, status="died", died_on="2026-02")
    reviewed(cast, version, gate="sentinel", covers=[one.pk])
    enrolled(cast, cast.site, number="001-001", day_zero=days_ago(10), status="withdrawn")
    assert waits(cast, version)


def test_a_review_that_pauses_closes_the_gate_until_another_continues(cast, version):
    reviewed(cast, version, Decision.PAUSE, gate="sentinel")
    assert waits(cast, version)
    reviewed(cast, version, gate="sentinel")
    assert not waits(cast, version)


@pytest.mark.parametrize(
    ("days", "seen", "fields"),
    [
        (3, False, {}),
        (12, True, {}),
    ],
)
def test_no_review_releases_who_is_before_the_day_or_needs_none(cast, version, days, seen, fields):
    subject = sentinel(cast, days=days, seen=seen, **fields)
    with pytest.raises(DomainError):
        reviewed(cast, version, gate="sentinel", covers=[subject.pk])
    with pytest.raises(DomainError):
        reviewed(cast, version, gate="sentinel")


def test_a_pause_at_the_cohort_gate_stops_first_sessions_too(cast):
    version = make_protocol(cast.site, cast.other_site)
    switch(cast, version, "cohort_review")
    assert first_session_refused(cast, version) == []
    reviewed(cast, version, Decision.PAUSE)
    assert first_session_refused(cast, version)


# -- The page and the API ----------------------------------------------------------------


@pytest.fixture
def investigator(cast) -> Client:
    return sign_in(cast.investigator)


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_the_review_names_the_subjects_it_lets_pass(cast, version, investigator):
    subject = sentinel(cast, days=3, status="died", died_on="2026-02")
    page = text(investigator.get(REVIEW))
    assert "002-001" in page
    assert REVIEW in text(investigator.get("/holds/"))
    typed = {
        "decision": "continue",
        "meeting_on": "2026-03-01",
        "document": "minutes 3",
        "covers": [str(subject.pk)],
    }
    without = typed | {"covers": [], **factors_of(cast.investigator)}
    refused = investigator.post(REVIEW, without)
    assert refused.status_code == 422
    assert "minutes 3" in text(refused)
    assert waits(cast, version)
    done = investigator.post(REVIEW, typed | factors_of(cast.investigator, later=1), follow=True)
    assert "The review is recorded." in text(done)
    assert not waits(cast, version)
    assert given(GateReview.objects.get)().covers == [subject.pk]


def test_a_site_is_not_told_whom_a_review_let_pass(cast, version, api):
    subject = sentinel(cast, days=3, status="died", died_on="2026-02")
    reviewed(cast, version, gate="sentinel", covers=[subject.pk])
    (row,) = api("stranger").get("gate-reviews/").json()["results"]
    assert row["covers"] == []
    (row,) = api("investigator").get("gate-reviews/").json()["results"]
    assert row["covers"] == [str(subject.pk)]
    assert "002-001" not in text(sign_in(cast.nurse).get("/holds/"))
