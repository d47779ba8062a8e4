"""Datasets of changes from baseline and of markers: one row a subject and milestone, or a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from outcomes.pages.words import BOXES
from outcomes.selectors.biomarkers import biomarkers_of
from outcomes.selectors.change_rows import Row, change_rows, trend_rows
from outcomes.selectors.changes import changes_of
from outcomes.selectors.courses import courses_at
from trialsite.casebook.selectors import current_version
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.review.assumptions import confirmed_protocol

#: Name in the file, key of the row, label, kind.
Named = tuple[str, str, Any, Kind]

_WHOSE: tuple[Named, ...] = (
    ("SITEID", "site", _("Site"), Kind.TEXT),
    ("SUBJID", "number", _("Subject number"), Kind.TEXT),
    ("DAYZERO", "day_zero", _("Day zero"), Kind.DATE),
    ("DATACUT", "data_up_to", _("Data up to"), Kind.DATE),
)
_CHANGES: tuple[Named, ...] = (
    *_WHOSE,
    ("MEASURE", "measure", _("Measure"), Kind.TEXT),
    ("VERSION", "version", _("Version"), Kind.TEXT),
    ("CONFIRMED", "version_confirmed", _("Version is confirmed"), Kind.BOOLEAN),
    ("COMPARED", "for_comparison", _("For comparison"), Kind.BOOLEAN),
    ("UNIT", "unit", _("Unit"), Kind.TEXT),
    ("MILESTONE", "day", _("Day"), Kind.INTEGER),
    ("STUDYEVENT", "event", _("Study event"), Kind.TEXT),
    ("BOX", "box", _("Where the subject stands"), Kind.TEXT),
    ("BASE", "baseline", _("Baseline"), Kind.FLOAT),
    ("BASETXT", "baseline_text", _("Baseline as recorded"), Kind.TEXT),
    ("BASEDTM", "baseline_at", _("Baseline at"), Kind.MOMENT),
    ("BASEPURIF", "baseline_soon_after_purification", _("Baseline soon after"), Kind.BOOLEAN),
    ("BASEREC", "baseline_record", _("Record of the baseline"), Kind.ID),
    ("AVAL", "value", _("Value"), Kind.FLOAT),
    ("AVALTXT", "value_text", _("Value as recorded"), Kind.TEXT),
    ("AVALDTM", "value_at", _("Value at"), Kind.MOMENT),
    ("AVALPURIF", "soon_after_purification", _("Soon after a purification"), Kind.BOOLEAN),
    ("AVALREC", "value_record", _("Record of the value"), Kind.ID),
    ("CHG", "change", _("Change from baseline"), Kind.FLOAT),
)
_TRENDS: tuple[Named, ...] = (
    *_WHOSE,
    ("LBTESTCD", "analyte", _("Analyte"), Kind.TEXT),
    ("LBSTRESU", "unit", _("The protocol's unit"), Kind.TEXT),
    ("STUDYEVENT", "event", _("Study event"), Kind.TEXT),
    ("STUDYDAY", "study_day", _("Day"), Kind.INTEGER),
    ("LBDTM", "drawn_at", _("Drawn at"), Kind.MOMENT),
    ("LBORRES", "text", _("Result as printed"), Kind.TEXT),
    ("COMPARATOR", "comparator", _("Comparator"), Kind.TEXT),
    ("AVAL", "value", _("Value in the protocol's unit"), Kind.FLOAT),
    ("LIMIT", "limit", _("Only this limit is known"), Kind.FLOAT),
    ("ABLFL", "is_baseline", _("Baseline"), Kind.BOOLEAN),
    ("BASE", "baseline", _("Value of the baseline"), Kind.FLOAT),
    ("BASELIMIT", "baseline_limit", _("Limit of the baseline"), Kind.FLOAT),
    ("R2BASE", "ratio", _("Times the baseline"), Kind.FLOAT),
    ("R2LIMIT", "ratio_limit", _("Limit of times the baseline"), Kind.FLOAT),
    (
        "HOURSPURIF",
        "hours_since_purification",
        _("Hours since the last blood purification"),
        Kind.FLOAT,
    ),
    ("SOONAFTER", "soon_after_purification", _("Soon after a purification"), Kind.BOOLEAN),
    ("LBNAM", "laboratory", _("Laboratory"), Kind.TEXT),
    ("OTHERLAB", "other_laboratory", _("Another laboratory than before"), Kind.BOOLEAN),
    ("ROUTINE", "routine_care", _("Routine care"), Kind.BOOLEAN),
    ("RECORD", "record", _("Record"), Kind.ID),
)


def _columns(named: Iterable[Named]) -> tuple[Column, ...]:
    codes = {str(box): word for box, word in BOXES.items()}
    return tuple(
        Column(name=name, label=label, kind=kind, codes=codes if key == "box" else {})
        for name, key, label, kind in named
    )


def _rows(named: Iterable[Named], rows: Iterable[Row]) -> Iterator[Row]:
    keys = [(name, key) for name, key, _label, _kind in named]
    for row in rows:
        yield {name: row[key] for name, key in keys}


def _changes(sites: Collection[int]) -> Iterable[Row]:
    protocol = confirmed_protocol(current_version().pk)
    return _rows(_CHANGES, change_rows(changes_of(courses_at(sites), protocol)))


def _trends(sites: Collection[int]) -> Iterable[Row]:
    protocol = confirmed_protocol(current_version().pk)
    return _rows(_TRENDS, trend_rows(biomarkers_of(courses_at(sites), protocol)))


@register_datasets
def changes_and_trends() -> list[Dataset]:
    """Change from baseline by milestone, and every value of the markers that are followed."""
    return [
        Dataset(
            name="changes",
            title=_("Change from baseline"),
            columns=_columns(_CHANGES),
            rows=_changes,
        ),
        Dataset(
            name="biomarkers",
            title=_("Biomarkers"),
            columns=_columns(_TRENDS),
            rows=_trends,
        ),
    ]
