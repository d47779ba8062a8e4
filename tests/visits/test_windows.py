"""Windows are calendar dates of the site: no clock change, leap day or year end moves them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.factories import given, make_subject
from tests.visits.scheduling import anchor, enrolled, make_site_in, today, visit_at, window_of
from trialsite.casebook.models import Visit, VisitStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.core.date_ranges import closed
from visits.selectors.visits import visit_sheet, with_state

BERLIN, NEW_YORK, SHANGHAI, AUCKLAND = ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Pacific/Auckland",
)
#: Day zero such that a clock change, a leap day or a year end falls into the schedule.
ANCHORS = {
    "before the spring change in Berlin": dt.date(2026, 3, 28),
    "the night of the spring change in Berlin": dt.date(2026, 3, 29),
    "before the autumn change in Berlin": dt.date(2026, 10, 24),
    "the night of the autumn change in Berlin": dt.date(2026, 10, 25),
    "the spring change in New York": dt.date(2026, 3, 8),
    "the autumn change in New York": dt.date(2026, 11, 1),
    "the autumn change in Auckland": dt.date(2026, 4, 5),
    "the spring change in Auckland": dt.date(2026, 9, 27),
    "before a leap day": dt.date(2028, 2, 22),
    "a leap day": dt.date(2028, 2, 29),
    "before 28 February of a common year": dt.date(2027, 2, 21),
    "before a year end": dt.date(2026, 12, 24),
    "the last day of a year": dt.date(2026, 12, 31),
}
#: Written out once, so that the arithmetic is not compared with itself.
LEAP = {
    "SE.D1": ("2028-03-01", "2028-03-01", "2028-03-01"),
    "SE.D3": ("2028-03-03", "2028-03-03", "2028-03-04"),
    "SE.D7": ("2028-03-07", "2028-03-06", "2028-03-08"),
    "SE.D14": ("2028-03-14", "2028-03-12", "2028-03-16"),
    "SE.D28": ("2028-03-28", "2028-03-25", "2028-03-31"),
    "SE.W8": ("2028-04-25", "2028-04-18", "2028-05-02"),
    "SE.W12": ("2028-05-23", "2028-05-16", "2028-05-30"),
}


def counted(start: dt.date, days: int) -> dt.date:
    """The date so many midnights on, by counting them."""
    step = dt.timedelta(days=1 if days > 0 else -1)
    for _ in range(abs(days)):
        start += step
    return start


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day_zero", ANCHORS.values(), ids=ANCHORS)
def test_a_window_is_so_many_midnights_from_day_zero(cast, zone, day_zero):
    site = make_site_in(zone)
    subject = enrolled(cast, site)
    anchor(cast, subject, day_zero)
    events = protocol_of(subject.protocol_version_id).schedule.events
    for event in events:
        if event.target_day is None:
            continue
        assert event.window is not None
        visit = visit_at(subject, event.oid)
        assert visit.target_on == counted(day_zero, event.target_day)
        ends = (counted(day_zero, event.window.first), counted(day_zero, event.window.last))
        assert visit.window_ends == ends


def test_the_schedule_of_a_leap_day_as_written_out(cast):
    subject = enrolled(cast)
    anchor(cast, subject, dt.date(2028, 2, 29))
    found = {
        oid: tuple(str(each) for each in (visit.target_on, *window_of(visit)))
        for oid in LEAP
        if (visit := visit_at(subject, oid))
    }
    assert found == LEAP


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "first", [dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 7, 1)]
)
def test_a_visit_is_due_from_its_sites_midnight_on(cast, zone, first):
    subject = make_subject(make_site_in(zone))
    visit = Visit(
        site=subject.site,
        subject=subject,
        event_oid="SE.D7",
        protocol_version_id=subject.protocol_version_id,
        target_on=first,
        window=closed(first, first + dt.timedelta(days=2)),
    )
    given(visit.save)()
    midnight = dt.datetime.combine(first, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)
    second = dt.timedelta(seconds=1)

    def at(moment):
        return given(visit_sheet)(visit, now=moment)

    assert at(midnight - second).state == VisitStatus.PLANNED
    assert at(midnight).state == VisitStatus.DUE
    last = dt.datetime.combine(first + dt.timedelta(days=3), dt.time(), ZoneInfo(zone))
    assert at(last.astimezone(dt.UTC) - second).late == 0
    assert at(last.astimezone(dt.UTC)).late == 1


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("ahead", "state"), [(-1, "due"), (0, "due"), (1, "planned")])
def test_the_database_says_the_same_of_the_present_day(cast, zone, ahead, state):
    site = make_site_in(zone)
    subject = enrolled(cast, site)
    first = today(site) + dt.timedelta(days=ahead)
    anchor(cast, subject, first - dt.timedelta(days=6))
    visit = visit_at(subject, "SE.D7")
    annotated: Any = given(lambda: with_state(Visit.objects.filter(pk=visit.pk)).get())()
    assert annotated.state == visit.state_on(today(site)) == state


@pytest.mark.parametrize(
    ("status", "said"),
    [(status, status) for status in VisitStatus if status not in ("planned", "due")],
)
def test_only_a_planned_visit_becomes_due(status, said):
    day = dt.date(2026, 3, 1)
    visit = Visit(status=status, target_on=day, window=closed(day, day))
    assert visit.state_on(day + dt.timedelta(days=400)) == said


def test_a_visit_without_dates_is_never_due_and_one_without_a_window_from_its_date_on():
    day = dt.date(2026, 3, 1)
    assert Visit().state_on(day) == VisitStatus.PLANNED
    dated = Visit(target_on=day)
    assert dated.state_on(day - dt.timedelta(days=1)) == VisitStatus.PLANNED
    assert dated.state_on(day) == VisitStatus.DUE


@pytest.mark.parametrize(("day", "outside"), [(9, -1), (10, 0), (12, 0), (13, 1), (20, 8)])
def test_days_outside_count_from_the_nearer_end(day, outside):
    visit = Visit(window=closed(dt.date(2026, 3, 10), dt.date(2026, 3, 12)))
    assert visit.days_outside(dt.date(2026, 3, day)) == outside
