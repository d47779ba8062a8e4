"""The grade of a value by the steps of its terms.

A value known only as a limit is a span of values, and a fact that is not known is every
fact it may be. A grade stands where all of them give the same one; otherwise the value is
not gradable. Arithmetic is in exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from trialsite.labs.results import Flag

from .facts import Baseline, Reading
from .grade import Based, Direction, LabGrade, Why
from .terms import Of, Step, Term

#: Factor from a unit to the analyte's canonical one; a unit it has not: LookupError.
Factor = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class _Limit:
    """A step with its limit; None where what it is a multiple of is not known."""

    step: Step
    at: Fraction | None


@dataclass(frozen=True, slots=True)
class _Scenario:
    """The limits under one reading of the facts, and why it is not the only one."""

    limits: tuple[_Limit, ...]
    based: Based
    lacking: Why = Why.NONE


def grade_of(
    terms: Iterable[Term],
    reading: Reading,
    *,
    factor: Factor,
    baseline: Baseline | None = None,
    before_treatment: bool = False,
    anticoagulated: bool | None = None,
) -> LabGrade:
    """The grade of a reading by the terms of its analyte, the one of its direction.

    A value from before the treatment has no baseline: it is graded by the limits of normal.
    """
    terms = tuple(terms)
    if not terms:
        return LabGrade(why=Why.NO_TERM)
    if reading.amount is None:
        return LabGrade(why=Why.NO_VALUE)
    found: list[LabGrade] = []
    for term in terms:
        facts = _Facts(term, reading, baseline, before_treatment, anticoagulated, factor)
        found.append(_by_term(facts))
    for each in found:
        if each.grade:
            return each
    return next((each for each in found if each.grade is None), found[0])


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one term is judged by."""

    term: Term
    reading: Reading
    baseline: Baseline | None
    before_treatment: bool
    anticoagulated: bool | None
    factor: Factor


def _by_term(facts: _Facts) -> LabGrade:
    term = facts.term
    try:
        scenarios = tuple(_scenarios(facts))
    except LookupError:
        return LabGrade(why=Why.UNIT)
    spans = [_span(term, each, facts.reading) for each in scenarios]
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    if low != high:
        return _undecided(facts, scenarios, low)
    if low == 0:
        return LabGrade(grade=0, based=scenarios[0].based)
    symptoms = max(_symptoms(term, each, facts.reading) for each in scenarios)
    open_upward = max(symptoms, term.clinical) > low
    return LabGrade(
        grade=low,
        at_least=open_upward,
        term=term.key,
        direction=term.direction,
        based=scenarios[0].based,
        why=Why.CLINICAL if open_upward else Why.NONE,
    )


def _undecided(facts: _Facts, scenarios: tuple[_Scenario, ...], low: int) -> LabGrade:
    """Why there is more than one grade. Creatinine without a baseline has one at least."""
    lacking = next((each.lacking for each in scenarios if each.lacking), Why.NONE)
    open_limits = {
        each.step.of for scenario in scenarios for each in scenario.limits if each.at is None
    }
    if facts.reading.comparator and not lacking and not open_limits:
        return LabGrade(why=Why.LIMIT)
    if not lacking:
        lacking = _why_open(facts, open_limits)
    mixed = {step.of for step in facts.term.steps} > {Of.BASELINE}
    if low and mixed and open_limits == {Of.BASELINE} and not facts.reading.comparator:
        return LabGrade(
            grade=low,
            at_least=True,
            term=facts.term.key,
            direction=facts.term.direction,
            why=lacking,
        )
    return LabGrade(why=lacking)


def _why_open(facts: _Facts, open_limits: set[Of]) -> Why:
    if open_limits & {Of.LLN, Of.ULN}:
        return Why.NO_RANGE
    if Of.BASELINE in open_limits:
        return Why.BASELINE_LIMIT if facts.baseline is not None else Why.NO_BASELINE
    return Why.LIMIT


def _scenarios(facts: _Facts) -> Iterator[_Scenario]:
    """Every reading of what is known about baseline and anticoagulation."""
    term = facts.term
    if term.treated and not facts.before_treatment:
        yield from _under_anticoagulation(facts)
    elif term.abnormal and not facts.before_treatment:
        yield from _by_baseline(facts)
    else:
        yield _scenario(facts, term.steps, Based.LIMITS)


