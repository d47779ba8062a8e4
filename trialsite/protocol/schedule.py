"""The visit schedule as calendar arithmetic: dates in, dates out, no clock and no zone."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import DayInterval, Key, Value

EventOid = Annotated[str, Key(r"SE\.[A-Z0-9]{1,12}", "SE. and capital letters or digits")]


class EventKind(StrEnum):
    """ODM StudyEventDef Type."""

    SCHEDULED = "scheduled"
    UNSCHEDULED = "unscheduled"
    COMMON = "common"


class EventRole(StrEnum):
    """What the event is for, so that nothing outside the protocol file knows an OID."""

    SCREENING = "screening"
    DAY_ZERO = "day_zero"
    TREATMENT = "treatment"
    FOLLOW_UP = "follow_up"
    EARLY_TERMINATION = "early_termination"
    SURVIVAL_CONTACT = "survival_contact"
    EXTRA = "extra"


class Epoch(StrEnum):
    """CDISC EPOCH (C99079), as far as studies here use it."""

    SCREENING = "SCREENING"
    TREATMENT = "TREATMENT"
    FOLLOW_UP = "FOLLOW-UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVisit:
    """One visit of one subject as the protocol plans it; both window dates are inside."""

    event_oid: str
    repeat_key: int
    target_on: dt.date
    window_first: dt.date
    window_last: dt.date

    def accepts(self, on: dt.date) -> bool:
        return self.window_first <= on <= self.window_last


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEventDef:
    """A protocol visit (ODM StudyEventDef) with what is expected at it.

    `target_day` and `window` count from day zero; an event without them is not laid out in
    advance. `days_allowed` counts from the event's own cause (withdrawal, a missed visit).
    `samples` name specimens of the sample plan, `lab_panels` panels of the lab section.
    """

    oid: EventOid
    name: Text
    kind: EventKind
    role: EventRole
    epoch: Epoch | None = None
    visitnum: int | None = None
    repeat_limit: int = 1
    target_day: Annotated[int | None, Value("Target day", "目标日")] = None
    window: Annotated[DayInterval | None, Value("Window, days", "访视窗（天）")] = None
    days_allowed: Annotated[int | None, Value("Days allowed", "允许天数")] = None
    forms: Annotated[tuple[str, ...], Value("Forms expected", "应填表单")] = ()
    optional_forms: Annotated[tuple[str, ...], Value("Forms possible", "可选表单")] = ()
    lab_panels: Annotated[tuple[str, ...], Value("Lab panels expected", "应查化验组合")] = ()
    optional_lab_panels: Annotated[
        tuple[str, ...], Value("Lab panels possible", "可选化验组合")
    ] = ()
    samples: Annotated[tuple[str, ...], Value("Samples expected", "应采样本")] = ()
    optional_samples: Annotated[tuple[str, ...], Value("Samples possible", "可选样本")] = ()

    @property
    def repeating(self) -> bool:
        """ODM Repeating."""
        return self.repeat_limit > 1

    @property
    def visitnums(self) -> range:
        """The VISITNUM values kept for its occurrences; empty where it has none of its own
        (SDTM numbers an unscheduled visit after the visit before it)."""
        first = self.visitnum
        return range(0) if first is None else range(first, first + self.repeat_limit)

    def visitnum_of(self, repeat_key: int) -> int | None:
        """VISITNUM of the occurrence `repeat_key` (from 1); None where it has none of its own.
        Beyond the repeat limit: ValueError."""
        if not 1 <= repeat_key <= self.repeat_limit:
            message = f"{self.oid} occurs 1 to {self.repeat_limit} times, not {repeat_key}."
            raise ValueError(message)
        return None if self.visitnum is None else self.visitnums[repeat_key - 1]

    def planned_from(self, day_zero: dt.date) -> PlannedVisit | None:
        """The visit counted from this day zero; None where the event has no target day."""
        if self.target_day is None or self.window is None:
            return None
        return PlannedVisit(
            event_oid=self.oid,
            repeat_key=1,
            target_on=day_zero + dt.timedelta(days=self.target_day),
            window_first=day_zero + dt.timedelta(days=self.window.first),
            window_last=day_zero + dt.timedelta(days=self.window.last),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The events of the study in the order of the protocol file."""

    events: tuple[StudyEventDef, ...]

    def event(self, oid: str) -> StudyEventDef:
        """The event with this OID; unknown: LookupError."""
        for event in self.events:
            if event.oid == oid:
                return event
        message = f"The protocol has no event {oid}."
        raise LookupError(message)

    def with_role(self, role: EventRole) -> tuple[StudyEventDef, ...]:
        return tuple(event for event in self.events if event.role is role)

    def expand(self, day_zero: dt.date) -> tuple[PlannedVisit, ...]:
        """Every event with a target day, in protocol order, dated from this day zero.

        Treatment sessions, unscheduled visits and contacts have no target day: they are
        made when they happen.
        """
        planned = (event.planned_from(day_zero) for event in self.events)
        return tuple(visit for visit in planned if visit is not None)
