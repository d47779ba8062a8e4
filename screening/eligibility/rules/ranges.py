"""Results against ranges: those of the protocol, and the reporting laboratory's own."""

from __future__ import annotations

from decimal import Decimal

from screening.eligibility.cases import (
    Case,
    Looked,
    Sample,
    agreed,
    cross_lab,
    later_than,
    newest,
    result_needed,
    samples_of,
)
from screening.eligibility.measures import Measure, Truth, both, either
from screening.eligibility.readings import half_and_double
from screening.eligibility.verdicts import Finding, Flag, Missing, Need, Parameters, Reason, Why
from trialsite.protocol.rules import AnalyteRange, AnyAboveUln, EitherRange

_Picked = dict[str, list[Sample]]


def judge_either_range(case: Case, rule: EitherRange) -> Finding:
    """Any one of the analytes is in its range; one missing while the other fails is unknown."""
    looked = Looked(shown=case.shown)
    samples = {option.analyte: samples_of(case, option.analyte) for option in rule.alternatives}
    picked = _picked(case, rule, samples)
    truths: dict[str, Truth] = {}
    for option in rule.alternatives:
        truths[option.analyte] = _in_range(case, option, picked[option.analyte], looked)
    used = [sample for each in picked.values() for sample in each]
    for each in samples.values():
        looked.set_aside(later_than(each, used))
    if set(truths.values()) >= {True, False}:
        looked.flags.add(Flag.DISCORDANT)
    if cross_lab(used):
        looked.flags.add(Flag.CROSS_LAB)
    truth = either(*truths.values())
    absent = [name for name in truths if not picked[name]]
    looked.missing += [result_needed(name, samples[name]) for name in absent]
    return Finding(
        truth=truth,
        reason=_range_reason(rule, truths, truth, picked),
        flags=frozenset(looked.flags),
        evidence=tuple(looked.evidence),
        missing=tuple(looked.missing) if truth is None else (),
    )


def _picked(case: Case, rule: EitherRange, samples: dict[str, list[Sample]]) -> _Picked:
    """The results compared: all of the newest draw, or the newest of each analyte."""
    each = {analyte: newest(found) for analyte, found in samples.items()}
    moments = [found[0].fact.collected_at for found in each.values() if found]
    draws = {
        sample.draw
        for found in each.values()
        for sample in found
        if sample.fact.collected_at == max(moments)
    }
    one = {
        analyte: [sample for sample in found if sample.usable and sample.draw in draws]
        for analyte, found in samples.items()
    }
    same = case.reading.choose(
        case.path("same_draw"),
        rule.same_draw,
        (not rule.same_draw,),
        lambda together: one if together else each,
    )
    return one if same else each


def _in_range(case: Case, option: AnalyteRange, samples: list[Sample], looked: Looked) -> Truth:
    name = f"alternatives.{option.analyte}"
    lower = case.lab_limit(option.lower, f"{name}.lower", option.analyte)
    upper = case.lab_limit(option.upper, f"{name}.upper", option.analyte)
    looked.use(samples)
    if any(limit.at(sample.measure) for limit in (lower, upper) for sample in samples):
        looked.flags.add(Flag.AT_BOUNDARY)
    return agreed(
        samples,
        lambda sample: both(
            lower.admits_from_above(sample.measure, case.reading),
            upper.admits_from_below(sample.measure, case.reading),
        ),
        option.analyte,
        looked,
    )


def _range_reason(
    rule: EitherRange, truths: dict[str, Truth], truth: Truth, picked: _Picked
) -> Reason:
    if truth is None:
        return Reason(code="not_enough")
    if not truth:
        return Reason(code="none_in_range", parameters=_said(truths, picked))
    deciding = next(option for option in rule.alternatives if truths[option.analyte])
    sample = picked[deciding.analyte][0]
    return Reason(
        code="in_range",
        parameters={
            "analyte": deciding.analyte,
            "value": sample.fact.text,
            "unit": sample.fact.unit,
            "lower": deciding.lower.value,
            "upper": deciding.upper.value,
            "range_unit": deciding.lower.unit,
        },
    )


