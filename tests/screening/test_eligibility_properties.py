"""What must hold for every person: no verdict hangs on a unit, an order, or an unrelated fact."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.eligibility.engine import evaluate
from screening.eligibility.facts import Answer
from screening.eligibility.verdicts import Outcome, State
from tests.screening.eligibility import (
    DAY_ZERO,
    MET,
    UNKNOWN,
    USUAL,
    allergy,
    confirmed,
    consent,
    eligible_person,
    facts,
    item,
    judged,
    lab,
    protocol_of,
    states,
    verdict,
)

#: An evaluation is dear; each example carries up to a dozen results.
few = settings(deadline=None, max_examples=30)

#: Analytes with a second unit, and numbers that convert exactly into it and back.
UNITS = {"BILI": "mg/dL", "CREAT": "mg/dL", "ALB": "g/dL", "CRP": "mg/dL", "FIBRINO": "mg/dL"}
PROTOCOLS = {"confirmed": confirmed(), "unconfirmed": protocol_of()}

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))


def _hours_before(result):
    return (DAY_ZERO - result.collected_at).total_seconds() / 3600


def numbers(low, high, places):
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


_PRINTED = {
    "BILI": numbers("0.1", "60", 1),
    "CREAT": numbers("0.2", "6", 2),
    "ALB": numbers("1.0", "6", 1),
    "CRP": numbers("0.1", "30", 1),
    "FIBRINO": numbers("20", "500", 0),
}


@st.composite
def same_patient_twice(draw):
    """Results as printed in the second unit, and the same amounts in the canonical one."""
    protocol = confirmed()
    conventional, canonical = [], []
    for analyte, unit in UNITS.items():
        for serial in range(draw(st.integers(0, 2))):
            value = draw(_PRINTED[analyte])
            comparator = draw(st.sampled_from(["", "", "", "<", ">"]))
            hours = draw(st.integers(1, 90))
            factor = protocol.labs.analyte(analyte).factor(unit)
            high = Decimal(1)
            one = lab(analyte, f"{comparator}{value}", unit, hours=hours, high="1", serial=serial)
            conventional.append(one)
            canonical.append(
                dataclasses.replace(
                    one,
                    text=f"{comparator}{value * factor}",
                    value=value * factor,
                    unit=USUAL[analyte],
                    high=high * factor,
                )
            )
    others = (lab("INR", str(draw(numbers("0.8", "6", 2)))), lab("SODIUM", "137"))
    return (*conventional, *others), (*canonical, *others)


@both_protocols
@few
@given(pair=same_patient_twice())
def test_the_unit_of_entry_never_changes_a_verdict(protocol, pair):
    printed, converted = (facts(*labs, sex="F", aetiology="other", dialysis=False) for labs in pair)
    assert states(printed, protocol) == states(converted, protocol)


@st.composite
def results(draw):
    analyte = draw(st.sampled_from(["BILI", "PTA", "INR", "CREAT", "CRP", "INTLK6", "ALB"]))
    return lab(
        analyte,
        draw(st.sampled_from(["", "<", ">="])) + str(draw(numbers("0.5", "400", 1))),
        hours=draw(st.integers(-3, 200)),
        laboratory=draw(st.sampled_from(["L1", "L2"])),
        draw=draw(st.none() | st.integers(1, 3)),
        high=draw(st.none() | st.just("10")),
        purified=draw(st.none() | st.integers(0, 40).map(str)),
        serial=draw(st.integers(0, 10**6)),
    )


PEOPLE = st.lists(results(), max_size=12)


@both_protocols
@few
@given(labs=PEOPLE, seed=st.randoms(use_true_random=False))
def test_the_order_of_facts_never_changes_an_evaluation(protocol, labs, seed):
    known = facts(*labs, sex="M", aetiology="other", dialysis=False)
    shuffled = list(labs)
    seed.shuffle(shuffled)
    assert evaluate(protocol, known) == evaluate(
        protocol, dataclasses.replace(known, labs=tuple(shuffled))
    )


@both_protocols
@few
@given(labs=PEOPLE)
def test_no_verdict_depends_on_the_caller_s_decimal_context(protocol, labs):
    known = facts(*labs, sex="M", aetiology="other", dialysis=False)
    plain = evaluate(protocol, known)
    with localcontext(prec=2):
        assert evaluate(protocol, known) == plain


def test_a_level_survives_a_caller_who_computes_with_two_digits():
    with localcontext(prec=2):
        found = verdict("IN03", facts(lab("BILI", "171.4")))
    assert found.state is MET
    assert found.evidence[0].canonical == Decimal("171.4")


UNRELATED = {
    "analyte": lambda known: dataclasses.replace(
        known, labs=(*known.labs, lab("K", "9.9", hours=1), lab("LACTICAC", "12", hours=1))
    ),
    "item": lambda known: dataclasses.replace(
        known, items={**known.items, "I.OTHER": (item("IV", hours=0.5),)}
    ),
    "mild allergy": lambda known: dataclasses.replace(
        known, allergies=None if known.allergies is None else (*known.allergies, allergy("x", ""))
    ),
    "later result": lambda known: dataclasses.replace(
        known, labs=(*known.labs, lab("BILI", "1", hours=-5), lab("PTA", "99", hours=-5))
    ),
    "liver history": lambda known: dataclasses.replace(known, chronic_liver_disease=True),
}


@pytest.mark.parametrize("addition", UNRELATED.values(), ids=list(UNRELATED))
@few
@given(labs=PEOPLE)
def test_an_unrelated_fact_never_changes_a_verdict(addition, labs):
    known = dataclasses.replace(eligible_person(), labs=tuple(labs))
    assert states(addition(known)) == states(known)


@both_protocols
@few
@given(labs=PEOPLE, more=results())
def test_an_older_result_never_turns_met_into_not_yet_known(protocol, labs, more):
    """Only something newer can take a satisfied criterion back."""
    oldest = max((_hours_before(one) for one in labs), default=0)
    older = dataclasses.replace(
        more, collected_at=DAY_ZERO - dt.timedelta(hours=oldest + 30 + _hours_before(more) % 24)
    )
    before = states(facts(*labs), protocol)
    after = states(facts(*labs, older), protocol)
    taken_back = [name for name, state in before.items() if state is MET and after[name] is UNKNOWN]
    assert taken_back == []


# Every combination around the bounds

AROUND: dict[str, dict[str, bool | None]] = {
    "birth_date": {
        "2008-11-22": False,
        "2008-11-21": True,
        "1960-11-22": True,
        "1960-11-21": False,
    },
    "BILI": {"170.9": None, "171": True, "171.1": True},
    "PTA": {"19.9": False, "20": True, "20.1": True, "39.9": True, "40": True, "40.1": False},
    "INR": {"1.49": False, "1.50": True, "1.51": True, "2.59": True, "2.60": True, "2.61": False},
    "he": {"I": True, "II": True, "III": False},
    "CRP": {"4.9": False, "5.0": False, "5.1": True},
}


def test_the_whole_grid_around_the_bounds_agrees_with_the_criteria():
    """Each criterion, one step below, at and above its bounds, in every combination."""
    protocol = confirmed()
    grid = itertools.product(*(AROUND[name] for name in ("birth_date", "BILI", "he", "CRP")))
    coagulation = list(itertools.product(AROUND["PTA"], AROUND["INR"]))
    for number, (birth, bilirubin, he, crp) in enumerate(grid):
        pta, inr = coagulation[number % len(coagulation)]
        found = states(_person(birth, bilirubin, pta, inr, he, crp), protocol)
        expected = {
            "IN01": AROUND["birth_date"][birth],
            "IN03": AROUND["BILI"][bilirubin],
            "IN04": AROUND["PTA"][pta] or AROUND["INR"][inr],
            "IN05": AROUND["he"][he],
            "IN06": AROUND["CRP"][crp],
        }
        assert {name: found[name] for name in expected} == {
            name: State.of(truth) for name, truth in expected.items()
        }


def _person(birth, bilirubin, pta, inr, he, crp):
    return eligible_person(
        lab("BILI", bilirubin),
        lab("PTA", pta, draw=1),
        lab("INR", inr, draw=1),
        lab("INTLK6", "1", high="7"),
        lab("CRP", crp, high="5"),
        without=("BILI", "PTA", "INR", "INTLK6", "CRP"),
        birth_date=birth,
        consent=consent(),
        items={"I.HE.HEGRADE": (item(he),)},
    )


@pytest.mark.parametrize(("pta", "inr"), list(itertools.product(AROUND["PTA"], AROUND["INR"])))
def test_every_pair_of_activity_and_inr_around_the_bounds(pta, inr):
    found = verdict("IN04", facts(lab("PTA", pta, draw=1), lab("INR", inr, draw=1)))
    assert found.state is State.of(AROUND["PTA"][pta] or AROUND["INR"][inr])


@few
@given(
    answers=st.dictionaries(
        st.sampled_from(["IN02", "IN07", "EX01", "EX03", "EX05", "EX06"]), st.sampled_from(Answer)
    ),
    labs=PEOPLE,
)
def test_nobody_is_eligible_unless_every_criterion_is_favourable(answers, labs):
    base = eligible_person()
    known = dataclasses.replace(
        base,
        labs=(*base.labs, *labs),
        judgements={**base.judgements, **{name: judged(one) for name, one in answers.items()}},
    )
    found = evaluate(confirmed(), known)
    favourable = [each.favourable for each in found.verdicts]
    assert (found.outcome is Outcome.ELIGIBLE) is all(favourable)
    assert (found.outcome is Outcome.INELIGIBLE) is (False in favourable)
    assert bool(found.missing) is (None in favourable)
