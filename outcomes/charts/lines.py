"""Small multiples: one marker a figure, one line a subject, over the days of the study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from outcomes.charts.axes import Across, Frame, Tick, Up, path, text, up

WIDTH = 520
FRAME = Frame(left=56, right=508, top=12, bottom=176)
#: Beside a table of many lines.
TALL = Frame(left=56, right=508, top=12, bottom=276)
#: How many kinds of strokes and of marks there are; together they tell many lines apart.
STROKES, SHAPES = 4, 5
_REACH = Decimal("3.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a line in its own numbers; `limit`: only known to lie below or above."""

    day: Decimal
    value: Decimal
    says: str
    href: str = ""
    limit: str = ""
    ringed: bool = False
    crossed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """What is drawn of one subject: its number in the legend, and its values in order."""

    number: int
    name: str
    values: Sequence[Value]
    faint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A session, or another time that is marked on the axis."""

    begin: Decimal
    end: Decimal
    says: str
    kind: str = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A mark in coordinates; `outline` is its path."""

    outline: str
    says: str
    href: str
    hollow: bool
    ring: tuple[str, str] | None
    cross: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """A line in coordinates."""

    style: Style
    name: str
    path: str
    dots: tuple[Dot, ...]
    faint: bool


@dataclass(frozen=True, slots=True)
class Style:
    """How the lines of one subject look, everywhere: hue, stroke and mark."""

    number: int

    @property
    def hue(self) -> int:
        return self.number % 8

    @property
    def stroke(self) -> int:
        return self.number % STROKES

    @property
    def shape(self) -> int:
        return self.number % SHAPES

    @property
    def key(self) -> str:
        """The mark in the legend, whose box is 34 by 12."""
        return outline(self.shape, Decimal(17), Decimal(6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A marked time in coordinates."""

    x: str
    width: str
    says: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Everything that one small figure needs."""

    lines: tuple[DrawnLine, ...]
    bands: tuple[Band, ...]
    ups: list[Tick]
    days: list[Tick]
    logarithmic: bool
    #: Where a multiple of 1, or day zero, is; empty where the axis does not hold it.
    level: str
    zero: str
    values: int
    frame: Frame
    width: int = WIDTH

    @property
    def height(self) -> int:
        return self.foot + 24

    @property
    def foot(self) -> int:
        """Where the words of the days stand."""
        return self.frame.bottom + 24

    @property
    def strip(self) -> int:
        """Where the strip of sessions begins."""
        return self.frame.bottom + 2


def figure(
    strands: Sequence[Strand],
    *,
    ticks: Iterable[int],
    until: int,
    stretches: Iterable[Stretch] = (),
    level: Decimal | None = None,
    may_be_logarithmic: bool = True,
    roots: bool = False,
    whole: bool = False,
    frame: Frame = FRAME,
) -> Figure | None:
    """The figure; none where nothing has a place in it."""
    found = [value for strand in strands for value in strand.values]
    if not found:
        return None
    marked = list(stretches)
    across = Across.over(frame, [value.day for value in found], until, roots=roots)
    numbers = [value.value for value in found] + ([level] if level is not None else [])
    scale = up(frame, numbers, may_be_logarithmic=may_be_logarithmic, whole=whole)
    return Figure(
        lines=tuple(_line(strand, across, scale) for strand in strands if strand.values),
        bands=tuple(_bands(marked, across)),
        ups=scale.ticks,
        days=across.ticks([0, *ticks]),
        logarithmic=scale.logarithmic,
        level="" if level is None else text(scale.at(level)),
        zero=text(across.at(0)),
        values=len(found),
        frame=frame,
    )


def _line(strand: Strand, across: Across, scale: Up) -> DrawnLine:
    style = Style(strand.number)
    exact = [value for value in strand.values if not value.limit]
    return DrawnLine(
        style=style,
        name=strand.name,
        path=path((across.at(value.day), scale.at(value.value)) for value in exact),
        dots=tuple(_dot(value, style, across, scale) for value in strand.values),
        faint=strand.faint,
    )


def _dot(value: Value, style: Style, across: Across, scale: Up) -> Dot:
    x, y = across.at(value.day), scale.at(value.value)
    shown = arrow(x, y, up=value.limit.startswith(">")) if value.limit else ""
    return Dot(
        outline=shown or outline(style.shape, x, y),
        says=value.says,
        href=value.href,
        hollow=bool(value.limit),
        ring=(text(x), text(y)) if value.ringed else None,
        cross=_cross(x, y) if value.crossed else "",
    )


def _bands(stretches: Iterable[Stretch], across: Across) -> Iterable[Band]:
    for each in stretches:
        if across.first <= each.begin <= across.last:
            begin, end = across.at(each.begin), across.at(min(each.end, across.last))
            width = max(end - begin, Decimal(2))
            yield Band(x=text(begin), width=text(width), says=each.says, kind=each.kind)


def outline(shape: int, x: Decimal, y: Decimal) -> str:
    """A mark around a place: disc, square, lozenge, triangle, bar."""
    r = _REACH
    if shape == 0:
        return f"M{text(x - r)} {text(y)}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 -{2 * r} 0z"
    shapes: dict[int, tuple[tuple[Decimal | int, Decimal | int], ...]] = {
        1: ((-r, -r), (r, -r), (r, r), (-r, r)),
        2: ((0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)),
        3: ((0, -r - 1), (r + 1, r), (-r - 1, r)),
        4: ((-r - 1, -2), (r + 1, -2), (r + 1, 2), (-r - 1, 2)),
    }
    return path((x + dx, y + dy) for dx, dy in shapes[shape]) + "z"


def arrow(x: Decimal, y: Decimal, *, up: bool) -> str:
    """A limit: the value lies further where it points."""
    tip, base = (-5, 3) if up else (5, -3)
    return path(((x, y + tip), (x + 5, y + base), (x - 5, y + base))) + "z"


def _cross(x: Decimal, y: Decimal) -> str:
    """A stroke through a value that does not compare with the one before it."""
    return f"M{text(x - 6)} {text(y + 6)}L{text(x + 6)} {text(y - 6)}"
