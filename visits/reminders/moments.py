"""When a visit is spoken of, to whom, and when it no longer is: dates in, moments out.

Plain Python without a clock. The planner says the same in one statement for every visit of
the study; a property test holds the two together (decisions C17):

- none is dated before the act that gave the visit its dates;
- of what is due at one moment only the most urgent is said;
- what comes within twelve hours of the reminder before it waits until they are over;
- what is late is not said where something later is due already, or within twelve hours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from zoneinfo import ZoneInfo

from trialsite.protocol.reminders import ReminderMoment, ReminderRule

#: Nobody hears twice of one visit within this time.
APART = dt.timedelta(hours=12)
#: A reminder that leaves later than this says what was true before.
LATE = dt.timedelta(hours=1)

#: Moments of a visit's dates, as they come.
OF_VISITS = (
    ReminderMoment.WINDOW_OPENS,
    ReminderMoment.TARGET_DAY,
    ReminderMoment.LAST_WINDOW_DAY,
)
_MORNING = dt.time(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The dates of one visit, each day inside the window."""

    first: dt.date | None
    target: dt.date | None
    last: dt.date | None

    def of(self, moment: ReminderMoment) -> dt.date | None:
        """The day a rule counts from; None where the visit has none."""
        days = (self.first, self.target, self.last)
        return dict(zip(OF_VISITS, days, strict=True)).get(moment)


@dataclass(frozen=True, slots=True)
class Step:
    """One rule at its moment. `due` is its moment by the rule; `at` when it is said."""

    at: dt.datetime
    due: dt.datetime
    rule: ReminderRule

    @property
    def order(self) -> tuple[dt.datetime, tuple[int, int, int]]:
        """As they come; of the same moment the most urgent last."""
        return self.due, urgency(self.rule)


def urgency(rule: ReminderRule) -> tuple[int, int, int]:
    """Of two reminders of one visit the later in its course is the more urgent."""
    return list(ReminderMoment).index(rule.moment), rule.days, rule.hours


def clock_of(rule: ReminderRule) -> dt.time:
    """The clock time at which a day's reminder is said."""
    return rule.at or _MORNING


def wall_clock(day: dt.date, clock: dt.time, zone: ZoneInfo) -> dt.datetime:
    """The moment at which clocks on the wall show this time on this day, in UTC.

    A time that the change to summer time leaves out is as far after midnight as ever; of
    two, in autumn, it is the second (PostgreSQL reads them so).
    """
    wall = dt.datetime.combine(day, clock)
    return max(wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))


def steps_of(
    rules: Iterable[ReminderRule], dates: Dates, *, zone: ZoneInfo, since: dt.datetime
) -> list[Step]:
    """What the rules say of a visit that has had these dates since then, in order."""
    steps = []
    for rule in rules:
        day = dates.of(rule.moment)
        if day is None:
            continue
        due = wall_clock(day + dt.timedelta(days=rule.days), clock_of(rule), zone)
        due += dt.timedelta(hours=rule.hours)
        if due > since:
            steps.append(Step(due, due, rule))
    return sorted(steps, key=lambda step: step.order)


def heard_by(steps: Iterable[Step], roles: Collection[str]) -> list[Step]:
    """What a holder of these roles hears of them: one thing at a time, twelve hours apart."""
    theirs = _one_at_a_time(step for step in steps if set(roles).intersection(step.rule.roles))
    heard: list[Step] = []
    for step, following in zip_longest(theirs, theirs[1:]):
        at = max(step.due, heard[-1].at + APART) if heard else step.due
        if following is None or not _gives_way(step.due, following.due, at):
            heard.append(replace(step, at=at))
    return heard


def _one_at_a_time(steps: Iterable[Step]) -> list[Step]:
    """Of the same moment only the most urgent, which comes last."""
    return list({step.due: step for step in steps}.values())


def _gives_way(due: dt.datetime, following: dt.datetime, now: dt.datetime) -> bool:
    """Whether the next of a person's reminders of a visit takes the place of this one."""
    return following <= now or (now > due + LATE and following < now + APART)


def said_now(steps: Iterable[Step], roles: Collection[str], now: dt.datetime) -> Step | None:
    """The one reminder of a visit that may leave now for a holder of these roles.

    Of several that are due it is the last; a late one gives way to one that follows soon.
    """
    theirs = _one_at_a_time(step for step in steps if set(roles).intersection(step.rule.roles))
    for step, following in reversed(list(zip_longest(theirs, theirs[1:]))):
        if step.due <= now:
            gone = following is not None and _gives_way(step.due, following.due, now)
            return None if gone else step
    return None
