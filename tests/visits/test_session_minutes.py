"""Effective minutes: the sum of the intervals in which the blood ran (clinical 1d)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from visits.effective import effective_minutes, minutes_between, moment

DAY = dt.datetime(2026, 3, 5, 8, 0, tzinfo=dt.UTC)


def at(minute: int) -> dt.datetime:
    return DAY + dt.timedelta(minutes=minute)


def minutes(start: int, end: int, *pauses: tuple[int, int | None]) -> Decimal | None:
    spans = [(at(off), None if on is None else at(on)) for off, on in pauses]
    return effective_minutes(at(start), at(end), spans)


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([], 360),
        ([(60, 75)], 345),
        ([(60, 75), (200, 230)], 315),
        ([(60, 75), (75, 90)], 330),
        ([(60, 90), (70, 80)], 330),
        ([(60, 90), (80, 100)], 320),
        ([(-30, 10)], 350),
        ([(350, 400)], 350),
        ([(-30, 400)], 0),
        ([(400, 500)], 360),
        ([(300, None)], 300),
        ([(400, None)], 360),
        ([(60, 60)], 360),
        ([(60, 90), (60, None)], 60),
    ],
)
def test_interruptions_are_taken_out_once(pauses, expected):
    assert minutes(0, 360, *pauses) == expected


def test_a_session_that_runs_has_no_minutes_yet():
    assert effective_minutes(at(0), None, [(at(5), None)]) is None
    assert effective_minutes(None, None, []) is None


def test_seconds_are_rounded_half_up_to_a_tenth():
    end = at(0) + dt.timedelta(minutes=10, seconds=3)
    assert effective_minutes(at(0), end, []) == Decimal("10.1")


minute = st.integers(-100, 500)
pause = st.tuples(minute, st.none() | st.integers(0, 200)).map(
    lambda each: (each[0], None if each[1] is None else each[0] + each[1])
)


@given(length=st.integers(0, 400), pauses=st.lists(pause, max_size=6))
def test_it_counts_every_minute_in_which_nothing_stood_still(length, pauses):
    ran = sum(
        not any(off <= each and (on is None or each < on) for off, on in pauses)
        for each in range(length)
    )
    assert minutes(0, length, *pauses) == ran


@given(length=st.integers(0, 400), pauses=st.lists(pause, max_size=6), extra=pause)
def test_a_further_interruption_never_adds_time(length, pauses, extra):
    before, after = minutes(0, length, *pauses), minutes(0, length, *pauses, extra)
    assert before is not None
    assert after is not None
    assert 0 <= after <= before <= length


FOUR = [(0, 30), (20, 60), (60, 61), (90, None)]


@given(length=st.integers(0, 400), pauses=st.permutations(FOUR))
def test_the_order_of_entry_does_not_matter(length, pauses):
    assert minutes(0, length, *pauses) == minutes(0, length, *FOUR)


def wall(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "start", "end", "expected"),
    [
        ("Asia/Shanghai", "2026-03-08T00:30", "2026-03-08T06:30", 360),
        ("America/New_York", "2026-03-08T00:30", "2026-03-08T06:30", 300),
        ("America/New_York", "2026-11-01T00:30", "2026-11-01T06:30", 420),
        ("Europe/Berlin", "2026-03-29T01:30", "2026-03-29T03:30", 60),
        ("Europe/Berlin", "2026-10-25T01:30", "2026-10-25T03:30", 180),
        ("Australia/Lord_Howe", "2026-04-05T00:30", "2026-04-05T03:30", 210),
    ],
)
def test_the_clock_on_the_wall_may_be_put_forward_or_back(zone, start, end, expected):
    found = minutes_between(
        zone=zone,
        started_at=wall(start),
        cells_on_at=None,
        cells_off_at=None,
        ended_at=wall(end),
        interruptions=[],
    )
    assert [found.circuit, found.effective, found.contact] == [expected, expected, None]


def test_contact_with_the_cells_counts_from_on_to_off():
    found = minutes_between(
        zone="Asia/Shanghai",
        started_at=wall("2026-03-05T08:00"),
        cells_on_at=wall("2026-03-05T08:30"),
        cells_off_at=wall("2026-03-05T13:30"),
        ended_at=wall("2026-03-05T14:00"),
        interruptions=[
            (wall("2026-03-05T08:10"), wall("2026-03-05T08:40")),
            (wall("2026-03-05T13:20"), None),
        ],
    )
    assert [found.circuit, found.effective, found.contact] == [Decimal(360), 290, 280]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
def test_a_clock_is_read_as_the_database_reads_it(db, zone):
    """Exports compute the same minutes in SQL: every quarter of an hour of a year agrees."""
    start = wall("2026-01-01T00:00")
    walls = [start + dt.timedelta(minutes=15 * n) for n in range(4 * 24 * 365)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM w AT TIME ZONE %s)::bigint "
            "FROM unnest(%s::timestamp[]) WITH ORDINALITY AS t(w, n) ORDER BY n",
            [zone, walls],
        )
        theirs = [row[0] for row in cursor.fetchall()]
    assert [int(moment(each, zone).timestamp()) for each in walls] == theirs
