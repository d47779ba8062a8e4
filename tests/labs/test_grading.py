"""The severity of laboratory values by CTCAE 5.0."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.labs.graded_cases import Context, cases
from trialsite.labs.grading import TERMS, Baseline, LabGrade, Reading, Why, grade_of
from trialsite.labs.results import Flag, canonical_of, flag_of
from trialsite.protocol import Protocol, load, study_path
from trialsite.protocol.labs import Analyte

STUDY: Protocol = load(study_path("nct06904755"))
COMPARED = re.compile(r"([<>]=?)?(.+)")
CASES = cases()


def number(text: str) -> tuple[str, Decimal]:
    found = COMPARED.fullmatch(text)
    assert found
    return found[1] or "", Decimal(found[2])


def baseline_of(context: Context) -> Baseline | None:
    if context.baseline in {"", "-"}:
        return None
    text, flag = context.baseline.split()
    comparator, amount = number(text)
    return Baseline(amount=amount, flag=Flag(flag), comparator=comparator)


def graded(context: Context, value: str) -> LabGrade:
    analyte = STUDY.labs.analyte(context.analyte)
    comparator, amount = number(value)
    reading = Reading(
        value=amount,
        comparator=comparator,
        low=Decimal(context.low) if context.low else None,
        high=Decimal(context.high) if context.high else None,
    )
    return grade_of(
        [TERMS[key] for key in analyte.ctcae],
        reading,
        factor=analyte.factor,
        baseline=baseline_of(context),
        before_treatment=context.baseline == "-",
        anticoagulated=context.anticoagulated,
    )


def said(grade: LabGrade) -> str:
    return grade.said if grade.grade is not None else f"?{grade.why}"


def test_there_are_at_least_two_hundred_cases():
    assert len({(case[0], case[1]) for case in CASES}) >= 200


@pytest.mark.parametrize(
    ("context", "value", "expected"),
    CASES,
    ids=[f"{c.analyte} {v} bl {c.baseline or 'none'}" for c, v, _ in CASES],
)
def test_a_value_has_the_grade_that_the_wording_gives_it(context, value, expected):
    assert said(graded(context, value)) == expected


def test_every_grade_says_its_version_and_every_positive_one_its_term():
    for context, value, _expected in CASES:
        found = graded(context, value)
        assert found.version == "CTCAE 5.0"
        assert bool(found.grade) == bool(found.term)
        assert found.gradable or found.why


def test_every_term_that_the_protocol_names_is_transcribed():
    named = {key for analyte in STUDY.labs.analytes for key in analyte.ctcae}
    assert named
    assert named <= TERMS.keys()


@pytest.mark.parametrize("key", sorted(TERMS))
def test_the_steps_of_a_term_lie_in_the_order_of_their_grades(key):
    """A worse value never has a lower grade."""
    term = TERMS[key]
    for steps in (term.steps, term.abnormal, term.treated):
        for of in {step.of for step in steps}:
            same = sorted((step for step in steps if step.of is of), key=lambda step: step.grade)
            limits = [(step.times, step.over) for step in same]
            assert limits == sorted(limits, reverse=term.direction == "low")


def test_a_value_in_a_unit_that_the_analyte_does_not_have_is_not_gradable():
    def none(unit: str) -> Decimal:
        raise LookupError(unit)

    found = grade_of([TERMS["anemia"]], Reading(value=Decimal(90)), factor=none)
    assert (found.grade, found.why) == (None, Why.UNIT)


def test_nothing_measured_has_no_grade():
    found = grade_of([TERMS["anemia"]], Reading(value=None), factor=lambda _unit: Decimal(1))
    assert (found.grade, found.why) == (None, Why.NO_VALUE)


GRADABLE = [each for each in STUDY.labs.analytes if each.ctcae and each.units]
AMOUNTS = st.decimals(0, 5000, allow_nan=False, allow_infinity=False, places=3)


@drawn(
    analyte=st.sampled_from(GRADABLE),
    value=AMOUNTS,
    ends=st.tuples(st.none() | AMOUNTS, st.none() | AMOUNTS),
    before=AMOUNTS,
    flag=st.sampled_from(Flag),
    side=st.sampled_from(["", "<", "<=", ">", ">="]),
    data=st.data(),
)
def test_grade_and_flag_are_the_same_in_the_unit_reported_and_the_canonical_one(
    analyte: Analyte, value, ends, before, flag, side, data
):
    unit = data.draw(st.sampled_from([each.unit for each in analyte.units]))
    terms = [TERMS[key] for key in analyte.ctcae]
    baseline = Baseline(amount=before, flag=flag)
    factor = analyte.factor(unit)

    def by(reading: Reading) -> LabGrade:
        return grade_of(
            terms, reading, factor=analyte.factor, baseline=baseline, anticoagulated=False
        )

    low, high = ends
    if low is not None and high is not None and low > high:
        low, high = high, low
    reported = Reading(
        value=value, comparator=side, low=low, high=high, factor=factor, limit_factor=factor
    )
    there, low_there, high_there = (
        None if each is None else canonical_of(analyte, each, unit) for each in (value, low, high)
    )
    canonical = Reading(value=there, comparator=side, low=low_there, high=high_there)
    assert by(reported) == by(canonical)
    assert flag_of(side, value, low, high) == flag_of(side, there, low_there, high_there)


@drawn(
    key=st.sampled_from(sorted(TERMS)),
    values=st.tuples(AMOUNTS, AMOUNTS),
    limits=st.tuples(AMOUNTS, AMOUNTS),
    before=AMOUNTS,
    flag=st.sampled_from([Flag.LOW, Flag.NORMAL, Flag.HIGH]),
)
def test_the_worse_value_never_has_the_lower_grade(key, values, limits, before, flag):
    term = TERMS[key]
    milder, worse = sorted(values, reverse=term.direction == "low")

    def by(value: Decimal) -> int:
        found = grade_of(
            [term],
            Reading(value=value, low=min(limits), high=max(limits)),
            factor=lambda _unit: Decimal(1),
            baseline=Baseline(amount=before, flag=flag),
            anticoagulated=False,
        )
        assert found.grade is not None
        return found.grade

    assert by(milder) <= by(worse)


def test_no_binary_fraction_moves_a_limit():
    """1.1 x 3 is 3.3 exactly; in binary floats it is a little more."""
    assert 1.1 * 3 > 3.3
    context = Context("ALT", "0.5", "1.1", "1 normal")
    assert [said(graded(context, each)) for each in ("3.3", "3.30001")] == ["1", "2"]
