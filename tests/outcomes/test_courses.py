"""What a casebook says of one subject's course: evidence, endings, doubts, cuts, rights."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.endpoints.course import Course, Doubt, Span
from outcomes.endpoints.milestones import State, state_on
from outcomes.models import SurvivalContact, Transplantation
from outcomes.selectors.courses import courses_of
from screening.models import Enrolment
from screening.models.consent import Scope
from screening.selectors.consent import standing_of
from tests.factories import as_person, given, make_record, make_subject, make_user, make_visit
from tests.outcomes.conftest import save_death, treated
from tests.screening.consenting import make_document, resume, sign, wall, withdraw
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.casebook.models import Subject, SubjectStatus, VisitMode
from trialsite.casebook.services import set_day_zero, void_record
from trialsite.core.clock import trial_today
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf


@given
def enrolled(site: Site, by: Any, zero: dt.date | None, **fields: Any) -> Subject:
    """A subject enrolled the day before day zero, as the tables have it."""
    subject: Subject = make_subject(
        site,
        status=SubjectStatus.ENROLLED,
        number=f"{site.code}-{uuid.uuid4().hex[:4]}",
        day_zero=zero,
        **fields,
    )
    on = (zero or today(site)) - dt.timedelta(days=1)
    Enrolment.objects.create(
        site=site,
        subject=subject,
        number=str(subject.number),
        enrolled_at=dt.datetime.combine(on, dt.time(8), dt.UTC),
        enrolled_on=on,
        enrolled_by=by,
        protocol_version_id=subject.protocol_version_id,
        target=10,
    )
    return subject


def today(site: Site) -> dt.date:
    return given(trial_today)(site.time_zone)


@pytest.fixture
def zero(cast) -> dt.date:
    """Fifty days ago."""
    return today(cast.site) - dt.timedelta(days=50)


@pytest.fixture
def subject(cast, zero) -> Subject:
    """One who was treated then."""
    found = enrolled(cast.site, cast.nurse, zero)
    treated(found, cast.nurse, f"{zero}T10:00")
    return found


def course_of(cast, **options: Any) -> Course:
    with as_person(cast.nurse):
        (found,) = courses_of(cast.nurse, **options)
    return found


def save(cast, subject: Subject, form: type[CrfData], texts: dict[str, str], key: int = 1) -> None:
    record = make_record(subject, form_oid=form.form_oid, repeat_key=key)
    entry = read_texts(form, texts)
    assert not entry.errors, entry.errors
    with as_person(cast.nurse):
        save_crf(record=record, entry=entry, by=cast.nurse, base_version=0, complete=False)


def contact(cast, subject: Subject, on: dt.date, key: int = 1, **texts: str) -> None:
    said = {"contact_on": on.isoformat(), "mode": "TELEPHONE CALL", "status": "ALIVE"}
    save(cast, subject, SurvivalContact, said | texts, key)


def after(zero: dt.date, days: int) -> dt.date:
    return zero + dt.timedelta(days=days)


def test_a_session_is_evidence_and_gives_the_day_of_treatment(cast, subject, zero):
    found = course_of(cast)
    assert (found.dosed_on, found.anchor_on, found.last_alive_on) == (zero, zero, zero)
    assert (found.last_alive_by, found.doubts) == ("F.TX", frozenset())
    assert found.enrolled_on == zero - dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"mode": VisitMode.ON_SITE}, True),
        ({"mode": VisitMode.WARD}, True),
        ({"mode": VisitMode.HOME}, True),
        ({"mode": VisitMode.TELEPHONE}, False),
    ],
)
def test_who_was_seen_at_a_visit_was_alive_and_a_telephone_proves_nothing(
    cast, subject, zero, fields, counts
):
    make_visit(subject, status="attended", attended_on=after(zero, 14), **fields)
    found = course_of(cast)
    assert found.last_alive_on == (after(zero, 14) if counts else zero)
    assert found.last_alive_by == ("visit" if counts else "F.TX")


def test_a_visit_made_up_by_a_contact_rests_on_what_the_contact_says(cast, subject, zero):
    missed = make_visit(subject, "SE.D28", status="missed")
    make_visit(
        subject, "SE.TEL", status="attended", mode=VisitMode.HOME,
        attended_on=after(zero, 30), stands_for=missed,
    )  # fmt: skip
    assert course_of(cast).last_alive_on == zero
    contact(cast, subject, after(zero, 30), last_alive_on=after(zero, 29).isoformat())
    assert course_of(cast).last_alive_on == after(zero, 29)


def test_the_day_of_a_contact_that_reached_nobody_proves_nothing(cast, subject, zero):
    contact(cast, subject, after(zero, 20), status="UNKNOWN")
    assert course_of(cast).last_alive_on == zero


def test_a_month_in_which_somebody_lived_proves_its_first_day(cast, subject, zero):
    month = after(zero, 45).replace(day=1)
    contact(cast, subject, after(zero, 49), last_alive_on=f"{month:%Y-%m}")
    assert course_of(cast).last_alive_on == max(month, zero)


def test_what_was_voided_is_no_evidence(cast, subject, zero):
    contact(cast, subject, after(zero, 9), last_alive_on=after(zero, 9).isoformat())
    with as_person(cast.nurse):
        record = subject.records.get(form_oid="F.SS")
        void_record(record=record, reason="Another participant", by=cast.nurse)
    assert course_of(cast).last_alive_on == zero


def test_a_death_known_to_the_month_ends_today_and_begins_when_last_seen(cast, subject, zero):
    site_day = today(cast.site)
    seen = site_day.replace(day=1)
    if seen > zero:
        contact(cast, subject, site_day, last_alive_on=seen.isoformat())
    save_death(subject, cast.nurse, died_on=f"{site_day:%Y-%m}")
    found = course_of(cast)
    assert found.died_on == Span(earliest=max(seen, zero), latest=site_day)
    assert (Doubt.DEATH_INEXACT in found.doubts) == (seen != site_day)


def test_an_observation_after_the_death_is_said_and_the_death_stands(cast, subject, zero):
    contact(cast, subject, after(zero, 40), last_alive_on=after(zero, 40).isoformat())
    save_death(subject, cast.nurse, died_on=after(zero, 30).isoformat())
    found = course_of(cast)
    assert found.doubts == {Doubt.SEEN_AFTER_DEATH}
    assert state_on(found, 28) is State.ALIVE_NATIVE
    assert state_on(found, 30) is State.DEAD


def test_a_death_that_only_a_contact_told_of_makes_nobody_alive(cast, subject, zero):
    contact(cast, subject, after(zero, 10), last_alive_on=after(zero, 10).isoformat())
    contact(cast, subject, after(zero, 40), 2, status="DEAD", informant="FAMILY")
    found = course_of(cast)
    assert found.died_on == Span(earliest=after(zero, 10), latest=after(zero, 40))
    assert found.doubts == {Doubt.DEATH_UNRECORDED, Doubt.DEATH_INEXACT}
    assert [state_on(found, day) for day in (7, 14, 28, 40)] == [
        State.ALIVE_NATIVE, State.UNKNOWN, State.UNKNOWN, State.DEAD,
    ]  # fmt: skip


def test_a_transplantation_that_only_a_contact_told_of_lies_between_two_contacts(
    cast, subject, zero
):
    for key, (day, transplanted) in enumerate([(10, "false"), (30, "true")], start=1):
        contact(
            cast, subject, after(zero, day), key,
            last_alive_on=after(zero, day).isoformat(), transplanted_since=transplanted,
        )  # fmt: skip
    found = course_of(cast)
    assert found.transplanted_on == Span(earliest=after(zero, 10), latest=after(zero, 30))
    assert Doubt.TRANSPLANT_UNRECORDED in found.doubts
    save(cast, subject, Transplantation, {"transplanted_on": after(zero, 12).isoformat()})
    found = course_of(cast)
    assert found.transplanted_on == Span(earliest=after(zero, 12), latest=after(zero, 12))
    assert found.doubts == frozenset()


def test_being_listed_is_no_transplantation(cast, subject, zero):
    save(cast, subject, Transplantation, {"listed_on": after(zero, 12).isoformat()})
    found = course_of(cast)
    assert (found.transplanted_on, found.last_alive_on) == (None, after(zero, 12))


def test_of_death_and_transplantation_in_one_month_the_death_is_the_later(cast, subject, zero):
    month = after(zero, 20)
    save(cast, subject, Transplantation, {"transplanted_on": f"{month:%Y-%m}"})
    save_death(subject, cast.nurse, died_on=month.isoformat())
    found = course_of(cast)
    assert found.died_on == Span(earliest=month, latest=month)
    assert found.transplanted_on is not None
    assert found.transplanted_on.latest == month
    assert found.transplanted_on.earliest == max(month.replace(day=1), zero)


def test_a_transplantation_after_the_death_is_left_out_and_said(cast, subject, zero):
    save(cast, subject, Transplantation, {"transplanted_on": after(zero, 30).isoformat()})
    save_death(subject, cast.nurse, died_on=after(zero, 20).isoformat())
    found = course_of(cast)
    assert found.transplanted_on is None
    assert found.doubts == {Doubt.TRANSPLANT_AFTER_DEATH, Doubt.SEEN_AFTER_DEATH}


def test_withdrawal_of_all_data_ends_observation_on_its_day(cast, subject, zero):
    sign(cast, subject, make_document(cast, cast.site), days=-51)
    withdraw(cast, subject, Scope.ALL_DATA, days=-20)
    found = course_of(cast)
    assert (found.withdrawn_on, found.last_alive_on) == (after(zero, 30), after(zero, 30))
    assert (state_on(found, 28), state_on(found, 31)) == (State.ALIVE_NATIVE, State.UNKNOWN)


@pytest.mark.parametrize("scope", [Scope.TREATMENT, Scope.CONTACT, Scope.SAMPLES])
def test_withdrawal_of_anything_less_ends_no_observation(cast, subject, zero, scope):
    sign(cast, subject, make_document(cast, cast.site), days=-51)
    withdraw(cast, subject, scope, days=-40)
    save_death(subject, cast.nurse, died_on=after(zero, 30).isoformat())
    found = course_of(cast)
    assert (found.withdrawn_on, state_on(found, 28)) == (None, State.ALIVE_NATIVE)
    assert state_on(found, 30) is State.DEAD


def test_the_day_of_withdrawal_is_the_one_that_consent_knows(cast, subject, zero):
    """Withdrawn, resumed, withdrawn again: the last one counts."""
    document = make_document(cast, cast.site)
    sign(cast, subject, document, days=-51)
    withdraw(cast, subject, Scope.ALL_DATA, days=-40)
    assert course_of(cast).withdrawn_on == after(zero, 10)
    resume(cast, subject, document, *Scope, days=-30)
    assert course_of(cast).withdrawn_on is None
    withdraw(cast, subject, Scope.ALL_DATA, days=-20)
    with as_person(cast.nurse):
        since = standing_of(subject).withdrawn_since[Scope.ALL_DATA]
    assert course_of(cast).withdrawn_on == since == after(zero, 30)


def test_what_is_dated_after_the_cut_is_not_known(cast, subject, zero):
    contact(cast, subject, after(zero, 20), last_alive_on=after(zero, 20).isoformat())
    save(cast, subject, Transplantation, {"transplanted_on": after(zero, 30).isoformat()})
    save_death(subject, cast.nurse, died_on=after(zero, 40).isoformat())
    now = course_of(cast)
    assert (now.died_on is not None, now.cut_on) == (True, today(cast.site))
    then = course_of(cast, on=after(zero, 25))
    assert (then.died_on, then.transplanted_on) == (None, None)
    assert (then.last_alive_on, then.cut_on) == (after(zero, 20), after(zero, 25))
    assert state_on(then, 28) is State.NOT_YET_DUE
    before = course_of(cast, on=after(zero, -1))
    assert (before.anchor_on, before.dosed_on) == (None, None)
    with as_person(cast.nurse):
        assert courses_of(cast.nurse, on=after(zero, -2)) == []


def test_a_cut_in_the_future_is_the_present(cast, subject):
    assert course_of(cast, on=dt.date(2100, 1, 1)).cut_on == today(cast.site)


def test_who_is_in_screening_or_enrolled_in_error_has_no_course(cast, subject):
    make_subject(cast.site)
    other = enrolled(cast.site, cast.nurse, None)
    given(Enrolment.objects.filter(subject=other).update)(
        voided_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC), void_reason="Wrong person"
    )
    assert course_of(cast).subject == subject.pk


def test_the_untreated_have_no_day_zero_and_are_there(cast):
    waiting = enrolled(cast.site, cast.nurse, None)
    found = course_of(cast)
    assert (found.subject, found.anchor_on) == (waiting.pk, None)
    assert found.doubts == {Doubt.NO_ANCHOR}


def test_day_zero_follows_its_correction(cast, subject, zero):
    with as_person(cast.nurse):
        set_day_zero(subject=subject, day_zero=after(zero, 1), by=cast.nurse, reason="Misread")
    assert course_of(cast).anchor_on == after(zero, 1)


def test_each_sees_the_courses_of_their_sites(cast, subject):
    foreign = enrolled(cast.other_site, cast.stranger, None)
    with as_person(cast.stranger):
        assert [each.subject for each in courses_of(cast.stranger)] == [foreign.pk]
        assert courses_of(cast.stranger, site="001") == []
    with as_person(cast.investigator):
        assert {each.site for each in courses_of(cast.investigator)} == {"001", "002"}
        (ours,) = courses_of(cast.investigator, site="001")
    assert ours.subject == subject.pk
    nobody = make_user(Role.STUDY_ADMINISTRATOR)
    with as_person(nobody):
        assert courses_of(nobody) == []


def test_the_courses_of_many_cost_no_more_queries_than_of_one(cast, subject, zero):
    def queries() -> int:
        with as_person(cast.nurse), CaptureQueriesContext(connection) as captured:
            assert courses_of(cast.nurse)
        return len(captured)

    queries()
    one = queries()
    for _ in range(6):
        enrolled(cast.site, cast.nurse, zero)
    assert queries() == one


def test_now_is_the_day_at_the_site(cast, subject):
    found = course_of(cast)
    assert found.cut_on == given(wall)(cast.site).date()
