"""What a computed score says of itself: formula, version, inputs, result or why there is none.

Arithmetic is decimal to PRECISION digits. A score is rounded once, half up, when it is
displayed; what decides is `raw`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from trialsite.labs.facts import LabFact

PRECISION = 40
#: Digits of `raw`: the last of the working digits may be off by rounding.
RAW_DIGITS = 34


class Why(StrEnum):
    """Why a score, or an input of it, has no number."""

    NONE = ""
    MISSING = "missing"
    CENSORED = "censored"
    UNDEFINED = "undefined"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A number handed to a score: its result, or why there is none."""

    value: Decimal | None = None
    source_id: UUID | None = None
    lacking: Why = Why.NONE

    @classmethod
    def of(cls, fact: LabFact | None) -> Given:
        """The canonical value of a result; one known only as a limit is censored."""
        if fact is None or fact.canonical is None:
            return cls(source_id=fact.result_id if fact else None, lacking=Why.MISSING)
        if fact.censored:
            return cls(source_id=fact.result_id, lacking=Why.CENSORED)
        return cls(value=fact.canonical, source_id=fact.result_id)


Number: TypeAlias = Given | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreInput:
    """An input as it was and as the formula used it: after its limits, or as points.

    `used` is in `unit` too, unless the formula counts points.
    """

    name: str
    value: Decimal | str | None
    unit: str = ""
    used: Decimal | None = None
    source_id: UUID | None = None
    lacking: Why = Why.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score, or with `reason` why there is none; `missing` names the inputs that lack.

    A score may stand although an input lacks: then that input could only have raised it.
    """

    algorithm: str
    version: str
    raw: Decimal | None = None
    displayed: Decimal | None = None
    grade: str = ""
    inputs: tuple[ScoreInput, ...] = ()
    missing: tuple[str, ...] = ()
    reason: Why = Why.NONE


def number(
    name: str,
    given: Number,
    unit: str = "",
    *,
    low: Decimal | None = None,
    high: Decimal | None = None,
) -> ScoreInput:
    """The input `name`, used within `low` and `high`. A negative amount is no amount."""
    one = given if isinstance(given, Given) else Given(value=given)
    value, lacking = one.value, one.lacking
    if lacking:
        value = None
    elif value is None:
        lacking = Why.MISSING
    elif not value.is_finite() or value < 0:
        lacking = Why.UNDEFINED
    used = None
    if value is not None and not lacking:
        used = value if low is None else max(value, low)
        used = used if high is None else min(used, high)
    return ScoreInput(
        name=name, value=value, unit=unit, used=used, source_id=one.source_id, lacking=lacking
    )


def word(name: str, given: str | bool | None, used: Decimal | None = None) -> ScoreInput:  # noqa: FBT001 - a finding, not a switch
    """The input `name` that is a code or a yes or no; None is not known."""
    if given is None:
        return ScoreInput(name=name, value=None, lacking=Why.MISSING)
    if isinstance(given, bool):
        return ScoreInput(
            name=name, value="yes" if given else "no", used=Decimal(1 if given else 0)
        )
    return ScoreInput(name=name, value=given, used=used)


def half_up(value: Decimal, places: int = 0) -> Decimal:
    """`value` with `places` decimals, a half away from zero."""
    with localcontext(prec=PRECISION * 2):
        # Zero is added for its sign: there is no -0 to display.
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP) + Decimal(0)


def without_score(algorithm: str, version: str, inputs: tuple[ScoreInput, ...], why: Why) -> Score:
    """No score, and why."""
    lacking = tuple(one.name for one in inputs if one.lacking)
    return Score(algorithm=algorithm, version=version, inputs=inputs, missing=lacking, reason=why)


Used: TypeAlias = Mapping[str, Decimal]


def settled(
    algorithm: str,
    version: str,
    inputs: tuple[ScoreInput, ...],
    formula: Callable[[Used], Decimal],
    *,
    places: int = 0,
    limits: tuple[int, int] | None = None,
    grade: Callable[[Decimal], str] | None = None,
) -> Score:
    """The score of `formula` over the inputs as used; `limits` hold for what is displayed."""
    lacking = {one.lacking for one in inputs if one.lacking}
    for why in (Why.MISSING, Why.CENSORED, Why.UNDEFINED):
        if why in lacking:
            return without_score(algorithm, version, inputs, why)
    raw = _computed(formula, {one.name: one.used for one in inputs if one.used is not None})
    if raw is None:
        return without_score(algorithm, version, inputs, Why.UNDEFINED)
    displayed = half_up(raw, places)
    if limits is not None:
        displayed = min(max(displayed, Decimal(limits[0])), Decimal(limits[1]))
    return Score(
        algorithm=algorithm,
        version=version,
        raw=raw,
        displayed=displayed,
        grade=grade(raw) if grade else "",
        inputs=inputs,
    )


def _computed(formula: Callable[[Used], Decimal], used: Used) -> Decimal | None:
    traps = [InvalidOperation, DivisionByZero, Overflow]
    with localcontext(Context(prec=PRECISION, traps=traps)) as context:
        try:
            raw = formula(used)
        except DecimalException:
            return None
        context.prec = RAW_DIGITS
        return +raw if raw.is_finite() else None
