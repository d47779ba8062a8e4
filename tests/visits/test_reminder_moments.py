"""When reminders of a visit are said: around midnight, clock changes, merged and skipped."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import PROTOCOL
from trialsite.protocol import load
from trialsite.protocol.reminders import ReminderMoment, ReminderRule
from trialsite.protocol.text import Text
from visits.reminders.moments import APART, Dates, heard_by, said_now, steps_of, wall_clock

RULES = load(PROTOCOL).reminders.rules
SHANGHAI = ZoneInfo("Asia/Shanghai")
NURSE, PI, DM = "research_nurse", "principal_investigator", "data_manager"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def dates(first: str, target: str, last: str) -> Dates:
    return Dates(first=day(first), target=day(target), last=day(last))


def at_site(text: str, zone: ZoneInfo = SHANGHAI) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt.UTC)


def heard(visit: Dates, *roles: str, since: dt.datetime = LONG_AGO) -> list[tuple[str, str]]:
    """What is said when, on the clock of the site."""
    steps = steps_of(RULES, visit, zone=SHANGHAI, since=since)
    return [
        (f"{step.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", step.rule.key)
        for step in heard_by(steps, roles)
    ]


def rule(key: str, moment: ReminderMoment, *roles: str, **fields: Any) -> ReminderRule:
    return ReminderRule(
        key=key, name=Text(en=key, zh=key), moment=moment, roles=roles or (NURSE,), **fields
    )


def test_a_visit_with_a_window_is_spoken_of_from_two_days_before_it_opens():
    week_8 = dates("2026-03-10", "2026-03-17", "2026-03-24")
    assert heard(week_8, NURSE) == [
        ("2026-03-08 08:00", "window_opens"),
        ("2026-03-17 08:00", "target_day"),
        ("2026-03-24 08:00", "last_window_day"),
        ("2026-03-25 08:00", "overdue"),
    ]
    assert heard(week_8, PI) == [
        ("2026-03-25 08:00", "overdue"),
        ("2026-03-27 08:00", "overdue_unsolved"),
    ]
    assert heard(week_8, DM) == [("2026-03-27 08:00", "overdue_unsolved")]


def test_target_and_last_day_on_one_day_are_said_once_and_as_the_last():
    day_5 = dates("2026-03-06", "2026-03-06", "2026-03-06")
    assert heard(day_5, NURSE) == [
        ("2026-03-04 08:00", "window_opens"),
        ("2026-03-06 08:00", "last_window_day"),
        ("2026-03-07 08:00", "overdue"),
    ]


def test_who_holds_two_of_the_roles_hears_each_once():
    day_5 = dates("2026-03-06", "2026-03-06", "2026-03-06")
    assert [key for _when, key in heard(day_5, NURSE, PI)] == [
        "window_opens",
        "last_window_day",
        "overdue",
        "overdue_unsolved",
    ]


@pytest.mark.parametrize(
    ("set_at", "first_heard"),
    [
        ("2026-03-01 07:59", ("2026-03-01 08:00", "window_opens")),
        ("2026-03-01 08:00", ("2026-03-03 08:00", "last_window_day")),
        ("2026-03-01 22:00", ("2026-03-03 08:00", "last_window_day")),
        ("2026-03-03 08:00", ("2026-03-04 08:00", "overdue")),
    ],
)
def test_nothing_is_said_of_a_moment_before_the_dates_were_known(set_at, first_heard):
    visit = dates("2026-03-03", "2026-03-03", "2026-03-03")
    assert heard(visit, NURSE, since=at_site(set_at))[0] == first_heard


def test_of_a_visit_without_dates_nothing_is_said():
    assert heard(Dates(first=None, target=None, last=None), NURSE, PI, DM) == []


@pytest.mark.parametrize(
    ("zone", "date", "clock", "utc"),
    [
        ("Asia/Shanghai", "2026-03-29", "08:00", "2026-03-29 00:00"),
        ("Europe/Berlin", "2026-03-28", "08:00", "2026-03-28 07:00"),
        ("Europe/Berlin", "2026-03-29", "08:00", "2026-03-29 06:00"),
        ("Europe/Berlin", "2026-10-25", "08:00", "2026-10-25 07:00"),
        # left out in spring: 02:30 becomes 03:30
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29 01:30"),
        # twice in autumn: the second
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 01:30"),
        # half an hour of summer time, and a change at midnight
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04 15:15"),
        ("America/Havana", "2026-03-08", "00:30", "2026-03-08 05:30"),
        # a day that never was
        ("Pacific/Apia", "2011-12-30", "08:00", "2011-12-30 18:00"),
    ],
)
def test_the_clock_on_the_wall_is_read_as_the_database_reads_it(zone, date, clock, utc, db):
    from django.db import connection

    moment = wall_clock(day(date), dt.time.fromisoformat(clock), ZoneInfo(zone))
    assert f"{moment:%Y-%m-%d %H:%M}" == utc
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s::date + %s::time) AT TIME ZONE %s", [date, clock, zone])
        assert cursor.fetchone()[0] == moment


def two_a_day(second: str) -> list[ReminderRule]:
    return [
        rule("morning", ReminderMoment.TARGET_DAY, at=dt.time(8)),
        rule("later", ReminderMoment.LAST_WINDOW_DAY, at=dt.time.fromisoformat(second)),
    ]


@pytest.mark.parametrize(
    ("second", "said_at"), [("18:00", "20:00"), ("19:59", "20:00"), ("20:00", "20:00")]
)
def test_the_second_of_two_within_twelve_hours_waits_until_they_are_over(second, said_at):
    visit = dates("2026-03-06", "2026-03-06", "2026-03-06")
    steps = steps_of(two_a_day(second), visit, zone=SHANGHAI, since=LONG_AGO)
    said = [f"{step.at.astimezone(SHANGHAI):%H:%M}" for step in heard_by(steps, [NURSE])]
    assert said == ["08:00", said_at]


#: Target day 6, last window day 7 of March.
CASES = [
    ("2026-03-03 07:59", None),
    ("2026-03-03 08:00", "window_opens"),
    ("2026-03-05 20:00", "window_opens"),
    ("2026-03-05 20:01", None),
    ("2026-03-06 07:59", None),
    ("2026-03-06 08:00", "target_day"),
    ("2026-03-06 09:00", "target_day"),
    ("2026-03-06 20:00", "target_day"),  # late, and exactly twelve hours from the next
    ("2026-03-06 20:01", None),  # late, and something is said in the morning
    ("2026-03-07 07:59", None),
    ("2026-03-07 08:00", "last_window_day"),
    ("2026-03-08 08:00", "overdue"),
    ("2026-03-20 08:00", "overdue"),
]


@pytest.mark.parametrize(("now", "said"), CASES)
def test_of_what_is_late_only_the_latest_is_said_and_only_where_nothing_follows_soon(now, said):
    visit = dates("2026-03-05", "2026-03-06", "2026-03-07")
    steps = steps_of(RULES, visit, zone=SHANGHAI, since=LONG_AGO)
    step = said_now(steps, [NURSE], at_site(now))
    assert (step and step.rule.key) == said


_MOMENTS = st.sampled_from(
    [ReminderMoment.WINDOW_OPENS, ReminderMoment.TARGET_DAY, ReminderMoment.LAST_WINDOW_DAY]
)
_CLOCKS = st.times(max_value=dt.time(23, 59)).map(
    lambda clock: clock.replace(second=0, microsecond=0)
)


@st.composite
def _rules(draw: st.DrawFn) -> list[ReminderRule]:
    return [
        rule(
            f"r{n}",
            draw(_MOMENTS),
            *draw(st.sets(st.sampled_from([NURSE, PI, DM]), min_size=1)),
            days=draw(st.integers(-3, 5)),
            at=draw(_CLOCKS),
            hours=draw(st.integers(-6, 30)),
        )
        for n in range(draw(st.integers(1, 6)))
    ]


@given(
    rules=_rules(),
    opens=st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)),
    spans=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    since_days=st.integers(-8, 20),
    roles=st.sets(st.sampled_from([NURSE, PI, DM]), min_size=1),
)
def test_whatever_the_rules_the_forecast_is_what_a_beat_would_say(
    rules, opens, spans, zone, since_days, roles
):
    target = opens + dt.timedelta(days=spans[0])
    visit = Dates(first=opens, target=target, last=target + dt.timedelta(days=spans[1]))
    since = dt.datetime.combine(opens, dt.time(13), dt.UTC) + dt.timedelta(days=since_days)
    steps = steps_of(rules, visit, zone=ZoneInfo(zone), since=since)
    forecast = heard_by(steps, roles)

    said: list[tuple[dt.datetime, str]] = []
    for now in sorted(
        {step.due for step in steps}
        | {step.due + APART for step in steps}
        | {step.at for step in forecast}
    ):
        step = said_now(steps, roles, now)
        rested = not said or now >= said[-1][0] + APART
        if step is not None and rested and step.rule.key not in {key for _at, key in said}:
            said.append((now, step.rule.key))

    assert [(step.at, step.rule.key) for step in forecast] == said
    assert all(step.at > since for step in forecast)
    assert all(b.at - a.at >= APART for a, b in itertools.pairwise(forecast))
