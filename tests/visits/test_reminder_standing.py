"""What is asked before a reminder leaves, what its text tells, and what the visit's page shows."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from tests.factories import as_person, given, make_protocol, make_subject, make_visit, sign_in
from tests.visits.ledger import Course
from tests.visits.test_reminder_planning import days
from trialsite.access.models import Membership
from trialsite.casebook.models import LockState, Subject, Visit
from trialsite.casebook.services import open_visit
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, planner_of, render
from visits.reminders.planning import SESSION_KIND, VISIT_KIND
from visits.reminders.words import of_sessions, of_visits
from visits.selectors.reminders import ahead


@pytest.fixture
def visit(cast, clock) -> Visit:
    """A visit due today, of which the nurses are about to hear."""
    clock.put("2026-02-01 10:00")
    visit = make_visit(make_subject(cast.site), **days(-1, 0, 1))
    clock.put("2026-03-06 08:00")
    plan_notices(trial_now(), kind=VISIT_KIND)
    return visit


@given
def notices(kind: str = VISIT_KIND) -> list[Notice]:
    return list(Notice.objects.filter(kind=kind).select_related("recipient").order_by("recipient"))


@given
def still_due(found: list[Notice]) -> int:
    return len(planner_of(found[0].kind).still_due(found))


def change(row: Visit | Subject, **fields: object) -> None:
    given(lambda: type(row).objects.filter(pk=row.pk).update(**fields))()


def test_what_waits_is_still_due(visit):
    assert still_due(notices()) == 2


def test_a_visit_that_was_opened_is_still_due_until_it_is_said_to_have_taken_place(visit, cast):
    with as_person(cast.nurse):
        open_visit(visit=visit, by=cast.nurse)
    assert still_due(notices()) == 2


@pytest.mark.requirement("PR6", "RM1")
@pytest.mark.parametrize(
    "fields",
    [
        {"status": "attended", "attended_on": dt.date(2026, 3, 6), "mode": "on_site"},
        {"status": "missed", "missed_reason": "Not reached."},
        {"status": "not_required", "not_required_cause": "death"},
        {"anchor_version": 1},
        {"lock_state": LockState.LOCKED},
    ],
    ids=str,
)
def test_a_visit_that_is_over_or_has_moved_is_not(visit, fields):
    change(visit, **fields)
    assert still_due(notices()) == 0


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    "fields",
    [{"died_on": "2026"}, {"consent_state": "withdrawn"}, {"lock_state": LockState.FROZEN}],
    ids=str,
)
def test_nor_is_one_of_a_subject_who_is_not_waited_for(visit, fields):
    change(visit.subject, **fields)
    assert still_due(notices()) == 0


def test_nor_one_of_which_something_later_is_due(visit, clock):
    clock.put("2026-03-07 08:00")
    assert still_due(notices()) == 0


def test_nor_is_one_for_whoever_holds_no_such_role_there_any_more(visit, cast):
    end = Membership.objects.filter(user=cast.nurse).update
    given(lambda: end(ended_on=dt.date(2026, 3, 6)))()
    assert still_due(notices()) == 1


@pytest.mark.parametrize("kind", [VISIT_KIND, SESSION_KIND])
def test_a_batch_is_asked_with_the_same_number_of_queries_whatever_its_size(cast, clock, kind):
    clock.put("2026-02-20 09:00")
    version = make_protocol(cast.site)
    counts = []
    for size in (1, 12):
        for _ in range(size):
            clock.put("2026-03-02 22:00")
            course = Course.begin(cast, version=version)
            course.anchor("2026-03-02")
            clock.put("2026-03-03 01:05")
            course.session_ended("2026-03-02 22:00", "2026-03-03 01:00")
        clock.put("2026-03-04 08:00")
        plan_notices(trial_now(), kind=kind)
        asked = notices(kind)
        with CaptureQueriesContext(connection) as queries:
            assert still_due(asked) == len(asked) >= size
            given(lambda asked=asked: planner_of(kind).about(asked))()
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_text_tells_the_number_the_visit_its_days_and_the_page(visit, cast, clock):
    notice = notices()[0]
    mail = given(render)(notice, cast.nurse)
    number = visit.subject.screening_number
    assert mail.subject == f"Visit due today: {number}, Day 7"
    assert "2026-03-06, window 2026-03-05 to 2026-03-07" in mail.body
    assert mail.path == f"/visits/{visit.pk}/"
    with translation.override("zh-hans"):
        assert given(render)(notice, cast.nurse).subject == f"今日应访视: {number}, 第7天"


def test_a_text_read_a_day_later_says_of_which_day_it_is(visit, cast, clock):
    clock.put("2026-03-07 07:00")
    assert "Visit due today (of 2026-03-06)" in given(render)(notices()[0], cast.nurse).subject


def test_the_visits_page_shows_what_will_be_said_and_what_was(visit, cast):
    page = sign_in(cast.nurse).get(reverse("visits:visit", args=[visit.pk])).content.decode()
    assert "2026-03-07 08:00" in page
    assert "Last day of the visit window" in page
    assert "2026-03-09" not in page.split("To come")[0]
    assert "Research nurse, Principal investigator" in page
    assert "Nico Nurse" in page
    assert "Planned" in page


def test_what_will_be_said_of_a_subject_is_told_in_order(cast, clock):
    clock.put("2026-02-20 09:00")
    make_protocol(cast.site)
    course = Course.begin(cast)
    clock.put("2026-03-02 22:00")
    course.anchor("2026-03-02")
    clock.put("2026-03-03 01:05")
    course.session_ended("2026-03-02 22:00", "2026-03-03 01:00")
    with as_person(cast.nurse):
        lines = ahead(course.subject)
    moments = [line.at for line in lines]
    assert moments == sorted(moments)
    assert moments[0] > trial_now()
    assert [line.visit for line in lines if "Adverse" in line.name] == ["Treatment session 1"]
    change(course.subject, died_on="2026-03-03")
    with as_person(cast.nurse):
        course.subject.refresh_from_db()
        assert ahead(course.subject) == []


def test_a_visit_that_the_reader_no_longer_sees_leaves_the_other_texts_readable(db):
    gone = Notice(pk=uuid.uuid4(), dedupe_key=f"visit:{uuid.uuid4()}:opens:1:0:2026-03-05")
    assert given(of_visits)([gone]) == {}
    assert given(of_sessions)([gone]) == {}
