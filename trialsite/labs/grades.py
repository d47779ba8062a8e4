"""The CTCAE grades of stored results, each with its baseline: computed, never typed.

The baseline of an analyte is what the protocol says; without a first session every value is
one from before the treatment, and graded by the limits of normal.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Min

from trialsite.casebook.protocols import protocol_of
from trialsite.labs.background import Period, anticoagulants_of, covered
from trialsite.labs.codes import PurificationSource
from trialsite.labs.grading import TERMS, VERSION, Baseline, LabGrade, Reading, Why, grade_of
from trialsite.labs.models import LabResult, PurificationInterval
from trialsite.labs.results import Flag
from trialsite.labs.selectors import AtZone, analyte_of, plain, standing_results
from trialsite.protocol.labs import Analyte, AnticoagulationUse, BaselineRule, LabRules, Labs


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """What the grades of one subject rest on beyond the results themselves."""

    #: When the first session started; None: not treated yet.
    first_session: dt.datetime | None = None
    #: The result of each analyte that later ones are compared with.
    baselines: Mapping[str, LabResult] = field(default_factory=dict)
    anticoagulants: Sequence[Period] = ()

    def is_before(self, drawn: dt.datetime) -> bool:
        """Whether a draw belongs to the time before the treatment."""
        return self.first_session is None or drawn <= self.first_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One result with its grade, its baseline and the grade of that."""

    result: Any
    analyte: Analyte | None
    grade: LabGrade
    before: bool
    baseline: LabResult | None = None
    baseline_grade: LabGrade | None = None

    @property
    def drawn(self) -> dt.datetime:
        moment: dt.datetime = self.result.drawn
        return moment


def graded_results(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Graded]]:
    """The standing, dated results of subjects with their grades, the earliest first.

    Three queries, however many subjects.
    """
    rows = (
        standing_results()
        .filter(subject_id__in=list(subjects), panel__collected_at__isnull=False)
        .select_related("panel__record", "panel__laboratory")
        .order_by("drawn", "analyte", "pk")
    )
    by_subject: dict[uuid.UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_subject[row.subject_id].append(row)
    first = first_sessions(subjects)
    given = anticoagulants_of(subjects)
    return {
        subject: _graded(found, first.get(subject), given.get(subject, ()))
        for subject, found in by_subject.items()
    }


def _graded(
    rows: list[Any], first: dt.datetime | None, anticoagulants: Sequence[Period]
) -> list[Graded]:
    context = Grading(
        first_session=first, baselines=_baselines(rows, first), anticoagulants=anticoagulants
    )
    return [_one(row, context) for row in rows]


def _one(row: Any, context: Grading) -> Graded:
    labs = protocol_of(row.panel.record.protocol_version_id).labs
    before = context.is_before(row.drawn)
    baseline = None if before else _baseline(row.analyte, labs.rules, context)
    return Graded(
        result=row,
        analyte=analyte_of(row.analyte, labs),
        grade=grade_row(row, labs, context, drawn=row.drawn, on=row.panel.collected_at.date()),
        before=before,
        baseline=baseline,
        baseline_grade=None
        if baseline is None
        else grade_row(baseline, labs, context, drawn=context.first_session, on=None),
    )


def grading_of(subject: uuid.UUID) -> Grading:
    """What one subject's results are graded with, for rows that are not stored yet."""
    first = first_sessions([subject]).get(subject)
    rows: list[Any] = []
    if first is not None:
        before = standing_results().filter(subject_id=subject, drawn__lte=first)
        rows = list(before.exclude(value=None).order_by("drawn", "analyte", "pk"))
    return Grading(
        first_session=first,
        baselines=_baselines(rows, first),
        anticoagulants=anticoagulants_of([subject]).get(subject, ()),
    )


def first_sessions(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, dt.datetime]:
    """When the first session of each subject started; one query."""
    rows = (
        PurificationInterval.objects.filter(
            subject_id__in=list(subjects), voided_at=None, source=PurificationSource.SESSION
        )
        .annotate(begin=AtZone("started_at", "time_zone"))
        .values("subject_id")
        .annotate(first=Min("begin"))
        .order_by()
    )
    return {row["subject_id"]: row["first"] for row in rows}


def _baselines(rows: Iterable[Any], first: dt.datetime | None) -> dict[str, LabResult]:
    """The last value of each analyte before the first session, of rows in order of the draw."""
    if first is None:
        return {}
    return {row.analyte: row for row in rows if row.canonical is not None and row.drawn <= first}


def grade_row(
    row: LabResult,
    labs: Labs,
    context: Grading,
    *,
    drawn: dt.datetime | None,
    on: dt.date | None,
) -> LabGrade:
    """The grade of a row, stored or not, drawn at a moment and on a day of the site's calendar."""
    analyte, rules = analyte_of(row.analyte, labs), labs.rules
    terms = [TERMS[key] for key in analyte.ctcae if key in TERMS] if analyte else []
    if analyte is None or not terms:
        return LabGrade(why=Why.NO_TERM)
    if rules is None or f"CTCAE {rules.ctcae_version}" != VERSION:
        return LabGrade(why=Why.VERSION)
    if row.value is None:
        return LabGrade(why=Why.NO_VALUE)
    if drawn is None:
        return LabGrade(why=Why.UNDATED)
    if row.canonical_unit != analyte.unit or row.factor is None:
        return LabGrade(why=Why.UNIT)
    before = context.is_before(drawn)
    return grade_of(
        terms,
        _reading(row),
        factor=analyte.factor,
        baseline=None if before else _compared(row.analyte, rules, context, analyte.unit),
        before_treatment=before,
        anticoagulated=_anticoagulated(rules, context, on),
    )


def _reading(row: LabResult) -> Reading:
    assert row.factor is not None
    ranged = row.range_factor is not None
    return Reading(
        value=plain(row.value),
        comparator=row.comparator,
        low=plain(row.range_low) if ranged else None,
        high=plain(row.range_high) if ranged else None,
        factor=row.factor,
        limit_factor=row.range_factor or row.factor,
    )


def _baseline(analyte: str, rules: LabRules | None, context: Grading) -> LabResult | None:
    if rules is None or rules.baseline is not BaselineRule.LAST_BEFORE_FIRST_SESSION:
        return None
    return context.baselines.get(analyte)


def _compared(analyte: str, rules: LabRules, context: Grading, unit: str) -> Baseline | None:
    row = _baseline(analyte, rules, context)
    if row is None or row.canonical is None or row.canonical_unit != unit:
        return None
    flag = Flag(row.flag) if row.flag else Flag.UNKNOWN
    return Baseline(amount=row.canonical, flag=flag, comparator=row.comparator)


def _anticoagulated(rules: LabRules, context: Grading, on: dt.date | None) -> bool | None:
    if rules.anticoagulation is not AnticoagulationUse.MEDICATION or on is None:
        return None
    return covered(context.anticoagulants, on)


def suggested_grade(result: LabResult) -> int | None:
    """The grade that an adverse event made of a result begins with; None: not gradable.

    Where CTCAE leaves it open upward it is the lowest: the investigator judges.
    """
    panel = result.panel
    if panel.collected_at is None:
        return None
    labs = protocol_of(panel.record.protocol_version_id).labs
    found = grade_row(
        result,
        labs,
        grading_of(result.subject_id),
        drawn=panel.collected_at.replace(tzinfo=ZoneInfo(panel.time_zone)),
        on=panel.collected_at.date(),
    )
    return found.grade or None
