"""The kinds of value a protocol file holds, and the marks its dataclasses carry.

A field annotated `Annotated[int, Value("Target day", "目标日")]` holds a fact about the
study and must say its source. A field without `Value` is a label, a code or structure.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from .text import Text


class Source(StrEnum):
    """Where a value comes from. CONFIRMED is never written in a file: it is what an
    assumption becomes under a signed configuration."""

    LISTING = "listing"
    REGISTRY = "registry"
    STANDARD = "standard"
    ASSUMPTION = "assumption"
    CONFIRMED = "confirmed"


#: What a protocol file may write.
WRITABLE_SOURCES = tuple(source for source in Source if source is not Source.CONFIRMED)


class Label:
    """Names a field for people."""

    def __init__(self, en: str, zh: str) -> None:
        self.text = Text(en=en, zh=zh)


class Value(Label):
    """Marks a field whose value is a fact with a source, and names it for people."""


class Key:
    """Marks the field that takes its value from the mapping key of its section."""

    def __init__(self, pattern: str, description: str) -> None:
        self.pattern = pattern
        self.description = description


#: A key of no fixed vocabulary: letters, digits, underscore.
Name = Annotated[str, Key(r"[A-Za-z][A-Za-z0-9_]{0,39}", "letters, digits and underscores")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayInterval:
    """A closed interval of calendar days counted from day zero; both ends are inside."""

    first: int
    last: int

    def __contains__(self, day: int) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"[{self.first}, {self.last}]"

    def shares_a_day_with(self, other: "DayInterval") -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A closed interval of numbers in the unit of its owner; None is an open end."""

    low: Decimal | None
    high: Decimal | None

    def __contains__(self, value: Decimal) -> bool:
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def encloses(self, other: "Interval") -> bool:
        low_inside = self.low is None or (other.low is not None and self.low <= other.low)
        high_inside = self.high is None or (other.high is not None and other.high <= self.high)
        return low_inside and high_inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One end of a range in a criterion, in the criterion's own UCUM unit."""

    value: Annotated[Decimal, Value("Threshold", "阈值")]
    unit: str
    inclusive: Annotated[bool, Value("The threshold itself counts", "包含临界值")]

    def admits_from_below(self, value: Decimal) -> bool:
        """Whether `value`, in this unit, is within an upper bound."""
        return value < self.value or (self.inclusive and value == self.value)

    def admits_from_above(self, value: Decimal) -> bool:
        """Whether `value`, in this unit, is within a lower bound."""
        return value > self.value or (self.inclusive and value == self.value)


def canonical(value: object) -> str:
    """One text per value, whatever way it was written: 2.50 and 2.5 are the same."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value.normalize() if value else Decimal(0), "f")
        case Interval(low=low, high=high):
            return canonical((low, high))
        case tuple():
            return f"[{', '.join(canonical(member) for member in value)}]"
        case dt.time():
            return value.isoformat(timespec="minutes")
        case _:
            return str(value)
