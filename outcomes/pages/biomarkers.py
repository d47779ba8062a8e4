"""The pages of the markers' trends: small multiples of all subjects, and one subject's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from outcomes.changes.trend import Point, Trend
from outcomes.charts.axes import rounded
from outcomes.charts.lines import Figure, Strand, Stretch, Style, Value, figure
from outcomes.pages.changes import marks_of
from outcomes.selectors.biomarkers import Biomarkers, Marker
from outcomes.selectors.readings import Followed
from trialsite.core.units import unit_label
from trialsite.labs.pages import short

ABSOLUTE, RATIO = "absolute", "ratio"
SCALES: dict[str, Promise] = {
    ABSOLUTE: gettext_lazy("Absolute"),
    RATIO: gettext_lazy("× baseline"),
}
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """How one subject is drawn on the whole page, and the way to its own."""

    subject: Followed
    style: Style
    href: str
    #: Brings its lines forward on the page of all; once more: all alike again.
    focus_href: str
    focused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One subject's values of one marker in a line."""

    entry: LegendEntry
    baseline: str
    baseline_why: str
    last: str
    last_day: int | None
    last_ratio: str
    low: str
    high: str
    values: int
    limits: int
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """One value of one marker of one subject."""

    day: int | None
    at: str
    printed: str
    canonical: str
    ratio: str
    laboratory: str
    marks: tuple[str, ...]
    record: uuid.UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One marker: its figure, and beside it what the figure shows."""

    key: str
    title: str
    unit: str
    figure: Figure | None
    summaries: list[Summary]
    rows: list[ValueRow]
    #: Why nothing is drawn although there are values.
    empty: str
    warning: bool


def legend(found: Biomarkers, focus: str, ask: Callable[..., str]) -> list[LegendEntry]:
    """Every subject with its style, in the order of sites and numbers; `ask` makes the question
    that ends an address."""
    return [
        LegendEntry(
            subject=one,
            style=Style(n),
            href=reverse("outcomes:subject_biomarkers", args=[one.key]) + ask(),
            focus_href=reverse("outcomes:biomarkers") + ask(subject=one.course.number),
            focused=one.course.number == focus,
        )
        for n, one in enumerate(found.subjects)
    ]


def study_panels(found: Biomarkers, entries: list[LegendEntry], scale: str) -> list[Panel]:
    """Small multiples of every subject."""
    return [_study_panel(found, marker, entries, scale) for marker in found.markers]


def _study_panel(
    found: Biomarkers, marker: Marker, entries: list[LegendEntry], scale: str
) -> Panel:
    focus = any(entry.focused for entry in entries)
    strands = [
        _strand(
            entry.style.number, entry.subject, marker, scale,
            faint=focus and not entry.focused, href=entry.href,
        )
        for entry in entries
    ]  # fmt: skip
    shown = [entry.subject for entry in entries if entry.focused or not focus]
    summaries = [
        _summary(entry, marker.trends[entry.subject.key])
        for entry in entries
        if marker.trends[entry.subject.key].points
    ]
    drawn = _figure(strands, found, shown, scale)
    return Panel(
        key=marker.analyte.key,
        title=_name(marker),
        unit=unit_label(marker.analyte.unit),
        figure=drawn,
        summaries=summaries,
        rows=[],
        empty=_empty(marker, scale) if drawn is None else "",
        warning=any(each.warning for each in summaries),
    )


def subject_panels(found: Biomarkers, one: Followed, scale: str) -> list[Panel]:
    """Every marker of one subject, with every value."""
    panels = []
    for marker in found.markers:
        trend = marker.trends[one.key]
        drawn = _figure([_strand(0, one, marker, scale)], found, [one], scale)
        panels.append(
            Panel(
                key=marker.analyte.key,
                title=_name(marker),
                unit=unit_label(marker.analyte.unit),
                figure=drawn,
                summaries=[],
                rows=[_value_row(point, one, found) for point in trend.points],
                empty=_empty(marker, scale) if drawn is None else "",
                warning=trend.laboratories_differ,
            )
        )
    return panels


def _name(marker: Marker) -> str:
    return marker.analyte.name.in_language(get_language() or "en")


def _empty(marker: Marker, scale: str) -> str:
    if not marker.values:
        return _("No value is recorded.")
    if scale == RATIO:
        return _("No multiples: nobody has both a baseline that is a number and a day zero.")
    return _("Nothing is drawn: nobody with a value has a day zero.")


def _figure(
    strands: list[Strand], found: Biomarkers, shown: Iterable[Followed], scale: str
) -> Figure | None:
    stretches = [stretch for one in shown for stretch in _stretches(found, one)]
    level = _ONE if scale == RATIO else None
    ticks = found.days
    return figure(strands, ticks=ticks, until=14, stretches=stretches, level=level, roots=True)


def _stretches(found: Biomarkers, one: Followed) -> Iterable[Stretch]:
    for mark in found.sessions_of(one):
        said = _("%(subject)s, session %(number)s, day %(day)s") % {
            "subject": one.course.number,
            "number": mark.number,
            "day": int(mark.begin // 1),
        }
        yield Stretch(begin=mark.begin, end=mark.end, says=said)
    zero, transplanted = one.course.anchor_on, one.course.transplanted_on
    if zero is not None and transplanted is not None:
        day = Decimal((transplanted.earliest - zero).days)
        said = _("%(subject)s, transplantation, day %(day)s") % {
            "subject": one.course.number,
            "day": day,
        }
        yield Stretch(begin=day, end=day, says=said, kind="transplant")


def _strand(
    number: int, one: Followed, marker: Marker, scale: str, *, faint: bool = False, href: str = ""
) -> Strand:
    trend = marker.trends[one.key]
    values = [
        value
        for point in trend.points
        if (value := _value(point, one, marker, scale, href)) is not None
    ]
    return Strand(number=number, name=one.course.number, values=values, faint=faint)


def _value(point: Point, one: Followed, marker: Marker, scale: str, href: str) -> Value | None:
    reading = point.reading
    exact, limit = (
        (point.ratio, point.ratio_limit) if scale == RATIO else (reading.number, reading.limit)
    )
    place = exact if exact is not None else limit
    if point.x is None or place is None:
        return None
    return Value(
        day=point.x,
        value=place,
        says=_said(point, one, marker),
        href=href,
        limit=reading.comparator if exact is None else "",
        ringed=point.soon_after,
        crossed=point.other_laboratory,
    )


def _said(point: Point, one: Followed, marker: Marker) -> str:
    said = _("%(subject)s, day %(day)s: %(value)s") % {
        "subject": one.course.number,
        "day": point.day,
        "value": canonical_text(point, unit_label(marker.analyte.unit)),
    }
    return ", ".join([said, *([ratio_text(point)] if ratio_text(point) else []), *_marks(point)])


def canonical_text(point: Point, unit: str = "") -> str:
    """The value in the protocol's unit; a limit keeps its comparator."""
    reading = point.reading
    number = reading.number if reading.number is not None else reading.limit
    said = f"{reading.comparator if reading.is_limit else ''}{short(number)}"
    return f"{said} {unit}".strip()


