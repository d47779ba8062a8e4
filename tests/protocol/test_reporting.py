"""Reporting clocks: elapsed hours, calendar days, in every zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from trialsite.protocol import Protocol, Text
from trialsite.protocol.reporting import (
    Awareness,
    Recipient,
    Reportable,
    ReportingRule,
    SafetyReporting,
    reporting_findings,
)

NAME = Text(en="x", zh="x")


def rule(**fields: object) -> ReportingRule:
    given = {
        "key": "one",
        "name": NAME,
        "recipient": Recipient.SPONSOR,
        "counted_from": Awareness.INVESTIGATOR,
        "events": Reportable.EVERY,
    } | fields
    return ReportingRule(**given)  # type: ignore[arg-type]


def due(zone: str, since: str, *, fold: int = 0, **limit: int) -> str:
    place = ZoneInfo(zone)
    began = dt.datetime.fromisoformat(since).replace(tzinfo=place, fold=fold)
    return f"{rule(**limit).due(began, place).astimezone(place):%a %Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("zone", "since", "limit", "expected"),
    [
        ("Asia/Shanghai", "2026-03-06T23:50", {"hours": 24}, "Sat 2026-03-07 23:50:00"),
        ("Asia/Shanghai", "2026-03-06T00:00", {"hours": 24}, "Sat 2026-03-07 00:00:00"),
        ("Asia/Shanghai", "2026-02-28T23:59", {"hours": 24}, "Sun 2026-03-01 23:59:00"),
        # Day 0 is the day of awareness, at its first and at its last minute.
        ("Asia/Shanghai", "2026-03-06T00:00", {"days": 7}, "Fri 2026-03-13 23:59:59"),
        ("Asia/Shanghai", "2026-03-06T23:59", {"days": 7}, "Fri 2026-03-13 23:59:59"),
        # Two weekends and a holiday are days like others.
        ("Asia/Shanghai", "2026-09-26T12:00", {"days": 15}, "Sun 2026-10-11 23:59:59"),
        # In spring the wall shows an hour more, in autumn an hour less.
        ("Europe/Berlin", "2026-03-28T12:00", {"hours": 24}, "Sun 2026-03-29 13:00:00"),
        ("Europe/Berlin", "2026-10-24T12:00", {"hours": 24}, "Sun 2026-10-25 11:00:00"),
        ("Europe/Berlin", "2026-03-28T12:00", {"days": 1}, "Sun 2026-03-29 23:59:59"),
        # There a day ended at 23:00: the hour to midnight came twice.
        ("America/Havana", "2026-10-31T12:00", {"days": 1}, "Sun 2026-11-01 23:59:59"),
        ("America/Asuncion", "2024-03-16T12:00", {"days": 7}, "Sat 2024-03-23 23:59:59"),
    ],
)
def test_a_deadline_is_where_a_person_with_a_calendar_would_put_it(
    zone: str, since: str, limit: dict[str, int], expected: str
) -> None:
    assert due(zone, since, **limit) == expected


def test_where_the_last_hour_of_the_day_comes_twice_the_second_one_ends_it() -> None:
    place = ZoneInfo("America/Asuncion")
    began = dt.datetime(2024, 3, 16, 12, tzinfo=place)
    end = rule(days=7).due(began, place)
    next_day = dt.datetime(2024, 3, 24, tzinfo=place)
    assert next_day.astimezone(dt.UTC) - end == dt.timedelta(seconds=1)


def test_24_hours_are_24_hours_in_every_zone_on_every_night_of_a_year() -> None:
    for zone in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"):
        place = ZoneInfo(zone)
        for day in range(366):
            began = dt.datetime(2026, 1, 1, 23, 30, tzinfo=place) + dt.timedelta(days=day)
            assert rule(hours=24).due(began, place) - began.astimezone(dt.UTC) == dt.timedelta(1)


def test_the_study_reports_as_its_file_says(nct06904755: Protocol) -> None:
    plan = nct06904755.safety_reporting
    assert plan is not None
    assert plan.remind_after == (12, 20, 24)
    site = plan.of(Awareness.INVESTIGATOR)
    assert {(each.recipient.value, each.hours) for each in site} == {
        ("sponsor", 24),
        ("institution", 24),
        ("ethics", 24),
    }
    assert [each.days for each in plan.of(Awareness.SPONSOR)] == [7, 15, 15]
    assert nct06904755.source_of("safety_reporting.rules.sponsor.hours") == "assumption"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "exactly one"),
        ({"hours": 24, "days": 1}, "exactly one"),
        ({"hours": 0}, "after the awareness"),
        ({"days": -1}, "after the awareness"),
        ({"hours": 200}, "in days"),
        ({"days": 7, "counted_from": Awareness.SPONSOR}, "own clock"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_to_do(
    fields: dict[str, object], said: str
) -> None:
    plan = SafetyReporting(remind_after=(12,), escalate_after=12, rules=(rule(**fields),))
    [(path, message)] = list(reporting_findings(plan))
    assert path.startswith("safety_reporting.rules.one")
    assert said in message


@pytest.mark.parametrize(
    ("after", "escalate", "before", "path"),
    [
        ((20, 12), 12, (), "safety_reporting.remind_after"),
        ((12, 12), 12, (), "safety_reporting.remind_after"),
        ((-1, 12), 12, (), "safety_reporting.remind_after"),
        ((12,), 20, (), "safety_reporting.escalate_after"),
        ((12,), 12, (-2,), "safety_reporting.remind_before"),
    ],
)
def test_reminders_that_nobody_would_hear_are_refused(
    after: tuple[int, ...], escalate: int, before: tuple[int, ...], path: str
) -> None:
    plan = SafetyReporting(remind_after=after, escalate_after=escalate, remind_before=before)
    assert [found for found, _message in reporting_findings(plan)] == [path]
