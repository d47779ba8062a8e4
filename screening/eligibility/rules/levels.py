"""A level reached, or a rise per day between two draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from itertools import product

from screening.eligibility.cases import (
    Case,
    Looked,
    Sample,
    agreed,
    later_than,
    microseconds,
    newest,
    result_needed,
    samples_of,
)
from screening.eligibility.measures import Limit, Truth, either
from screening.eligibility.readings import half_and_double
from screening.eligibility.verdicts import (
    Evidence,
    Finding,
    Flag,
    Kind,
    Missing,
    Need,
    Parameters,
    Reason,
    Why,
)
from trialsite.protocol.rules import LabAtLeastOrDailyRise

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
#: The rise is one per day, so two draws a day apart are beyond doubt.
_HOURS_OF_A_DAY = Decimal(24)
_SHOWN = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two draws of one laboratory and whether they rise enough."""

    earlier: Sample
    later: Sample
    elapsed: int
    truth: Truth
    at_threshold: bool

    @property
    def rate(self) -> Decimal | None:
        """The rise per day, for showing and ordering only, never above the true one."""
        rise = self.later.measure.minus(self.earlier.measure).exact
        if rise is None:
            return None
        return (rise * _DAY / self.elapsed).quantize(_SHOWN, rounding=ROUND_FLOOR)


def judge_level_or_rise(case: Case, rule: LabAtLeastOrDailyRise) -> Finding:
    """The latest result reaches the level, or any pair of draws rises enough."""
    looked = Looked(shown=case.shown)
    samples = samples_of(case, rule.analyte)
    latest = newest(samples)
    level = case.lab_limit(rule.level, "level", rule.analyte)
    looked.use(latest)
    looked.set_aside(later_than(samples, latest))
    if any(level.at(sample.measure) for sample in latest):
        looked.flags.add(Flag.AT_BOUNDARY)
    reached = agreed(
        latest,
        lambda sample: level.admits_from_above(sample.measure, case.reading),
        rule.analyte,
        looked,
    )
    if reached:
        return _finding(reached, _level_reason("level_reached", rule, latest), looked)
    pairs = _pairs(case, rule, samples)
    risen = either(*(pair.truth for pair in pairs))
    truth = either(reached, risen)
    deciding = _deciding(pairs, risen)
    if deciding:
        _show(looked, deciding, rule)
    elif _other_laboratory(case, rule, samples):
        looked.flags.add(Flag.CROSS_LAB)
    if truth is None:
        _ask(looked, rule, samples, latest, pairs)
    return _finding(truth, _reason(truth, rule, latest, deciding), looked)


def _finding(truth: Truth, reason: Reason, looked: Looked) -> Finding:
    return Finding(
        truth=truth,
        reason=reason,
        flags=frozenset(looked.flags),
        evidence=tuple(looked.evidence),
        missing=tuple(looked.missing) if truth is None else (),
    )


def _pairs(case: Case, rule: LabAtLeastOrDailyRise, samples: list[Sample]) -> list[_Pair]:
    """Admissible pairs of one laboratory, the later one fresh enough to be an eligibility
    result; the earlier may be older, as routine care before consent often is."""
    limit = case.lab_limit(rule.daily_rise, "daily_rise", rule.analyte)
    found = []
    for later, earlier in _candidates(samples):
        if later.fact.laboratory != earlier.fact.laboratory:
            continue
        elapsed = microseconds(later.fact.collected_at - earlier.fact.collected_at)
        if _admitted(case, rule, elapsed):
            found.append(_pair(case, limit, later, earlier, elapsed))
    return found


def _candidates(samples: list[Sample]) -> list[tuple[Sample, Sample]]:
    earlier_ones = [sample for sample in samples if sample.why in {None, Why.STALE}]
    return [
        (later, earlier)
        for later, earlier in product(samples, earlier_ones)
        if later.usable
        and later.fact.collected_at > earlier.fact.collected_at
        and not _purified_between(later, earlier)
    ]


def _purified_between(later: Sample, earlier: Sample) -> bool:
    hours = later.fact.hours_since_purification
    elapsed = microseconds(later.fact.collected_at - earlier.fact.collected_at)
    return hours is not None and hours * _HOUR < elapsed


def _admitted(case: Case, rule: LabAtLeastOrDailyRise, elapsed: int) -> bool:
    """Whether two draws so far apart make a pair."""
    half, double = half_and_double(rule.minimum_hours)
    shorter = tuple(min(hours, _HOURS_OF_A_DAY) for hours in (Decimal(0), half, double))
    least = case.reading.choose(
        case.path("minimum_hours"),
        rule.minimum_hours,
        shorter,
        lambda hours: elapsed >= hours * _HOUR,
    )
    if elapsed < least * _HOUR:
        return False
    half, double = half_and_double(rule.maximum_hours)
    longer = (None, max(half, _HOURS_OF_A_DAY), double)
    most = case.reading.choose(
        case.path("maximum_hours"),
        rule.maximum_hours,
        longer,
        lambda hours: hours is None or elapsed <= hours * _HOUR,
    )
    return most is None or elapsed <= most * _HOUR


