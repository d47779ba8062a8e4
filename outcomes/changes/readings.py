"""Values of one person over time, and which of them is the baseline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from outcomes.endpoints.course import Span
from trialsite.protocol.labs import LabRules, PostPurificationUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value as it was recorded.

    `number` is exact; a value of which only a limit is known ("<0.2") has `limit` instead, and
    no arithmetic ever takes it for a number. `hours` since the last blood purification.
    """

    at: dt.datetime
    text: str
    number: Decimal | None = None
    limit: Decimal | None = None
    unit: str = ""
    comparator: str = ""
    event_oid: str = ""
    record_id: UUID | None = None
    hours: Decimal | None = None
    routine_care: bool = False
    laboratory: str = ""

    @property
    def is_limit(self) -> bool:
        return self.number is None and self.limit is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purified:
    """What becomes of values drawn within so many hours after a purification (decisions C9)."""

    lag: Decimal
    use: PostPurificationUse

    @classmethod
    def of(cls, rules: LabRules | None) -> Purified:
        """The protocol's setting for trends; without one nothing is marked."""
        if rules is None:
            return cls(lag=Decimal(0), use=PostPurificationUse.USED)
        return cls(lag=rules.purification_lag_hours, use=rules.flagged_in_trends)

    def soon_after(self, reading: Reading) -> bool:
        """Whether the value was drawn so soon after a purification that it is flagged."""
        return (
            self.use is not PostPurificationUse.USED
            and reading.hours is not None
            and reading.hours <= self.lag
        )

    def counts(self, reading: Reading) -> bool:
        """Whether the value may be baseline or milestone."""
        return self.use is not PostPurificationUse.EXCLUDED or not self.soon_after(reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The first and last day of a visit's window, both inside."""

    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What of a person's course decides which values count, known by the day of the data cut.

    `treated_at` is the start of the first treatment, `left_on` the day on which the person
    left the study or took back the use of the data; `windows` those of the visits by event.
    """

    zone: ZoneInfo
    treated_at: dt.datetime | None = None
    died_on: Span | None = None
    transplanted_on: Span | None = None
    left_on: dt.date | None = None
    windows: Mapping[str, Window] = field(default_factory=dict)

    def day_of(self, moment: dt.datetime) -> dt.date:
        """The calendar day of a moment where the person was treated."""
        return moment.astimezone(self.zone).date()

    def transplanted_by(self, day: dt.date) -> bool:
        """Whether the person may have had the transplantation by this day, the day included."""
        return self.transplanted_on is not None and self.transplanted_on.earliest <= day

    def dead_by(self, day: dt.date) -> bool:
        """Whether the person may have died by this day, the day included."""
        return self.died_on is not None and self.died_on.earliest <= day

    def gone_by(self, day: dt.date) -> bool:
        return self.left_on is not None and self.left_on <= day


def before_treatment(readings: Iterable[Reading], person: Person) -> list[Reading]:
    """The values before the first treatment began, the latest first; none of the untreated.

    A draw at the very minute of the start is before it, as for the grades of laboratory
    values (`labs.grades`): the blood was taken, and the circuit had done nothing yet.
    """
    if person.treated_at is None:
        return []
    found = [each for each in readings if each.at <= person.treated_at]
    return sorted(found, key=lambda each: each.at, reverse=True)


def baseline_of(readings: Iterable[Reading], person: Person, purified: Purified) -> Reading | None:
    """The last value recorded before the first treatment began.

    Where that is known only as a limit it is the baseline all the same, and nothing is
    computed from it: an older number is no better a baseline for being a number.
    """
    earlier = before_treatment(readings, person)
    return next((each for each in earlier if purified.counts(each)), None)


def latest(readings: Sequence[Reading]) -> Reading | None:
    return max(readings, key=lambda each: each.at, default=None)
