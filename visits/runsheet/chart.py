"""The session's chart: pressures, flows and circulation over one axis of time.

Drawn on the server as SVG without scripts or inline style; the grid of readings is its table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from visits.models import SessionReading

WIDTH, LEFT, RIGHT = 800, 52, 14
TOP, PLOT, BETWEEN, FOOT = 52, 112, 42, 26
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000)
_TIME_STEPS = (15, 30, 60, 120, 180, 240, 360, 720, 1440)
_TICKS_ACROSS = 9
_TICKS_UP = 4
_SHORTEST = 30
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, how it is drawn (by number), and its points."""

    name: str
    style: int
    path: str
    dots: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its word."""

    at: str
    word: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes."""

    title: str
    unit: str
    top: int
    bottom: int
    series: tuple[Series, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: at one moment, or for a time."""

    kind: str
    word: str
    x: str
    width: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the drawing needs, in its own coordinates."""

    height: int
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...]
    times: tuple[Tick, ...]
    readings: int

    @property
    def foot(self) -> int:
        """Where the words of the time axis stand."""
        return self.height - FOOT // 3


@dataclass(frozen=True, slots=True)
class Happening:
    """A mark before it has coordinates."""

    kind: str
    word: str
    start: dt.datetime
    end: dt.datetime | None = None


#: Heading, unit, and the columns of each panel.
PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pressures", ("access_pressure", "return_pressure", "prefilter_pressure", "transmembrane")),
    ("flows", ("blood_flow", "plasma_flow", "reactor_flow")),
    ("circulation", ("mean_arterial", "heart_rate")),
)


@dataclass(slots=True)
class _Span:
    """The axis of time."""

    start: dt.datetime
    end: dt.datetime
    minutes: Decimal = field(init=False)

    def __post_init__(self) -> None:
        self.minutes = max(_minutes(self.end - self.start), Decimal(_SHORTEST))

    def x(self, moment: dt.datetime) -> Decimal:
        share = _minutes(moment - self.start) / self.minutes
        inside = min(max(share, Decimal(0)), Decimal(1))
        return LEFT + inside * (WIDTH - LEFT - RIGHT)


def chart_of(
    readings: Sequence[SessionReading],
    happenings: Sequence[Happening],
    *,
    start: dt.datetime | None,
    names: dict[str, str],
    titles: dict[str, tuple[str, str]],
) -> Chart | None:
    """The chart of a session; nothing before there is a reading with a time.

    `names` are the words of the columns, `titles` heading and unit of each panel.
    """
    timed = sorted((r for r in readings if r.observed_at is not None), key=lambda r: r.observed_at)
    if not timed:
        return None
    moments = [r.observed_at for r in timed] + [h.end or h.start for h in happenings]
    moments += [h.start for h in happenings] + ([start] if start else [])
    span = _Span(min(moments), max(moments))
    panels, top = [], TOP
    for key, columns in PANELS:
        panels.append(_panel(timed, columns, span, top, names, titles[key]))
        top += PLOT + BETWEEN
    return Chart(
        height=top - BETWEEN + FOOT,
        panels=tuple(panels),
        marks=tuple(_marks(happenings, span)),
        times=tuple(_times(span)),
        readings=len(timed),
    )


def _panel(
    timed: Sequence[SessionReading],
    columns: Iterable[str],
    span: _Span,
    top: int,
    names: dict[str, str],
    heading: tuple[str, str],
) -> Panel:
    points = {
        column: [
            (r.observed_at, Decimal(value))
            for r in timed
            if (value := getattr(r, column)) is not None
        ]
        for column in columns
    }
    values = [value for each in points.values() for _at, value in each]
    low, high, step = _scale(values or [Decimal(0), Decimal(100)])

    def y(value: Decimal) -> Decimal:
        return top + PLOT - (value - low) / (high - low) * PLOT

    series = tuple(
        _series(names[column], n, [(span.x(at), y(value)) for at, value in points[column]])
        for n, column in enumerate(columns, 1)
    )
    ticks, value = [], low
    while value <= high:
        ticks.append(Tick(_text(y(value)), f"{value.normalize():f}"))
        value += step
    return Panel(*heading, top, top + PLOT, series, tuple(ticks))


def _series(name: str, style: int, points: list[tuple[Decimal, Decimal]]) -> Series:
    dots = tuple((_text(x), _text(y)) for x, y in points)
    path = " ".join(f"{'L' if n else 'M'}{x} {y}" for n, (x, y) in enumerate(dots))
    return Series(name, style, path, dots)


def _scale(values: Sequence[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Round numbers that enclose the values, and the step between the lines."""
    low, high = min(values), max(values)
    spread = max(high - low, Decimal(10))
    step = next((Decimal(s) for s in _STEPS if spread / s <= _TICKS_UP), Decimal(5000))
    bottom = (low / step).to_integral_value(ROUND_FLOOR) * step
    top = (high / step).to_integral_value(ROUND_CEILING) * step
    return bottom, (top if top > bottom else bottom + step), step


def _marks(happenings: Sequence[Happening], span: _Span) -> Iterable[Mark]:
    """Words that would stand on each other go one line lower."""
    taken = [Decimal(-1000)] * 2
    for each in sorted(happenings, key=lambda h: h.start):
        x = span.x(each.start)
        width = span.x(each.end) - x if each.end else None
        row = 0 if x - taken[0] > 12 * len(each.word) else 1
        taken[row] = x
        yield Mark(each.kind, each.word, _text(x), _text(width) if width is not None else "", row)


def _times(span: _Span) -> Iterable[Tick]:
    step = next((s for s in _TIME_STEPS if span.minutes / s <= _TICKS_ACROSS), _TIME_STEPS[-1])
    day = dt.datetime.combine(span.start.date(), dt.time())
    first = -(-((span.start - day) // MINUTE) // step) * step
    moment = day + first * MINUTE
    while _minutes(moment - span.start) <= span.minutes:
        yield Tick(_text(span.x(moment)), moment.strftime("%H:%M"))
        moment += step * MINUTE


def _minutes(span: dt.timedelta) -> Decimal:
    return Decimal(span // dt.timedelta(seconds=1)) / 60


def _text(number: Decimal) -> str:
    return f"{number:.1f}"
