"""By when a serious adverse event is reported to whom, as the protocol says it.

Two clocks. The investigator's begins when the site first knew of the event. The sponsor's
begins when the sponsor knew, which is when the site's report was received.

Hours are elapsed hours: 24 hours from 23:50 end at 23:50 of the next day, and where the
clock at the site is put forward or back in between, the wall shows another hour. Days are
calendar days at the site, holidays and weekends included (ICH E2A III.B counts "calendar
days after first knowledge"; clinical 0.9): the day of awareness is day 0, and the report
is in time until the end of day n.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from .text import Text
from .values import Name, Value

#: The last second of a calendar day: what is reported then is reported on that day.
_LAST = dt.time(23, 59, 59)
_HOURS_A_DAY = 24


class Recipient(StrEnum):
    """Whom a report is sent to."""

    SPONSOR = "sponsor"
    INSTITUTION = "institution"
    ETHICS = "ethics"
    AUTHORITY = "authority"


class Awareness(StrEnum):
    """Whose first knowledge starts the clock."""

    INVESTIGATOR = "investigator"
    SPONSOR = "sponsor"


class Reportable(StrEnum):
    """Of which serious events a rule speaks. Suspected: related to the device or the cells,
    or to the anticoagulant and unexpected."""

    EVERY = "every"
    SUSPECTED_GRAVE = "suspected_grave"
    SUSPECTED_OTHER = "suspected_other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportingRule:
    """One deadline: to whom, counted from whose awareness, in hours or in calendar days."""

    key: Name
    name: Text
    recipient: Annotated[Recipient, Value("Recipient", "接收方")]
    counted_from: Annotated[Awareness, Value("Counted from the awareness of", "起算自知悉方")]
    events: Annotated[Reportable, Value("For which events", "适用事件")]
    hours: Annotated[int | None, Value("Within hours", "时限（小时）")] = None
    days: Annotated[int | None, Value("Within calendar days", "时限（日历日）")] = None
    #: Further information after a first report, not the first report itself.
    follow_up: bool = False

    def due(self, since: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """The last moment that is in time, for an awareness at `since` (an aware moment)."""
        if self.hours is not None:
            return since.astimezone(dt.UTC) + dt.timedelta(hours=self.hours)
        return end_of_day(since, self.days or 0, zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyReporting:
    """The reporting of serious adverse events. `remind_after`: hours of the investigator's
    clock at which those who owe a report are reminded; from `escalate_after` on the study's
    safety officers and principal investigator hear of it too. `remind_before`: days before a
    deadline that is counted in days."""

    remind_after: Annotated[tuple[int, ...], Value("Reminded after hours", "提醒时点（小时）")]
    escalate_after: Annotated[int, Value("Escalated after hours", "升级时点（小时）")]
    remind_before: Annotated[tuple[int, ...], Value("Reminded days before", "提前提醒（天）")] = ()
    rules: tuple[ReportingRule, ...] = ()

    def of(self, counted_from: Awareness) -> tuple[ReportingRule, ...]:
        """The rules whose clock begins with this awareness."""
        return tuple(rule for rule in self.rules if rule.counted_from is counted_from)


def end_of_day(since: dt.datetime, days: int, zone: ZoneInfo) -> dt.datetime:
    """The last second of the calendar day `days` after the day of `since`, at the site."""
    day = since.astimezone(zone).date() + dt.timedelta(days=days)
    # Of an hour that comes twice the second passing is the end of the day.
    return dt.datetime.combine(day, _LAST, zone).replace(fold=1).astimezone(dt.UTC)


def reporting_findings(plan: SafetyReporting) -> Iterator[tuple[str, str]]:
    """What is wrong with a plan that could be read: path and what to do."""
    path = "safety_reporting"
    for name in ("remind_after", "remind_before"):
        moments = getattr(plan, name)
        if list(moments) != sorted(set(moments)) and name == "remind_after":
            yield f"{path}.{name}", "Give the hours in rising order, each once."
        if any(moment < 0 for moment in moments):
            yield f"{path}.{name}", "A reminder cannot lie before its clock; use 0 or more."
    if plan.remind_after and plan.escalate_after > max(plan.remind_after):
        yield (
            f"{path}.escalate_after",
            "Nobody would be told: it lies after the last reminder; use one of its hours.",
        )
    for rule in plan.rules:
        yield from _rule_findings(f"{path}.rules.{rule.key}", rule)


def _rule_findings(path: str, rule: ReportingRule) -> Iterator[tuple[str, str]]:
    if (rule.hours is None) == (rule.days is None):
        yield path, "A deadline is in hours or in days; give exactly one."
        return
    if (rule.hours or rule.days or 0) <= 0:
        yield path, "A deadline lies after the awareness; use 1 or more."
    if rule.hours is not None and rule.hours > 7 * _HOURS_A_DAY:
        yield f"{path}.hours", "More than a week is counted in days."
    if rule.recipient is Recipient.SPONSOR and rule.counted_from is Awareness.SPONSOR:
        yield path, "The sponsor's own clock is not for reports to the sponsor."
