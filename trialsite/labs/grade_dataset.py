"""The CTCAE grades of laboratory results as a dataset: computed from the results."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from trialsite.casebook.answers import keys_of
from trialsite.casebook.models import Subject
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.labs.grade_api import said_grade
from trialsite.labs.grade_lines import WHY
from trialsite.labs.grades import Graded, graded_results
from trialsite.labs.models import digits

#: Column -> key of `said_grade`, where it is taken as it is.
_SAID = {
    "LBTESTCD": "analyte",
    "DRAWN": "drawn_at",
    "BEFORE": "before_treatment",
    "LBTOXGR": "grade",
    "ATLEAST": "at_least",
    "DIRECTION": "direction",
    "LBTOX": "term",
    "BASED": "based",
    "WHYNOT": "why",
    "LBTOXV": "version",
    "BASEGRADE": "baseline_grade",
}


@register_datasets
def grades() -> list[Dataset]:
    return [lab_grades()]


def lab_grades() -> Dataset:
    """One row for each standing, dated result with a value: its CTCAE grade, or why not."""
    return Dataset(
        name="lbgrades",
        title=_("CTCAE grades of laboratory results"),
        columns=(
            Column(name="SITEID", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", label=_("Screening number")),
            Column(name="LBID", label=_("Result"), kind=Kind.ID),
            Column(name="RECORD", label=_("Record"), kind=Kind.ID),
            Column(name="LBTESTCD", label=_("Analyte"), sdtm="LB.LBTESTCD"),
            Column(name="DRAWN", label=_("Drawn at"), kind=Kind.MOMENT),
            Column(name="LBSTRESN", label=_("Value in the protocol's unit"), kind=Kind.FLOAT),
            Column(name="LBSTRESU", label=_("The protocol's unit")),
            Column(name="BEFORE", label=_("Before the first session"), kind=Kind.BOOLEAN),
            Column(name="LBTOXGR", label=_("Grade"), kind=Kind.INTEGER, sdtm="LB.LBTOXGR"),
            Column(name="ATLEAST", label=_("Grade at least"), kind=Kind.BOOLEAN),
            Column(name="DIRECTION", label=_("Direction")),
            Column(name="LBTOX", label=_("CTCAE term"), sdtm="LB.LBTOX"),
            Column(name="BASED", label=_("Multiples of")),
            Column(
                name="WHYNOT",
                label=_("Why not gradable, or not higher"),
                codes={each.value: text for each, text in WHY.items()},
            ),
            Column(name="LBTOXV", label=_("CTCAE version")),
            Column(name="LBBASE", label=_("Baseline"), kind=Kind.FLOAT),
            Column(name="BASEGRADE", label=_("Grade at baseline"), kind=Kind.INTEGER),
        ),
        rows=_rows,
    )


def _rows(sites: Collection[int]) -> Iterator[dict[str, Any]]:
    subjects = Subject.objects.filter(site_id__in=list(sites)).select_related("site")
    ordered = list(subjects.order_by("site__code", "screening_number"))
    found = graded_results({subject.pk for subject in ordered})
    for subject in ordered:
        for graded in found.get(subject.pk, ()):
            if graded.result.canonical is not None:
                yield {**keys_of(subject), **_row(graded)}


def _row(graded: Graded) -> dict[str, Any]:
    row, said = graded.result, said_grade(graded)
    values = {name: said[key] for name, key in _SAID.items()}
    texts = {name: values[name] or None for name in ("DIRECTION", "LBTOX", "BASED", "WHYNOT")}
    return {
        **values,
        **{name: str(text) if text else None for name, text in texts.items()},
        "LBID": row.pk,
        "RECORD": row.panel_id,
        "LBSTRESN": Decimal(digits(row.canonical)),
        "LBSTRESU": row.canonical_unit,
        "LBBASE": Decimal(said["baseline"]) if said["baseline"] is not None else None,
    }
