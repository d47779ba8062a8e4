"""The page of changes from baseline: per measure a figure, a table and every subject's line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from outcomes.changes.change import GAPS, Box, Cell, Spread, Summary
from outcomes.changes.readings import Purified, Reading
from outcomes.changes.trend import elapsed
from outcomes.charts.axes import rounded
from outcomes.charts.lines import TALL, Figure, Strand, Style, Value, figure
from outcomes.pages.numbers import signed
from outcomes.pages.words import BOXES, BOXES_SAY
from outcomes.selectors.changes import BILIRUBIN, GRADE, MELD, PTA, Changes, Line, Measure, Table
from outcomes.selectors.readings import Followed
from trialsite.core.units import unit_label
from trialsite.labs.score_lines import TITLES

#: Makes the address of the subjects behind a count.
Behind = Callable[..., str]

_NAMES: dict[str, Promise] = {
    GRADE: gettext_lazy("HE grade (West Haven)"),
    PTA: gettext_lazy("PTA"),
    BILIRUBIN: gettext_lazy("Total bilirubin"),
}
#: Decimals of what is counted in whole numbers; a median between two keeps one.
_WHOLE = frozenset({GRADE, MELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How many have no change, and why."""

    box: Box
    word: Promise
    says: Promise
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class SpreadText:
    """Median and range as people read them."""

    median: str = "–"
    range: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One milestone of one measure."""

    day: int
    name: str
    counted: int
    total: int
    counted_href: str
    total_href: str
    baseline: SpreadText
    value: SpreadText
    change: SpreadText
    lower: int
    same: int
    higher: int
    gaps: list[Gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellText:
    """One subject at one milestone."""

    box: Box
    word: str
    value: str = ""
    change: str = ""
    marks: tuple[str, ...] = ()
    record: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRow:
    """One subject's line of one measure."""

    subject: Followed
    style: Style
    baseline: str
    baseline_on: str
    baseline_record: object
    baseline_marks: tuple[str, ...]
    cells: list[CellText]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One measure."""

    measure: Measure
    title: str
    unit: str
    better: str
    figure: Figure | None
    rows: list[Row]
    lines: list[SubjectRow]


def measure_name(measure: Measure) -> str:
    """A measure in the reader's language; of a score with its version."""
    if measure.code == MELD:
        return str(TITLES.get(measure.version, f"MELD {measure.version}"))
    return str(_NAMES[measure.code])


def panels(found: Changes, behind: Behind) -> list[Panel]:
    """Every measure as its panel."""
    return [_panel(table, found, behind) for table in found.tables]


def _panel(table: Table, found: Changes, behind: Behind) -> Panel:
    measure = table.measure
    rows = []
    for milestone, summary in zip(found.milestones, table.summaries, strict=True):
        name = milestone.event.name.in_language(get_language() or "en")
        rows.append(_row(measure, milestone.day, name, summary, behind))
    return Panel(
        measure=measure,
        title=measure_name(measure),
        unit=unit_label(measure.unit),
        better=str(_("lower is better") if measure.lower_is_better else _("higher is better")),
        figure=figure(
            [_strand(n, line, measure) for n, line in enumerate(table.lines)],
            ticks=[milestone.day for milestone in found.milestones],
            until=max((milestone.day for milestone in found.milestones), default=1),
            may_be_logarithmic=False,
            whole=measure.code == GRADE,
            frame=TALL,
        ),
        rows=rows,
        lines=[
            _subject_row(n, line, measure, found.purified) for n, line in enumerate(table.lines)
        ],
    )


def _row(measure: Measure, day: int, name: str, summary: Summary, behind: Behind) -> Row:
    def at(box: str = "") -> str:
        return behind(measure=measure.key, day=day, box=box)

    return Row(
        day=day,
        name=name,
        counted=summary.counted,
        total=summary.total,
        counted_href=at(Box.COUNTED),
        total_href=at(),
        baseline=spread_text(summary.baseline, measure),
        value=spread_text(summary.value, measure),
        change=spread_text(summary.change, measure, as_change=True),
        lower=summary.lower,
        same=summary.same,
        higher=summary.higher,
        gaps=[
            Gap(
                box=box,
                word=BOXES[box],
                says=BOXES_SAY[box],
                count=summary.boxes[box],
                href=at(box),
            )
            for box in GAPS
            if summary.boxes[box]
        ],
    )


