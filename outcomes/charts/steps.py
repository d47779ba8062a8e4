"""Step curves of probabilities over the days of the study: band, censorings, numbers at risk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from outcomes.charts.axes import Across, Frame, Tick, text

WIDTH, HEIGHT = 520, 286
FRAME = Frame(left=56, right=506, top=14, bottom=214)
_LEVELS = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stair:
    """The estimate from a day on; `says` and `href` of the subjects who had the event then."""

    day: int
    value: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    says: str = ""
    href: str = ""
    #: How many had the event then, for who may know that and not who they are.
    events: int = 0
    censored: int = 0
    censored_says: str = ""
    censored_href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A mark that opens to its subjects."""

    x: str
    y: str
    says: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRisk:
    """How many are under observation just before a day, under its tick."""

    x: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigure:
    """Everything that one drawing needs."""

    curve: str
    band: str
    events: tuple[Place, ...]
    censored: tuple[Place, ...]
    ups: list[Tick]
    days: list[Tick]
    at_risk: tuple[AtRisk, ...]
    width: int = WIDTH
    height: int = HEIGHT
    frame: Frame = FRAME

    @property
    def foot(self) -> int:
        return self.frame.bottom + 18

    @property
    def risk(self) -> int:
        """Where the numbers at risk stand, under their words."""
        return self.frame.bottom + 62


def step_figure(
    stairs: Sequence[Stair],
    *,
    begin: Decimal,
    ticks: Iterable[int],
    at_risk: Callable[[int], int],
) -> StepFigure:
    """The curve from day zero, where it is `begin`, to the last day that anybody was seen."""
    days = sorted({0, *ticks})
    across = Across.over(FRAME, [stair.day for stair in stairs], days[-1])
    return StepFigure(
        curve=_curve(stairs, begin, across),
        band=_band(stairs, across),
        events=tuple(
            Place(x=text(across.at(s.day)), y=text(_y(s.value)), says=s.says, href=s.href)
            for s in stairs
            if s.href or s.events
        ),
        censored=tuple(
            Place(
                x=text(across.at(s.day)),
                y=text(_y(s.value)),
                says=s.censored_says,
                href=s.censored_href,
            )
            for s in stairs
            if s.censored
        ),
        ups=[Tick(text(_y(Decimal(level) / 100)), str(level)) for level in _LEVELS],
        days=across.ticks(days),
        at_risk=tuple(AtRisk(x=text(across.at(day)), count=at_risk(day)) for day in days),
    )


def _y(share: Decimal) -> Decimal:
    return FRAME.bottom - share * FRAME.height


def _curve(stairs: Sequence[Stair], begin: Decimal, across: Across) -> str:
    parts = [f"M{text(across.at(0))} {text(_y(begin))}"]
    parts += [f"H{text(across.at(stair.day))}V{text(_y(stair.value))}" for stair in stairs]
    return "".join(parts) if stairs else ""


def _band(stairs: Sequence[Stair], across: Across) -> str:
    """The interval of each stretch between two days, where there is one."""
    parts = []
    for stair, after in pairwise(stairs):
        if stair.low is not None and stair.high is not None:
            left, right = text(across.at(stair.day)), text(across.at(after.day))
            low, high = text(_y(stair.low)), text(_y(stair.high))
            parts.append(f"M{left} {high}H{right}V{low}H{left}z")
    return "".join(parts)
