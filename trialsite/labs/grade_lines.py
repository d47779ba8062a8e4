"""Grades as people read them: the reasons in words, the shift of each analyte from baseline."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.core.units import unit_label
from trialsite.labs.grades import Graded, Grading, grade_row, graded_results
from trialsite.labs.grading import TERMS, LabGrade, Why
from trialsite.labs.names import said
from trialsite.labs.sheet import Sheet
from trialsite.protocol.labs import Analyte, BaselineRule, LabRules

WHY: dict[Why, str | Promise] = {
    Why.NO_TERM: gettext_lazy("CTCAE grades no value of this analyte"),
    Why.NO_VALUE: gettext_lazy("no value"),
    Why.UNDATED: gettext_lazy("the time of the draw is not known"),
    Why.LIMIT: gettext_lazy("a limit leaves more than one grade"),
    Why.NO_RANGE: gettext_lazy("the laboratory’s range is missing"),
    Why.UNIT: gettext_lazy("the unit cannot be compared"),
    Why.NO_BASELINE: gettext_lazy("no value before the first session"),
    Why.BASELINE_LIMIT: gettext_lazy("the baseline is known only as a limit"),
    Why.BASELINE_RANGE: gettext_lazy("not known whether the baseline was normal"),
    Why.ANTICOAGULATION: gettext_lazy("depends on anticoagulation, which is not known"),
    Why.CLINICAL: gettext_lazy("symptoms, treatment or consequences may make it higher"),
    Why.VERSION: gettext_lazy("the rules of this CTCAE version are not here"),
}
BASELINES: dict[BaselineRule, str | Promise] = {
    BaselineRule.LAST_BEFORE_FIRST_SESSION: gettext_lazy(
        "Baseline: the last value drawn before the first session started."
    ),
}


def in_words(grade: LabGrade) -> str:
    """A grade in few words; empty where CTCAE has none for the analyte."""
    if grade.why is Why.NO_TERM:
        return ""
    if grade.grade is None:
        return _("not gradable: %(why)s") % {"why": WHY[grade.why]}
    return f"CTCAE {grade.said}"


def said_baseline(rules: LabRules | None) -> str:
    """The rule of the baseline, as the protocol has it."""
    return str(BASELINES[rules.baseline]) if rules is not None and rules.baseline else ""


class SheetGrades:
    """The grades of a draw as its page shows them: stored or just typed."""

    def __init__(self, sheet: Sheet, context: Grading) -> None:
        self.sheet, self.context = sheet, context

    def of(self, key: str) -> LabGrade:
        """The grade of a result on the sheet."""
        wall = self.sheet.panel.collected_at
        return grade_row(
            self.sheet.results[key],
            self.sheet.protocol.labs,
            self.context,
            drawn=self.sheet.drawn,
            on=wall.date() if wall else None,
        )

    def before(self, key: str) -> LabGrade | None:
        """The grade of its baseline; None where it is from before the treatment itself."""
        drawn, rules = self.sheet.drawn, self.sheet.protocol.labs.rules
        row = self.context.baselines.get(key)
        if drawn is None or row is None or self.context.is_before(drawn):
            return None
        if rules is None or rules.baseline is None:
            return None
        first = self.context.first_session
        return grade_row(row, self.sheet.protocol.labs, self.context, drawn=first, on=None)

    def words(self, key: str) -> str:
        """The grade of a result with that of its baseline, in one line."""
        grade, before = self.of(key), self.before(key)
        words = in_words(grade)
        if not words or before is None or before.grade is None or grade.grade is None:
            return words
        return _("%(grade)s (baseline %(baseline)s)") % {"grade": words, "baseline": before.said}


@dataclass(slots=True)
class Shift:
    """One analyte of one subject: what it was before the treatment, and at its worst after."""

    key: str
    analyte: Analyte
    baseline: Graded | None = None
    worst: Graded | None = None
    last: Graded | None = None
    graded: int = 0
    not_gradable: list[Graded] = field(default_factory=list)

    @property
    def name(self) -> str:
        return said(self.analyte.name)

    @property
    def reasons(self) -> list[str]:
        """Why values after the first session have no grade, each reason once."""
        return list(dict.fromkeys(str(WHY[each.grade.why]) for each in self.not_gradable))

    @property
    def term(self) -> str:
        worst = self.worst.grade if self.worst else None
        return TERMS[worst.term].name if worst is not None and worst.term else ""


def shifts_of(subject: uuid.UUID) -> tuple[list[Shift], list[Graded]]:
    """The shifts of a subject, in the protocol's order, and every graded result."""
    found = graded_results([subject]).get(subject, [])
    lines: dict[str, Shift] = {}
    for each in found:
        if each.analyte is None or each.grade.why is Why.NO_TERM:
            continue
        key = each.analyte.key
        line = lines.setdefault(key, Shift(key=key, analyte=each.analyte))
        line.analyte = each.analyte
        _add(line, each)
    return list(lines.values()), found


def _add(line: Shift, each: Graded) -> None:
    if each.before:
        if each.result.canonical is not None:
            line.baseline = each
        return
    if each.grade.grade is None:
        if each.grade.why is not Why.NO_VALUE:
            line.not_gradable.append(each)
        return
    line.graded += 1
    line.last = each
    worst = line.worst.grade.grade if line.worst is not None else None
    if worst is None or each.grade.grade > worst:
        line.worst = each


@dataclass(frozen=True, slots=True)
class ShiftTable:
    """How many analytes went from which grade before to which worst grade after."""

    columns: tuple[str, ...]
    rows: list[tuple[str, list[int]]]


NOT_GRADABLE = "?"


def shift_table(lines: Iterable[Shift]) -> ShiftTable:
    """Baseline grade by worst grade, over the analytes that have a value after."""
    names = ("0", "1", "2", "3", "4", NOT_GRADABLE)
    counts = {(one, other): 0 for one in names for other in names}
    for line in lines:
        if line.worst is None and not line.not_gradable:
            continue
        before, after = _column(line.baseline), _column(line.worst)
        counts[before, after] += 1
    rows = [(name, [counts[name, other] for other in names]) for name in names]
    return ShiftTable(names, rows)


def _column(graded: Graded | None) -> str:
    grade = graded.grade.grade if graded is not None else None
    return NOT_GRADABLE if grade is None else str(grade)


def value_in_words(graded: Graded) -> str:
    """A result as printed, with its unit."""
    row = graded.result
    return f"{row.text} {unit_label(row.unit)}".strip()