def number_text(number: Decimal, measure: Measure, *, as_change: bool = False) -> str:
    """A value or a change in the digits of its measure."""
    whole = measure.code in _WHOLE and number == number.to_integral_value()
    places = 0 if whole else 1
    return signed(number, places) if as_change else rounded(number, places)


def spread_text(spread: Spread | None, measure: Measure, *, as_change: bool = False) -> SpreadText:
    """Median and range; nothing is a dash."""
    if spread is None:
        return SpreadText()
    median, low, high = (
        number_text(each, measure, as_change=as_change)
        for each in (spread.median, spread.low, spread.high)
    )
    return SpreadText(median, _("%(low)s to %(high)s") % {"low": low, "high": high})


def reading_text(reading: Reading | None, measure: Measure) -> str:
    """A value as it is shown: a number in its digits, a limit as it was printed."""
    if reading is None:
        return "–"
    if measure.code == GRADE:
        return reading.text
    if reading.number is None:
        return reading.text or str(BOXES[Box.LIMIT])
    return number_text(reading.number, measure)


def marks_of(reading: Reading | None, purified: Purified) -> tuple[str, ...]:
    """What a reader has to know of a value besides its number."""
    if reading is None:
        return ()
    found = []
    if purified.soon_after(reading):
        found.append(_("%(hours)s h after purification") % {"hours": reading.hours})
    if reading.routine_care:
        found.append(_("routine care"))
    return tuple(found)


def _strand(number: int, line: Line, measure: Measure) -> Strand:
    one, values = line.subject, []
    chosen = [line.baseline, *(c.reading for c in line.cells if c.box in {Box.COUNTED, Box.LIMIT})]
    for reading in chosen:
        value = _value(one, reading, measure)
        if value is not None:
            values.append(value)
    return Strand(number=number, name=one.course.number, values=values)


def _value(one: Followed, reading: Reading | None, measure: Measure) -> Value | None:
    zero = one.course.anchor_on
    if reading is None or zero is None:
        return None
    place = reading.number if reading.number is not None else reading.limit
    if place is None:
        return None
    said = _("%(subject)s, day %(day)s: %(value)s") % {
        "subject": one.course.number,
        "day": (one.person.day_of(reading.at) - zero).days,
        "value": reading_text(reading, measure),
    }
    limit = reading.comparator if reading.is_limit else ""
    return Value(day=elapsed(reading.at, zero, one.person), value=place, says=said, limit=limit)


def _subject_row(number: int, line: Line, measure: Measure, purified: Purified) -> SubjectRow:
    baseline = line.baseline
    return SubjectRow(
        subject=line.subject,
        style=Style(number),
        baseline=reading_text(baseline, measure),
        baseline_on=line.subject.person.day_of(baseline.at).isoformat() if baseline else "",
        baseline_record=baseline.record_id if baseline else None,
        baseline_marks=marks_of(baseline, purified),
        cells=[cell_text(cell, measure, purified) for cell in line.cells],
    )


def cell_text(cell: Cell, measure: Measure, purified: Purified) -> CellText:
    """A cell in words."""
    change = cell.change
    return CellText(
        box=cell.box,
        word=str(BOXES[cell.box]),
        value=reading_text(cell.reading, measure) if cell.reading else "",
        change="" if change is None else number_text(change, measure, as_change=True),
        marks=marks_of(cell.reading, purified),
        record=cell.reading.record_id if cell.reading else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One subject behind a count."""

    subject: Followed
    baseline: str
    cell: CellText


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The subjects behind a count of the page."""

    title: str
    milestone: str
    box: str
    members: list[Member]


def group_of(found: Changes, *, key: str, day: int | None, box: str) -> Group | None:
    """The subjects behind a count; None where the page has no such count."""
    table = next((each for each in found.tables if each.measure.key == key), None)
    places = [n for n, each in enumerate(found.milestones) if each.day == day]
    if table is None or not places or (box and box not in set(Box)):
        return None
    return Group(
        title=measure_name(table.measure),
        milestone=found.milestones[places[0]].event.name.in_language(get_language() or "en"),
        box=str(BOXES[Box(box)]) if box else "",
        members=list(_members(table.lines, places[0], box, table.measure, found.purified)),
    )


def _members(
    lines: Sequence[Line], place: int, box: str, measure: Measure, purified: Purified
) -> Iterable[Member]:
    for line in lines:
        cell = line.cells[place]
        if not box or cell.box == box:
            yield Member(
                subject=line.subject,
                baseline=reading_text(line.baseline, measure),
                cell=cell_text(cell, measure, purified),
            )
