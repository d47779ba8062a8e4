"""Scales with round ticks, and texts of coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

_MANTISSAS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_TICKS = 4
#: From this many times the smallest value on, a linear axis would flatten the small ones.
_WIDE = 20


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its word."""

    at: str
    word: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the plot lies in the drawing."""

    left: int
    right: int
    top: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def middle(self) -> int:
        return (self.left + self.right) // 2


@dataclass(frozen=True, slots=True)
class Across:
    """The axis of days; of their square roots where the first days need room."""

    frame: Frame
    first: Decimal
    last: Decimal
    roots: bool = False

    @classmethod
    def over(
        cls, frame: Frame, days: Iterable[Decimal | int], until: int, *, roots: bool = False
    ) -> Across:
        """An axis that holds these days, day zero and at least `until`."""
        found = [Decimal(0), Decimal(until), *map(Decimal, days)]
        return cls(frame, min(found), max(found), roots)

    def at(self, day: Decimal | int) -> Decimal:
        first, last, here = (self._place(each) for each in (self.first, self.last, Decimal(day)))
        span = last - first or Decimal(1)
        return self.frame.left + (here - first) / span * self.frame.width

    def _place(self, day: Decimal) -> Decimal:
        return abs(day).sqrt().copy_sign(day) if self.roots else day

    def ticks(self, days: Iterable[int]) -> list[Tick]:
        """The days that the axis holds and that leave one another room."""
        found: list[Tick] = []
        before = Decimal(-1000)
        for day in sorted(set(days)):
            place = self.at(day)
            if self.first <= day <= self.last and place - before >= 22:
                found.append(Tick(text(place), str(day)))
                before = place
        return found


@dataclass(frozen=True, slots=True)
class Up:
    """The axis of values, linear or logarithmic."""

    frame: Frame
    low: Decimal
    high: Decimal
    marks: tuple[Decimal, ...]
    logarithmic: bool = False

    def at(self, value: Decimal) -> Decimal:
        low, high, here = self.low, self.high, value
        if self.logarithmic:
            low, high, here = low.log10(), high.log10(), max(value, low).log10()
        return self.frame.bottom - (here - low) / (high - low) * self.frame.height

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(text(self.at(mark)), plain(mark)) for mark in self.marks]


def up(
    frame: Frame,
    values: Sequence[Decimal],
    *,
    may_be_logarithmic: bool = False,
    whole: bool = False,
) -> Up:
    """An axis of round numbers that holds the values; logarithmic where they spread widely.
    Of `whole` values, such as grades, it has no fractions."""
    if may_be_logarithmic and values and min(values) > 0 and max(values) >= _WIDE * min(values):
        return _logarithmic(frame, min(values), max(values))
    least = Decimal(1) if whole else Decimal(0)
    return _linear(frame, values or (Decimal(0), Decimal(1)), least)


def _linear(frame: Frame, values: Sequence[Decimal], least: Decimal) -> Up:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - max(abs(low) / 10, Decimal("0.5")), high + max(abs(high) / 10, Decimal(1))
    step = max(_step((high - low) / _TICKS), least)
    bottom = (low / step).to_integral_value(ROUND_FLOOR) * step
    top = (high / step).to_integral_value(ROUND_CEILING) * step
    marks = tuple(bottom + step * n for n in range(int((top - bottom) / step) + 1))
    return Up(frame, bottom, top, marks)


def _step(least: Decimal) -> Decimal:
    """The smallest round number that is no less."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * each for each in _MANTISSAS if power * each >= least)


def _logarithmic(frame: Frame, low: Decimal, high: Decimal) -> Up:
    bottom, top = Decimal(1).scaleb(low.adjusted()), Decimal(1).scaleb(high.adjusted())
    if top < high:
        top *= 10
    decades = top.adjusted() - bottom.adjusted()
    within = (1,) if decades > 2 else (1, 2, 5)
    marks = tuple(
        bottom.scaleb(power) * each
        for power in range(decades + 1)
        for each in within
        if bottom.scaleb(power) * each <= top
    )
    return Up(frame, bottom, top, marks, logarithmic=True)


def plain(number: Decimal) -> str:
    """A number without an exponent and without zeros that say nothing."""
    return f"{number.normalize():f}"


def rounded(number: Decimal, places: int) -> str:
    """A number as it is shown: half up, with these decimals."""
    shown = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{shown + 0:f}"


def text(number: Decimal | int) -> str:
    """A coordinate."""
    return f"{Decimal(number):.1f}"


def path(points: Iterable[tuple[Decimal, Decimal]]) -> str:
    """A line through points."""
    return " ".join(_moves(points))


def _moves(points: Iterable[tuple[Decimal, Decimal]]) -> Iterator[str]:
    for place, (x, y) in enumerate(points):
        yield f"{'L' if place else 'M'}{text(x)} {text(y)}"
