"""Quiet hours and the digest's hour, around midnight and where clocks are changed."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsite.notify.hours import Quiet, after_quiet, digest_moment

SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE = (
    ZoneInfo(name)
    for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)
NIGHT = Quiet(dt.time(21), dt.time(7))
NOON_NAP = Quiet(dt.time(12), dt.time(14))


def there(text: str, zone: ZoneInfo, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize("zone", [SHANGHAI, BERLIN, NEW_YORK])
@pytest.mark.parametrize(
    ("quiet", "clock", "later"),
    [
        (NIGHT, "2026-03-05T20:59:59", "2026-03-05T20:59:59"),
        (NIGHT, "2026-03-05T21:00:00", "2026-03-06T07:00:00"),
        (NIGHT, "2026-03-05T23:59:59", "2026-03-06T07:00:00"),
        (NIGHT, "2026-03-06T00:00:00", "2026-03-06T07:00:00"),
        (NIGHT, "2026-03-06T06:59:59", "2026-03-06T07:00:00"),
        (NIGHT, "2026-03-06T07:00:00", "2026-03-06T07:00:00"),
        (NIGHT, "2026-12-31T22:00:00", "2027-01-01T07:00:00"),
        (NIGHT, "2028-02-28T22:00:00", "2028-02-29T07:00:00"),
        (NOON_NAP, "2026-03-05T11:59:59", "2026-03-05T11:59:59"),
        (NOON_NAP, "2026-03-05T12:00:00", "2026-03-05T14:00:00"),
        (NOON_NAP, "2026-03-05T14:00:00", "2026-03-05T14:00:00"),
        (None, "2026-03-06T03:00:00", "2026-03-06T03:00:00"),
    ],
)
def test_nobody_is_told_in_quiet_hours(zone, quiet, clock, later):
    assert after_quiet(there(clock, zone), quiet, zone) == there(later, zone)


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        ("2026-03-28T22:00", 8),  # Berlin's clocks go forward: an hour less of sleep
        ("2026-10-24T22:00", 10),  # and back: an hour more
        ("2026-06-01T22:00", 9),
    ],
)
def test_the_night_ends_by_the_clock_on_the_wall(night, hours):
    begins = there(night, BERLIN).astimezone(dt.UTC)
    assert after_quiet(begins, NIGHT, BERLIN) - begins == dt.timedelta(hours=hours)


def test_two_zones_have_their_own_nights():
    moment = dt.datetime(2026, 3, 5, 23, tzinfo=dt.UTC)  # 07:00 in Shanghai, 18:00 in New York
    assert after_quiet(moment, NIGHT, SHANGHAI) == moment
    assert after_quiet(moment, NIGHT, NEW_YORK) == moment
    earlier = moment - dt.timedelta(minutes=1)
    assert after_quiet(earlier, NIGHT, SHANGHAI) == moment
    assert after_quiet(earlier, NIGHT, NEW_YORK) == earlier


def test_an_hour_that_comes_twice_is_waited_for_and_never_gone_back_to():
    nap = Quiet(dt.time(1), dt.time(2, 30))
    second = there("2026-10-25T02:10", BERLIN, fold=1)
    ends = after_quiet(second.astimezone(dt.UTC), nap, BERLIN)
    assert ends == there("2026-10-25T02:30", BERLIN, fold=1).astimezone(dt.UTC)


MOMENTS = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minutes: dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)
#: The nights of changed clocks, where mistakes are.
CHANGES = st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"]).flatmap(
    lambda day: st.integers(0, 48 * 60).map(
        lambda minutes: (
            dt.datetime.fromisoformat(f"{day}T00:00+00:00") + dt.timedelta(minutes=minutes)
        )
    )
)
CLOCKS = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
ZONES = st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE])


@given(st.one_of(MOMENTS, CHANGES), CLOCKS, CLOCKS, ZONES)
def test_waiting_ends_within_a_day_awake_and_never_in_the_past(moment, begin, end, zone):
    quiet = Quiet(begin, end)
    told = after_quiet(moment, quiet, zone)
    assert moment <= told <= moment + dt.timedelta(hours=25)
    if begin != end:
        clock = told.astimezone(zone).time()
        hour = dt.datetime.combine(told.astimezone(zone).date(), end)
        skipped = there(hour.isoformat(), zone).astimezone(dt.UTC).astimezone(zone).time() != end
        assert skipped or not quiet.covers(clock)


@given(st.one_of(MOMENTS, CHANGES), CLOCKS, CLOCKS, CLOCKS, ZONES, st.booleans())
def test_a_digest_leaves_awake_after_its_hour_and_on_another_day_once_one_was_had(
    moment, at, begin, end, zone, had
):
    quiet = Quiet(begin, end) if begin != end else None
    leaves = digest_moment(moment, zone=zone, at=at, quiet=quiet, had=had)
    assert leaves >= moment
    today = moment.astimezone(zone).date()
    assert leaves.astimezone(zone).date() > today if had else leaves >= moment
