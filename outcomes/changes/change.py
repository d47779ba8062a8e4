"""Change from baseline at a visit: each person in exactly one box, and what the boxes say.

A change is counted while the person lives with their own liver: a value measured on the day
of a transplantation or later is another liver's.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from outcomes.changes.readings import Person, Purified, Reading, latest


class Box(StrEnum):
    """Where a person stands for one measure at one milestone; only the first has a change."""

    COUNTED = "counted"
    DEAD = "dead"
    TRANSPLANTED = "transplanted"
    LEFT = "left"
    NOT_YET_DUE = "not_yet_due"
    MISSING = "missing"
    LIMIT = "limit"
    SET_ASIDE = "set_aside"
    NO_BASELINE = "no_baseline"
    NOT_TREATED = "not_treated"


#: In the order in which they are shown.
GAPS = tuple(box for box in Box if box is not Box.COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One person at one milestone: the box, and the value where there is one."""

    box: Box
    reading: Reading | None = None
    change: Decimal | None = None


def cell_of(
    *,
    person: Person,
    baseline: Reading | None,
    readings: Sequence[Reading],
    event_oid: str,
    purified: Purified,
    on: date,
) -> Cell:
    """Where a person stands at a visit; `readings` are the measure's values at that visit."""
    if person.treated_at is None:
        return Cell(box=Box.NOT_TREATED)
    reading = latest([each for each in readings if purified.counts(each)])
    if reading is None:
        return Cell(box=_gap(person, event_oid, on, set_aside=bool(readings)))
    if person.transplanted_by(person.day_of(reading.at)):
        return Cell(box=Box.TRANSPLANTED, reading=reading)
    if reading.number is None:
        return Cell(box=Box.LIMIT, reading=reading)
    if baseline is None or baseline.number is None:
        return Cell(box=Box.NO_BASELINE, reading=reading)
    return Cell(box=Box.COUNTED, reading=reading, change=reading.number - baseline.number)


def _gap(person: Person, event_oid: str, on: date, *, set_aside: bool) -> Box:
    """Why there is no value: what the person cannot have any more before what is to come."""
    if set_aside:
        return Box.SET_ASIDE
    window = person.windows.get(event_oid)
    until = window.last if window else on
    if person.dead_by(until):
        return Box.DEAD
    if person.transplanted_by(until):
        return Box.TRANSPLANTED
    if person.gone_by(until):
        return Box.LEFT
    return Box.NOT_YET_DUE if window is None or window.last >= on else Box.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and range of some numbers; there are none of no numbers."""

    median: Decimal
    low: Decimal
    high: Decimal

    @classmethod
    def of(cls, numbers: Iterable[Decimal]) -> Spread | None:
        found = sorted(numbers)
        if not found:
            return None
        return cls(median=statistics.median(found), low=found[0], high=found[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the people of one milestone say together; the boxes add up to all of them.

    Baseline, value and change are of the same people: those counted.
    """

    boxes: Counter[Box] = field(default_factory=Counter)
    baseline: Spread | None = None
    value: Spread | None = None
    change: Spread | None = None
    lower: int = 0
    same: int = 0
    higher: int = 0

    @property
    def counted(self) -> int:
        return self.boxes[Box.COUNTED]

    @property
    def total(self) -> int:
        return sum(self.boxes.values())


def summary_of(cells: Sequence[tuple[Reading | None, Cell]]) -> Summary:
    """The summary of cells, each with its person's baseline."""
    counted = [
        (baseline.number, cell.reading.number, cell.change)
        for baseline, cell in cells
        if cell.box is Box.COUNTED and baseline and cell.reading
    ]
    changes = [change for _base, _value, change in counted if change is not None]
    return Summary(
        boxes=Counter(cell.box for _baseline, cell in cells),
        baseline=Spread.of(base for base, _value, _change in counted if base is not None),
        value=Spread.of(value for _base, value, _change in counted if value is not None),
        change=Spread.of(changes),
        lower=sum(change < 0 for change in changes),
        same=sum(change == 0 for change in changes),
        higher=sum(change > 0 for change in changes),
    )
