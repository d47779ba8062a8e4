"""When a person is told: quiet hours and the digest's hour, on the clock on their wall.

Pure: zones change their clocks, so every comparison is made between moments in UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of each day in which nobody is told; over midnight where they end earlier."""

    begin: dt.time
    end: dt.time

    def covers(self, clock: dt.time) -> bool:
        """Whether it is quiet at this clock time."""
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end


def wall(day: dt.date, clock: dt.time, zone: ZoneInfo, *, not_before: dt.datetime) -> dt.datetime:
    """The moment when the clock shows this; of an hour that comes twice, the one still to come."""
    there = dt.datetime.combine(day, clock, zone)
    first = there.astimezone(dt.UTC)
    return first if first >= not_before else there.replace(fold=1).astimezone(dt.UTC)


def after_quiet(moment: dt.datetime, quiet: Quiet | None, zone: ZoneInfo) -> dt.datetime:
    """The moment itself, or the end of the quiet hours into which it falls."""
    there = moment.astimezone(zone)
    clock = there.time()
    if quiet is None or not quiet.covers(clock):
        return moment
    over_night = quiet.begin > quiet.end and clock >= quiet.begin
    day = there.date() + dt.timedelta(days=over_night)
    return wall(day, quiet.end, zone, not_before=moment)


def digest_moment(
    now: dt.datetime, *, zone: ZoneInfo, at: dt.time, quiet: Quiet | None, had: bool
) -> dt.datetime:
    """When the next digest may leave, given whether this day has had one."""
    day = now.astimezone(zone).date() + dt.timedelta(days=had)
    begins = dt.datetime.combine(day, at, zone).astimezone(dt.UTC)
    return after_quiet(max(begins, now), quiet, zone)