def ratio_text(point: Point) -> str:
    """Times the baseline to two decimals; of a limit the limit of it."""
    if point.ratio is not None:
        return f"{rounded(point.ratio, 2)} ×"
    if point.ratio_limit is not None:
        return f"{point.reading.comparator}{rounded(point.ratio_limit, 2)} ×"
    return ""


def _marks(point: Point) -> list[str]:
    found = []
    if point.soon_after:
        found.append(_("%(hours)s h after purification") % {"hours": point.reading.hours})
    if point.other_laboratory:
        found.append(_("another laboratory than before"))
    return found


def _summary(entry: LegendEntry, trend: Trend) -> Summary:
    last = trend.points[-1]
    exact = [point.reading.number for point in trend.points if point.reading.number is not None]
    baseline = next((point for point in trend.points if point.is_baseline), None)
    return Summary(
        entry=entry,
        baseline=canonical_text(baseline) if baseline else "–",
        baseline_why=_why(trend),
        last=canonical_text(last),
        last_day=last.day,
        last_ratio=ratio_text(last) or "–",
        low=short(min(exact)) if exact else "–",
        high=short(max(exact)) if exact else "–",
        values=len(trend.points),
        limits=sum(point.reading.is_limit for point in trend.points),
        warning=trend.laboratories_differ,
    )


def _why(trend: Trend) -> str:
    """Why there are no multiples of the baseline."""
    if trend.has_ratio:
        return ""
    if trend.baseline is None:
        return _("No value before the first treatment.")
    if trend.baseline.is_limit:
        return _("The baseline is known only as a limit.")
    return _("The baseline is 0.")


def _value_row(point: Point, one: Followed, found: Biomarkers) -> ValueRow:
    reading = point.reading
    marks = list(marks_of(reading, found.purified))
    if point.is_baseline:
        marks.insert(0, _("baseline"))
    if point.other_laboratory:
        marks.append(_("another laboratory than before"))
    return ValueRow(
        day=point.day,
        at=reading.at.astimezone(one.person.zone).strftime("%Y-%m-%d %H:%M"),
        printed=reading.text,
        canonical=canonical_text(point),
        ratio=ratio_text(point) or "–",
        laboratory=reading.laboratory,
        marks=tuple(marks),
        record=reading.record_id,
    )
