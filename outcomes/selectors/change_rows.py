"""Changes and trends as rows: the same for the API and for files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from outcomes.changes.readings import Reading
from outcomes.selectors.biomarkers import Biomarkers, Marker
from outcomes.selectors.changes import Changes, Line, Measure, Milestone, Table
from outcomes.selectors.readings import Followed

Row = dict[str, Any]

#: More decimals of a multiple than anybody shows.
_PLACES = Decimal("1e-9")


def change_rows(found: Changes) -> Iterator[Row]:
    """One row for each subject, measure and milestone, counted or not."""
    for table in found.tables:
        for line in table.lines:
            for place, milestone in enumerate(found.milestones):
                yield _change(found, table.measure, line, milestone, place)


def _change(found: Changes, measure: Measure, line: Line, milestone: Milestone, place: int) -> Row:
    cell, one = line.cells[place], line.subject
    return {
        **_whose(one),
        "measure": measure.code,
        "version": measure.version or None,
        "version_confirmed": measure.confirmed,
        "for_comparison": measure.compared,
        "unit": measure.unit or None,
        "day": milestone.day,
        "event": milestone.event.oid,
        "box": cell.box.value,
        **_named("baseline", line.baseline),
        **_named("value", cell.reading),
        "change": cell.change,
        "soon_after_purification": bool(cell.reading and found.purified.soon_after(cell.reading)),
        "baseline_soon_after_purification": bool(
            line.baseline and found.purified.soon_after(line.baseline)
        ),
    }


def _whose(one: Followed) -> Row:
    course = one.course
    return {
        "site": course.site,
        "subject": course.subject,
        "number": course.number,
        "day_zero": course.anchor_on,
        "data_up_to": course.cut_on,
    }


def _named(name: str, reading: Reading | None) -> Row:
    """A value as number or as limit, with when it was and where it stands."""
    return {
        name: reading.number if reading else None,
        f"{name}_text": reading.text or None if reading else None,
        f"{name}_at": reading.at if reading else None,
        f"{name}_record": reading.record_id if reading else None,
    }


def summary_rows(found: Changes) -> Iterator[Row]:
    """One row for each measure and milestone: counts by box, and medians with their ranges."""
    for table in found.tables:
        for place, milestone in enumerate(found.milestones):
            yield _summary(table, milestone, place)


def _summary(table: Table, milestone: Milestone, place: int) -> Row:
    summary, measure = table.summaries[place], table.measure
    spreads = {"baseline": summary.baseline, "value": summary.value, "change": summary.change}
    return {
        "measure": measure.code,
        "version": measure.version or None,
        "version_confirmed": measure.confirmed,
        "for_comparison": measure.compared,
        "unit": measure.unit or None,
        "day": milestone.day,
        "event": milestone.event.oid,
        "subjects": summary.total,
        "counted": summary.counted,
        "lower": summary.lower,
        "same": summary.same,
        "higher": summary.higher,
        "boxes": [{"box": box.value, "count": n} for box, n in sorted(summary.boxes.items())],
        **{
            name: {"median": each.median, "low": each.low, "high": each.high} if each else None
            for name, each in spreads.items()
        },
    }


def trend_rows(found: Biomarkers) -> Iterator[Row]:
    """One row for each value of each marker of each subject."""
    for marker in found.markers:
        for one in found.subjects:
            yield from _trend(marker, one)


def _trend(marker: Marker, one: Followed) -> Iterator[Row]:
    trend = marker.trends[one.key]
    base = trend.baseline
    for point in trend.points:
        reading = point.reading
        yield {
            **_whose(one),
            "analyte": marker.analyte.key,
            "unit": marker.analyte.unit,
            "event": reading.event_oid or None,
            "study_day": point.day,
            "drawn_at": reading.at.astimezone(dt.UTC),
            "text": reading.text,
            "comparator": reading.comparator or None,
            "value": reading.number,
            "limit": reading.limit,
            "is_baseline": point.is_baseline,
            "baseline": base.number if base else None,
            "baseline_limit": base.limit if base else None,
            "ratio": _rounded(point.ratio),
            "ratio_limit": _rounded(point.ratio_limit),
            "hours_since_purification": reading.hours,
            "soon_after_purification": point.soon_after,
            "laboratory": reading.laboratory or None,
            "other_laboratory": point.other_laboratory,
            "routine_care": reading.routine_care,
            "record": reading.record_id,
        }


def _rounded(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(_PLACES, ROUND_HALF_UP)