def _under_anticoagulation(facts: _Facts) -> Iterator[_Scenario]:
    term, treated = facts.term, facts.anticoagulated
    lacking = Why.ANTICOAGULATION if treated is None else Why.NONE
    if treated is not True:
        yield _scenario(facts, term.steps, Based.LIMITS, lacking)
    if treated is not False:
        yield _scenario(facts, term.treated, Based.BASELINE, lacking)


def _by_baseline(facts: _Facts) -> Iterator[_Scenario]:
    """Normal or abnormal, each in the direction of the term. Without a baseline a value
    within the limits of normal is of no grade, and any other not gradable."""
    term, baseline = facts.term, facts.baseline
    if baseline is None:
        normal = _scenario(facts, term.steps, Based.LIMITS, Why.NO_BASELINE)
        yield normal
        if _span(term, normal, facts.reading) != (0, 0):
            yield _scenario(facts, term.abnormal, Based.BASELINE, Why.NO_BASELINE)
        return
    abnormal = Flag.HIGH if term.direction is Direction.HIGH else Flag.LOW
    unknown = baseline.flag is Flag.UNKNOWN
    lacking = Why.BASELINE_RANGE if unknown else Why.NONE
    if baseline.flag is not abnormal:
        yield _scenario(facts, term.steps, Based.LIMITS, lacking)
    if unknown or baseline.flag is abnormal:
        yield _scenario(facts, term.abnormal, Based.BASELINE, lacking)


def _scenario(
    facts: _Facts, steps: tuple[Step, ...], based: Based, lacking: Why = Why.NONE
) -> _Scenario:
    used = steps
    if facts.before_treatment:
        used = tuple(step for step in steps if step.of is not Of.BASELINE)
    return _Scenario(tuple(_Limit(step, _limit(facts, step)) for step in used), based, lacking)


def _limit(facts: _Facts, step: Step) -> Fraction | None:
    """The limit of a step in the canonical unit."""
    unit = facts.term.unit
    scale = Fraction(facts.factor(unit)) if unit else Fraction(1)
    of = _multiplied(facts, step.of, scale)
    return None if of is None else Fraction(step.times) * of + Fraction(step.over) * scale


def _multiplied(facts: _Facts, of: Of, scale: Fraction) -> Fraction | None:
    match of:
        case Of.ONE:
            return scale
        case Of.LLN:
            return facts.reading.lower
        case Of.ULN:
            return facts.reading.upper
    baseline = facts.baseline
    if baseline is None or baseline.comparator:
        return None
    return Fraction(baseline.amount)


def _span(term: Term, scenario: _Scenario, reading: Reading) -> tuple[int, int]:
    """The lowest and highest grade that the value may have by its number."""
    surely = [
        each.step.grade for each in scenario.limits if _passes(term, each, reading, every=True)
    ]
    maybe = [
        each.step.grade for each in scenario.limits if _passes(term, each, reading, every=False)
    ]
    return max(surely, default=0), max((*maybe, *surely), default=0)


def _symptoms(term: Term, scenario: _Scenario, reading: Reading) -> int:
    """The highest grade that symptoms may give to the value."""
    passed = (each for each in scenario.limits if _passes(term, each, reading, every=True))
    return max((each.step.highest for each in passed), default=0)


def _passes(term: Term, limit: _Limit, reading: Reading, *, every: bool) -> bool:
    """Whether every value (or any) that the reading may be passes a limit.

    What is a multiple of something unknown is passed by no value for sure, and by any maybe.
    """
    amount = reading.amount
    assert amount is not None
    if limit.at is None:
        return not every
    # Mirrored for a lower limit: then passing always means to lie above.
    sign = 1 if term.direction is Direction.HIGH else -1
    value, at = sign * amount, sign * limit.at
    side = reading.comparator if sign == 1 else _MIRROR[reading.comparator]
    if side in {"", "<=" if not every else ">="}:
        return value > at or (limit.step.inclusive and value == at)
    if every:
        # All above `value`: its limit itself need not be passed. Nothing lies surely above
        # when only an upper end is known.
        return side == ">" and value >= at
    return side in {">", ">="} or value > at


_MIRROR = {"": "", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
