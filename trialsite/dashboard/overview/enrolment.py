"""Enrolment against the target: the curve, by month and by site."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count
from django.utils.translation import gettext as _

from outcomes.charts.axes import Frame, Tick, Up, text
from trialsite.dashboard.overview.scope import Number, Tally
from trialsite.dashboard.overview.sources import enrolments
from trialsite.protocol import Protocol

WIDTH, HEIGHT = 620, 264
FRAME = Frame(left=38, right=560, top=16, bottom=222)
#: Kinds of strokes that tell sites apart, each with its own hue.
STROKES, HUES = 4, 8
#: The names of lines that end close to one another are moved apart by so much.
_APART = Decimal(14)
_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: of a site, or of all of them."""

    name: str
    path: str
    end_y: str
    name_y: str
    hue: int
    stroke: int
    total: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The curve as it is drawn."""

    lines: list[Line]
    target_y: str
    pace: str
    ups: list[Tick]
    days: list[Tick]
    end_x: str
    frame: Frame = FRAME
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """One site, or all of them: how many, since when, how many lately."""

    name: str
    number: Number
    first: dt.date | None
    last: dt.date | None
    hue: int
    stroke: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthLine:
    """A month's enrolments: of all, and of each site where there are several."""

    month: str
    all: Number
    sites: list[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The section of the page."""

    number: Number
    target: int | None
    until: dt.date | None
    chart: Chart | None
    sites: list[SiteLine]
    months: list[MonthLine]
    spoken: str

    @property
    def percent(self) -> int | None:
        """Of the study's target so many have been enrolled at these sites, in percent."""
        return 100 * self.number.count // self.target if self.target else None


#: Site -> day -> enrolments.
Days = Mapping[str, Mapping[dt.date, int]]


def enrolled_of(tally: Tally, protocol: Protocol | None) -> Enrolled:
    """The enrolments of the scope; one query."""
    days: dict[str, dict[dt.date, int]] = defaultdict(dict)
    rows = enrolments(tally.scope.keys).order_by().values_list("site__code", "enrolled_on")
    for code, day, count in rows.annotate(n=Count("pk")):
        days[code][day] = count
    total = {code: sum(counts.values()) for code, counts in days.items()}
    study = protocol.study if protocol else None
    number = tally.number("enrolled", sum(total.values()))
    return Enrolled(
        number=number,
        target=study.target_enrolment if study else None,
        until=study.completes_on if study else None,
        chart=_chart(tally, days, protocol) if number.count else None,
        sites=_sites(tally, days, total),
        months=_months(tally, days),
        spoken=_spoken(total, study.target_enrolment if study else None),
    )


def _spoken(total: Mapping[str, int], target: int | None) -> str:
    parts = [_("%(site)s: %(n)s") % {"site": code, "n": n} for code, n in sorted(total.items())]
    if target is not None:
        parts.insert(0, _("%(n)s of %(target)s") % {"n": sum(total.values()), "target": target})
    return "; ".join(parts)


def _sites(tally: Tally, days: Days, total: Mapping[str, int]) -> list[SiteLine]:
    if len(tally.scope.sites) < 2:
        return []
    return [
        SiteLine(
            name=str(site),
            number=tally.number("enrolled", total.get(site.code, 0), site=site.code),
            first=min(days.get(site.code, ()), default=None),
            last=max(days.get(site.code, ()), default=None),
            hue=place % HUES,
            stroke=place % STROKES,
        )
        for place, site in enumerate(tally.scope.sites)
    ]


def _months(tally: Tally, days: Days) -> list[MonthLine]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for code, of_site in days.items():
        for day, count in of_site.items():
            counts[f"{day:%Y-%m}"][code] += count
    return [
        MonthLine(
            month=month,
            all=tally.number("enrolled", of.total(), part=month, label=month),
            sites=tally.by_site("enrolled", of, part=month, label=month),
        )
        for month, of in sorted(counts.items(), reverse=True)
    ]


# The curve


def _chart(tally: Tally, days: Days, protocol: Protocol | None) -> Chart:
    together: Counter[dt.date] = Counter()
    for of_site in days.values():
        together.update(of_site)
    target = protocol.study.target_enrolment if protocol else 0
    first, last = _span(together, tally.scope.now.date())
    scale = _scale(max(target, together.total()))
    lines = [(code, days[code]) for code in tally.scope.codes if code in days]
    named = lines if len(tally.scope.sites) > 1 else []
    drawn = [_line(code, of, first, last, scale) for code, of in named]
    drawn.append(_line(_("All"), together, first, last, scale))
    places = {code: place for place, code in enumerate(tally.scope.codes)}
    names = _moved_apart([each[2] for each in drawn])
    return Chart(
        lines=[
            Line(
                name=name,
                path=way,
                end_y=text(end),
                name_y=text(names[number]),
                hue=places.get(name, 0) % HUES,
                stroke=places.get(name, 0) % STROKES,
                total=number == len(drawn) - 1,
            )
            for number, (name, way, end) in enumerate(drawn)
        ],
        target_y=text(scale.at(Decimal(target))) if target else "",
        pace=_pace(protocol, first, last, scale),
        ups=scale.ticks,
        days=_ticks(first, last),
        end_x=text(FRAME.right),
    )


def _scale(most: int) -> Up:
    """An axis of persons: whole ones, in at most five steps."""
    step, mantissas = 1, itertools.cycle((Decimal(2), Decimal("2.5"), Decimal(2)))
    while step * 5 < most:
        step = int(step * next(mantissas))
    marks = tuple(Decimal(step * n) for n in range(-(-most // step) + 1))
    return Up(FRAME, Decimal(0), marks[-1], marks)


def _span(together: Mapping[dt.date, int], today: dt.date) -> tuple[dt.date, dt.date]:
    """From the first of the month of the first enrolment to today, a fortnight at least."""
    first = min(together).replace(day=1)
    return first, max(today, max(together), first + dt.timedelta(days=14))


def _across(day: dt.date, first: dt.date, last: dt.date) -> Decimal:
    return FRAME.left + Decimal((day - first).days) / (last - first).days * FRAME.width


def _line(
    name: str, counts: Mapping[dt.date, int], first: dt.date, last: dt.date, scale: Up
) -> tuple[str, str, Decimal]:
    """A stair of enrolments; what would be drawn at one place is drawn once."""
    parts, count, before = [f"M{text(FRAME.left)} {text(scale.at(Decimal(0)))}"], 0, ""
    for day, more in sorted(counts.items()):
        count += more
        x = text(_across(day, first, last))
        step = f"V{text(scale.at(Decimal(count)))}"
        if x == before:
            parts[-1] = step
        else:
            parts += [f"H{x}", step]
        before = x
    return name, "".join([*parts, f"H{FRAME.right}"]), scale.at(Decimal(count))


def _moved_apart(ends: list[Decimal]) -> list[Decimal]:
    """The places of the names at the ends of lines, none upon another."""
    order = sorted(range(len(ends)), key=lambda number: -ends[number])
    found, lowest = dict.fromkeys(order, Decimal(0)), Decimal(FRAME.bottom) + _APART
    for number in order:
        found[number] = min(ends[number], lowest - _APART)
        lowest = found[number]
    return [found[number] for number in range(len(ends))]


def _pace(protocol: Protocol | None, first: dt.date, last: dt.date, scale: Up) -> str:
    """Evenly from the study's start to its end: where that line runs through the chart."""
    study = protocol.study if protocol else None
    if study is None or study.starts_on is None or study.completes_on is None:
        return ""
    days = (study.completes_on - study.starts_on).days
    if days <= 0:
        return ""
    ends = [
        (day, Decimal(study.target_enrolment * (day - study.starts_on).days) / days)
        for day in (max(first, study.starts_on), min(last, study.completes_on))
    ]
    if ends[0][0] >= ends[1][0]:
        return ""
    return "M" + "L".join(
        f"{text(_across(day, first, last))} {text(scale.at(planned))}" for day, planned in ends
    )


def _ticks(first: dt.date, last: dt.date) -> list[Tick]:
    """The first days of months; every n-th, so that their names have room."""
    months = list(_firsts(first, last))
    every = -(-len(months) // _TICKS)
    return [
        Tick(text(_across(day, first, last)), f"{day:%Y-%m}")
        for number, day in enumerate(months)
        if number % every == 0
    ]


def _firsts(first: dt.date, last: dt.date) -> Iterable[dt.date]:
    day = first.replace(day=1)
    while day <= last:
        if day >= first:
            yield day
        day = (day + dt.timedelta(days=32)).replace(day=1)