def _said(truths: dict[str, Truth], picked: _Picked) -> Parameters:
    """Every analyte with its value as reported."""
    facts = [picked[name][0].fact for name in truths]
    return {
        "analytes": tuple(fact.analyte for fact in facts),
        "values": tuple(fact.text for fact in facts),
        "units": tuple(fact.unit for fact in facts),
    }


def judge_any_above_uln(case: Case, rule: AnyAboveUln) -> Finding:
    """Any marker exceeds the reporting laboratory's upper limit, in the unit reported."""
    looked = Looked(shown=case.shown)
    without_one = [tuple(one for one in rule.analytes if one != left) for left in rule.analytes]
    analytes = case.reading.choose(case.path("analytes"), rule.analytes, without_one)
    truths: dict[str, Truth] = {}
    picked: _Picked = {}
    for analyte in analytes:
        samples = samples_of(case, analyte, canonical=False)
        picked[analyte] = newest(samples)
        truths[analyte] = _above(case, rule, analyte, picked[analyte], looked)
        looked.set_aside(later_than(samples, picked[analyte]))
        if not picked[analyte]:
            looked.missing.append(result_needed(analyte, samples))
    truth = either(*truths.values())
    return Finding(
        truth=truth,
        reason=_uln_reason(rule, truths, truth, picked),
        flags=frozenset(looked.flags),
        evidence=tuple(looked.evidence),
        missing=tuple(looked.missing) if truth is None else (),
    )


def _above(
    case: Case, rule: AnyAboveUln, analyte: str, samples: list[Sample], looked: Looked
) -> Truth:
    ranged = [sample for sample in samples if sample.fact.high is not None]
    looked.use(ranged)
    unranged = [_without_range(sample) for sample in samples if sample.fact.high is None]
    looked.set_aside(unranged)
    looked.missing += [
        Missing(need=Need.RANGE, name=analyte, parameters={"laboratory": sample.fact.laboratory})
        for sample in unranged
    ]
    if unranged:
        return None
    if any(_at_limit(sample, rule.times_uln) for sample in ranged):
        looked.flags.add(Flag.AT_BOUNDARY)
    return agreed(
        ranged, lambda sample: _exceeds(case, rule, sample.measure, _high(sample)), analyte, looked
    )


def _without_range(sample: Sample) -> Sample:
    return Sample(
        sample.fact,
        sample.measure,
        sample.canonical,
        sample.canonical_unit,
        Why.NO_RANGE,
        sample.marks,
    )


def _high(sample: Sample) -> Decimal:
    assert sample.fact.high is not None
    return sample.fact.high


def _at_limit(sample: Sample, times: Decimal) -> bool:
    return sample.measure.exact is not None and sample.measure.exact == _high(sample) * times


def _exceeds(case: Case, rule: AnyAboveUln, measure: Measure, high: Decimal) -> Truth:
    def judge(times: Decimal, inclusive: bool) -> Truth:  # noqa: FBT001 (the rule's own two)
        return measure.reaches(high * times, inclusive=inclusive)

    doubted = tuple(max(Decimal(1), times) for times in half_and_double(rule.times_uln))
    times = case.reading.choose(
        case.path("times_uln"),
        rule.times_uln,
        doubted,
        lambda option: (judge(option, True), judge(option, False)),  # noqa: FBT003
    )
    inclusive = case.reading.choose(
        case.path("inclusive"),
        rule.inclusive,
        (not rule.inclusive,),
        lambda option: judge(times, option),
    )
    return judge(times, inclusive)


def _uln_reason(
    rule: AnyAboveUln, truths: dict[str, Truth], truth: Truth, picked: _Picked
) -> Reason:
    if truth is None:
        return Reason(code="not_enough")
    if not truth:
        return Reason(code="none_above_limit", parameters=_said(truths, picked))
    analyte = next(name for name in truths if truths[name])
    sample = picked[analyte][0]
    return Reason(
        code="above_limit",
        parameters={
            "analyte": analyte,
            "value": sample.fact.text,
            "unit": sample.fact.unit,
            "limit": _high(sample),
            "times": rule.times_uln,
            "laboratory": sample.fact.laboratory,
        },
    )