def _pair(case: Case, limit: Limit, later: Sample, earlier: Sample, elapsed: int) -> _Pair:
    """rise / elapsed >= threshold / day, multiplied out so that nothing is divided."""
    rise = later.measure.minus(earlier.measure).times(Decimal(_DAY))
    scaled = Limit(bound=limit.bound, path=limit.path, factor=limit.factor * elapsed)
    truth = scaled.admits_from_above(rise, case.reading)
    return _Pair(earlier, later, elapsed, truth, scaled.at(rise))


def _deciding(pairs: list[_Pair], risen: Truth) -> _Pair | None:
    """The steepest pair among those that say what the verdict says."""
    telling = [pair for pair in pairs if pair.truth is risen]
    return max(telling, key=_steepness, default=None)


def _steepness(pair: _Pair) -> tuple[bool, Decimal, int]:
    rate = pair.rate
    return rate is not None, rate or Decimal(0), -pair.elapsed


def _other_laboratory(case: Case, rule: LabAtLeastOrDailyRise, samples: list[Sample]) -> bool:
    """Whether draws of two laboratories would have risen enough; they are not compared."""
    limit = case.lab_limit(rule.daily_rise, "daily_rise", rule.analyte)
    for later, earlier in _candidates(samples):
        elapsed = microseconds(later.fact.collected_at - earlier.fact.collected_at)
        hours = (rule.minimum_hours * _HOUR, rule.maximum_hours * _HOUR)
        rise = later.measure.minus(earlier.measure).times(Decimal(_DAY))
        threshold = rule.daily_rise.value * limit.factor * elapsed
        if hours[0] <= elapsed <= hours[1] and rise.reaches(threshold, inclusive=True):
            return True
    return False


def _show(looked: Looked, pair: _Pair, rule: LabAtLeastOrDailyRise) -> None:
    # The earlier draw may be older than an eligibility result: here it is one all the same.
    looked.use((pair.later, replace(pair.earlier, why=None)))
    if pair.at_threshold:
        looked.flags.add(Flag.AT_BOUNDARY)
    looked.evidence.append(
        Evidence(
            kind=Kind.RISE,
            name=rule.analyte,
            text="" if pair.rate is None else str(pair.rate),
            unit=pair.later.canonical_unit,
            at=pair.later.fact.collected_at,
            parameters={
                "hours": _hours(pair.elapsed),
                "since": pair.earlier.fact.collected_at,
                "laboratory": pair.later.fact.laboratory,
            },
        )
    )


def _hours(elapsed: int) -> Decimal:
    return (Decimal(elapsed) / _HOUR).quantize(Decimal("0.01"), rounding=ROUND_FLOOR)


def _ask(
    looked: Looked,
    rule: LabAtLeastOrDailyRise,
    samples: list[Sample],
    latest: list[Sample],
    pairs: list[_Pair],
) -> None:
    if not latest:
        looked.missing.append(result_needed(rule.analyte, samples))
    elif not pairs:
        hours: Parameters = {"hours": rule.minimum_hours, "laboratory": latest[0].fact.laboratory}
        looked.missing.append(Missing(need=Need.SECOND_DRAW, name=rule.analyte, parameters=hours))
    elif not looked.missing:
        looked.missing.append(Missing(need=Need.EXACT_RESULT, name=rule.analyte))


def _level_reason(code: str, rule: LabAtLeastOrDailyRise, latest: list[Sample]) -> Reason:
    sample = latest[0]
    return Reason(
        code=code,
        parameters={
            "analyte": rule.analyte,
            "value": sample.fact.text,
            "unit": sample.fact.unit,
            "canonical": "" if sample.canonical is None else sample.canonical,
            "canonical_unit": sample.canonical_unit,
            "threshold": rule.level.value,
            "threshold_unit": rule.level.unit,
        },
    )


def _reason(
    truth: Truth, rule: LabAtLeastOrDailyRise, latest: list[Sample], pair: _Pair | None
) -> Reason:
    if truth is None:
        return Reason(code="not_enough")
    if not truth:
        reason = _level_reason("neither_level_nor_rise", rule, latest)
        return Reason(code=reason.code, parameters={**reason.parameters, **_rise(rule, pair)})
    return Reason(code="rise_reached", parameters={"analyte": rule.analyte, **_rise(rule, pair)})


def _rise(rule: LabAtLeastOrDailyRise, pair: _Pair | None) -> dict[str, str | Decimal]:
    rate = pair.rate if pair else None
    return {
        "rise": "" if rate is None else rate,
        "hours": _hours(pair.elapsed) if pair else "",
        "rise_threshold": rule.daily_rise.value,
        "rise_unit": rule.daily_rise.unit,
    }
