"""The demonstration's clock: its past is entered on the days it happened (decisions D15)."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.db import connections

from trialsite.core.clock import trial_now

_MARGIN = dt.timedelta(minutes=2)


#: How far the clock stands from now, by each of those who turned it, the last one last.
_shifts: list[dt.timedelta] = []


@contextmanager
def clock_shifted(shift: dt.timedelta) -> Iterator[None]:
    """Let the trial's clock stand this far from where it stands; only the owner can."""
    _shifts.append((_shifts[-1] if _shifts else dt.timedelta()) + shift)
    _set(_shifts[-1])
    try:
        yield
    finally:
        _shifts.pop()
        _set(_shifts[-1] if _shifts else None)


def _set(shift: dt.timedelta | None) -> None:
    with connections["owner"].cursor() as cursor:
        if shift is None:
            cursor.execute("DELETE FROM trial_clock")
            return
        cursor.execute(
            "INSERT INTO trial_clock (shift) VALUES (make_interval(secs => %s)) "
            "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
            [shift.total_seconds()],
        )


@contextmanager
def clock_led() -> Iterator[Callable[[dt.datetime], None]]:
    """Let the trial's clock be put to one moment after the other, and run on from each."""
    began, since = trial_now(), time.monotonic()

    def put(moment: dt.datetime) -> None:
        _set(moment - began - dt.timedelta(seconds=time.monotonic() - since))

    try:
        yield put
    finally:
        _set(_shifts[-1] if _shifts else None)


@contextmanager
def on_day(day: int, zone: str, *, hour: int = 15) -> Iterator[None]:
    """Let it be this hour at a site, so many days from today; today, never later than it is."""
    now = trial_now()
    local = now.astimezone(ZoneInfo(zone))
    wanted = local.replace(hour=hour, minute=0, second=0, microsecond=0) + dt.timedelta(days=day)
    with clock_shifted(min(wanted - now, dt.timedelta())):
        yield


def earlier_today(zone: str, *, hour: int, minute: int = 0) -> dt.datetime:
    """The wall time at a site this morning; just now where that hour has not come yet."""
    now = trial_now().astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return min(wanted, (now - _MARGIN).replace(second=0, microsecond=0))


def just_now(zone: str) -> dt.datetime:
    """The wall time at a site a moment ago."""
    now = trial_now().astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (now - _MARGIN).replace(second=0, microsecond=0)
