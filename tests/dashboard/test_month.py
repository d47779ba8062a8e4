"""A site's month: every visit on its day, and never another site's."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.dashboard.conftest import NOON, TODAY, days, inclusive
from tests.dashboard.sessions import make_session
from tests.factories import as_person, make_protocol, make_site, make_subject, make_visit, sign_in
from trialsite.casebook.models import VisitStatus
from trialsite.core.clock import trial_today
from trialsite.dashboard.month import Kind, Month, first_of, month_of

NOVEMBER = dt.date(2026, 11, 1)


def month(user, site, first=NOVEMBER, now=NOON) -> Month:
    with as_person(user):
        return month_of(user, site, first, now=now)


def found(user, site, **options) -> dict[int, list[Kind]]:
    weeks = month(user, site, **options).weeks
    return {
        day.date.day: [entry.kind for entry in day.entries]
        for week in weeks
        for day in week
        if day.inside and day.entries
    }


def visit_on(site, target, first=0, last=0, **fields):
    window = inclusive(target + days(first), target + days(last))
    return make_visit(make_subject(site), window=window, target_on=target, **fields)


def test_a_waiting_visit_stands_on_its_target_day_and_on_the_ends_of_its_window(cast):
    visit_on(cast.site, dt.date(2026, 11, 10), -2, 3)
    assert found(cast.nurse, cast.site) == {8: [Kind.FIRST], 10: [Kind.TARGET], 13: [Kind.LAST]}


def test_a_window_of_one_day_is_one_entry(cast):
    visit_on(cast.site, dt.date(2026, 11, 30))
    assert found(cast.nurse, cast.site) == {30: [Kind.TARGET]}


def test_a_visit_that_took_place_stands_on_its_own_day(cast):
    visit_on(
        cast.site, dt.date(2026, 11, 10), -2, 3,
        status=VisitStatus.ATTENDED, attended_on=dt.date(2026, 11, 19),
    )  # fmt: skip
    assert found(cast.nurse, cast.site) == {19: [Kind.ATTENDED]}


def test_a_missed_visit_stays_and_one_that_is_not_required_goes(cast):
    visit_on(cast.site, dt.date(2026, 11, 10), -2, 3, status=VisitStatus.MISSED)
    visit_on(cast.site, dt.date(2026, 11, 11), -2, 3, status=VisitStatus.NOT_REQUIRED)
    assert found(cast.nurse, cast.site) == {10: [Kind.MISSED]}


@pytest.mark.parametrize(("last", "overdue"), [(-1, True), (0, False)])
def test_a_window_gone_by_is_marked(cast, last, overdue):
    visit_on(cast.site, TODAY + days(-5), 0, last + 5)
    entries = [e for week in month(cast.nurse, cast.site).weeks for d in week for e in d.entries]
    assert {entry.overdue for entry in entries} == {overdue}


def test_a_long_window_is_found_from_a_month_in_which_its_target_is_not(cast):
    """The end of a window of week 8 (seven days after the target) falls into the next month."""
    visit_on(cast.site, dt.date(2026, 10, 28), -7, 7)
    assert found(cast.nurse, cast.site) == {4: [Kind.LAST]}


def test_sessions_stand_on_the_day_they_started(cast):
    subject = make_subject(cast.site)
    make_session(
        cast,
        subject,
        started_at=dt.datetime.fromisoformat("2026-11-30T23:30"),
        ended_at=dt.datetime.fromisoformat("2026-12-01T04:00"),
    )
    assert found(cast.nurse, cast.site) == {30: [Kind.SESSION]}


def test_today_is_the_sites_own_day(cast):
    western = make_site("777", time_zone="America/Los_Angeles")
    half_past_midnight = dt.datetime(2026, 11, 22, 16, 30, tzinfo=dt.UTC)  # in Shanghai the 23rd

    def today_at(site):
        weeks = month(cast.investigator, site, now=half_past_midnight).weeks
        return [day.date.day for week in weeks for day in week if day.today]

    assert today_at(cast.site) == [23]
    assert today_at(western) == [22]


@pytest.mark.requirement("IA2")
def test_another_sites_month_is_not_shown_whatever_is_asked(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    foreign = visit_on(cast.other_site, today)
    own = visit_on(cast.site, today)
    page = nurse_client.get("/calendar/", {"site": "002"}).content.decode()
    assert own.subject.screening_number in page
    assert foreign.subject.screening_number not in page
    chosen = sign_in(cast.investigator).get("/calendar/", {"site": "002"}).content.decode()
    assert foreign.subject.screening_number in chosen
    assert own.subject.screening_number not in chosen


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("2026-03", dt.date(2026, 3, 1)),
        ("2028-02", dt.date(2028, 2, 1)),
        ("", NOVEMBER),
        ("2026-13", NOVEMBER),
        ("0000-01", NOVEMBER),
        ("9999-12", NOVEMBER),
        ("2026-3'--", NOVEMBER),
    ],
)
def test_a_month_that_is_none_is_this_month(typed, first):
    assert first_of(typed, today=TODAY) == first


def test_months_follow_each_other_over_the_year(cast):
    december = month(cast.nurse, cast.site, dt.date(2026, 12, 1))
    assert (december.previous, december.next) == ("2026-11", "2027-01")
    january = month(cast.nurse, cast.site, dt.date(2027, 1, 1))
    assert (january.previous, january.next) == ("2026-12", "2027-02")
    assert all(len(week) == 7 and week[0].date.weekday() == 0 for week in december.weeks)


def test_the_page_is_a_table_by_weeks_with_a_way_on(cast, nurse_client):
    visit = visit_on(cast.site, dt.date(2026, 3, 10), -1, 1)
    page = nurse_client.get("/calendar/", {"month": "2026-03"}).content.decode()
    assert page.count('role="columnheader"') == 7
    assert "month=2026-02" in page
    assert "month=2026-04" in page
    assert f"/visits/{visit.pk}/" in page
    assert "Last window day" in page
    assert (
        "No visit, window or session"
        in nurse_client.get("/calendar/?month=2027-01").content.decode()
    )


def test_a_full_day_folds_what_is_too_much(cast, nurse_client):
    for _ in range(9):
        visit_on(cast.site, dt.date(2026, 3, 10))
    page = nurse_client.get("/calendar/", {"month": "2026-03"}).content.decode()
    assert "3 more" in page


def test_the_month_costs_the_same_for_any_number_of_visits(cast, nurse_client):
    make_protocol(cast.site)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse_client.get("/calendar/", {"month": "2026-11"}).status_code == 200
        return len(captured)

    def add(count: int) -> None:
        for number in range(count):
            visit = visit_on(cast.site, dt.date(2026, 11, 1 + number % 28), -1, 1)
            if number % 5 == 0:
                started = dt.datetime.fromisoformat("2026-11-05T08:00")
                ended = dt.datetime.fromisoformat("2026-11-05T12:00")
                make_session(cast, visit.subject, started_at=started, ended_at=ended)

    add(5)
    cost()
    few = cost()
    add(30)
    assert cost() == few
