"""The scores that a draw alone gives, each with its inputs or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.labs.background import Background
from trialsite.labs.codes import Sex
from trialsite.labs.models import LabResult
from trialsite.labs.pages import short
from trialsite.labs.scores import (
    AETIOLOGY,
    MELD_3_0,
    MELD_NA_2016,
    UNOS,
    Given,
    Score,
    Why,
    albi,
    meld,
)
from trialsite.labs.selectors import plain

TITLES: dict[str, str | Promise] = {
    UNOS: _("MELD (UNOS)"),
    MELD_NA_2016: _("MELD-Na (2016)"),
    MELD_3_0: _("MELD 3.0"),
    AETIOLOGY: _("MELD with aetiology"),
}
INPUTS: dict[str, str | Promise] = {
    "bilirubin": _("Total bilirubin"),
    "creatinine": _("Creatinine"),
    "inr": _("INR"),
    "sodium": _("Sodium"),
    "albumin": _("Albumin"),
    "female": _("Sex"),
    "dialysis": _("Dialysis"),
    "alcoholic_or_biliary": _("Alcoholic or biliary aetiology"),
}
REASONS: dict[Why, str | Promise] = {
    Why.MISSING: _("Not computed: an input is missing."),
    Why.CENSORED: _("Not computed: an input is known only as a limit."),
    Why.UNDEFINED: _("Not computed: the formula does not hold for these values."),
    Why.NOT_APPLICABLE: _("Not computed: it does not apply here."),
}
LACKING: dict[Why, str | Promise] = {
    Why.MISSING: _("missing"),
    Why.CENSORED: _("known only as a limit"),
    Why.UNDEFINED: _("outside the formula"),
    Why.NOT_APPLICABLE: _("does not apply"),
}


@dataclass(frozen=True, slots=True)
class InputLine:
    """One input as it was and as the formula used it."""

    name: str
    value: str
    used: str
    unit: str
    lacking: str


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One score as the page shows it."""

    title: str
    value: str
    raw: str
    grade: str
    version: str
    why: str
    inputs: list[InputLine]


def score_lines(
    results: Mapping[str, LabResult], sex: str, background: Background
) -> list[ScoreLine]:
    """The MELD family and ALBI of one draw; no result is taken from another day."""
    values: dict[str, Any] = {
        "bilirubin": _given(results.get("BILI")),
        "inr": _given(results.get("INR")),
        "creatinine": _given(results.get("CREAT")),
        "sodium": _given(results.get("SODIUM")),
        "albumin": _given(results.get("ALB")),
    }
    female = sex == Sex.FEMALE if sex else None
    lines = [
        _line(
            str(title),
            meld(
                version=version,
                female=female,
                dialysis=background.dialysis,
                alcoholic_or_biliary=background.alcoholic_or_biliary,
                **values,
            ),
        )
        for version, title in TITLES.items()
    ]
    grade = albi(bilirubin=values["bilirubin"], albumin=values["albumin"])
    return [*lines, _line(str(_("ALBI")), grade)]


def _given(row: LabResult | None) -> Given:
    if row is None or row.canonical is None:
        return Given(lacking=Why.MISSING)
    if row.comparator:
        return Given(source_id=row.pk, lacking=Why.CENSORED)
    return Given(value=plain(row.canonical), source_id=row.pk)


def _line(title: str, score: Score) -> ScoreLine:
    inputs = [
        InputLine(
            name=str(INPUTS.get(each.name, each.name)),
            value=each.value if isinstance(each.value, str) else short(each.value),
            used=short(each.used),
            unit=each.unit,
            lacking=str(LACKING.get(each.lacking, "")),
        )
        for each in score.inputs
    ]
    return ScoreLine(
        title=title,
        value="" if score.displayed is None else f"{score.displayed:f}",
        raw=short(score.raw),
        grade=score.grade,
        version=f"{score.algorithm} {score.version}",
        why=str(REASONS.get(score.reason, "")),
        inputs=inputs,
    )
