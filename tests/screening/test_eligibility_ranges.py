"""Prothrombin activity or INR; inflammatory markers above the laboratory's limit."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from screening.eligibility.engine import evaluate
from screening.eligibility.verdicts import Flag, Need, Why
from tests.screening.eligibility import (
    FIRST,
    MET,
    NOT_MET,
    SECOND,
    UNKNOWN,
    confirmed,
    confirmed_except,
    facts,
    lab,
    texts_used,
    verdict,
)

BOUND = "alternatives.{}.{}.inclusive"
_LISTED = ("20", "40", "1.5", "2.6")


def strict(value, unit):
    """The protocol in which the bound of this value does not count itself."""
    old = f"value: {value}, unit: {unit}, inclusive: {{value: true"
    return confirmed(FIRST, ((old, old.replace("true", "false")),))


def coagulation(pta=None, inr=None, protocol=None, **drawn):
    labs = []
    if pta is not None:
        labs.append(lab("PTA", pta, draw=1))
    if inr is not None:
        labs.append(lab("INR", inr, draw=1, **drawn))
    return verdict("IN04", facts(*labs), protocol)


@pytest.mark.parametrize(
    ("pta", "inr", "state", "discordant"),
    [
        pytest.param("44", "1.5", MET, True, id="INR alone"),
        pytest.param("18", "2.5", MET, True, id="INR alone, activity below"),
        pytest.param("30", "3.0", MET, True, id="activity alone"),
        pytest.param("30", "1.9", MET, False, id="both"),
        pytest.param("42", None, UNKNOWN, False, id="activity out, INR missing"),
        pytest.param(None, "2.7", UNKNOWN, False, id="INR out, activity missing"),
        pytest.param("30", None, MET, False, id="activity in, INR missing"),
        pytest.param(None, "1.9", MET, False, id="INR in, activity missing"),
        pytest.param("42", "2.7", NOT_MET, False, id="both out"),
        pytest.param("18", "1.2", NOT_MET, False, id="both out on the other sides"),
        pytest.param(None, None, UNKNOWN, False, id="nothing"),
        pytest.param("20.0", None, MET, False, id="20 as the listing says it"),
    ],
)
def test_the_truth_table(pta, inr, state, discordant):
    found = coagulation(pta, inr)
    assert found.state is state
    assert (Flag.DISCORDANT in found.flags) is discordant
    given = {"PTA": pta, "INR": inr}
    wanted = {name for name, text in given.items() if text is None}
    assert {one.name for one in found.missing} == (wanted if state is UNKNOWN else set())


def test_20_percent_is_out_under_the_strict_reading():
    assert coagulation("20.0", "3.0", strict(20, '"%"')).state is NOT_MET


@pytest.mark.parametrize(
    ("analyte", "bound", "value", "step", "unit"),
    [
        ("PTA", "lower", "20", "0.1", '"%"'),
        ("PTA", "upper", "40", "0.1", '"%"'),
        ("INR", "lower", "1.5", "0.01", '"{INR}"'),
        ("INR", "upper", "2.6", "0.01", '"{INR}"'),
    ],
)
def test_each_bound_in_both_modes_and_unconfirmed(analyte, bound, value, step, unit):
    """One step below, at and above the bound, with the other analyte out of its range."""
    other = lab("INR", "5.0", draw=1) if analyte == "PTA" else lab("PTA", "90", draw=1)
    inwards = Decimal(step) if bound == "lower" else -Decimal(step)
    path = f"criteria.IN04.rule.alternatives.{analyte}.{bound}.inclusive"
    cases = {"out": Decimal(value) - inwards, "at": Decimal(value), "in": Decimal(value) + inwards}
    expected = {
        "out": (NOT_MET, NOT_MET, NOT_MET),
        "at": (MET, NOT_MET, UNKNOWN),
        "in": (MET, MET, MET),
    }
    protocols = (confirmed(), strict(value, unit), confirmed_except(path))
    for name, text in cases.items():
        known = facts(lab(analyte, str(text), draw=1), other)
        found = [verdict("IN04", known, protocol) for protocol in protocols]
        assert tuple(one.state for one in found) == expected[name]
        assert all((Flag.AT_BOUNDARY in one.flags) is (name == "at") for one in found)
        assert found[2].assumptions == ((path,) if name == "at" else ())


def test_an_unconfirmed_bound_does_not_matter_where_the_other_analyte_satisfies():
    found = coagulation("40", "1.9", confirmed_except("criteria.IN04"))
    assert (found.state, found.assumptions) == (MET, ())


@pytest.mark.parametrize(
    ("pta", "inr", "state"),
    [
        ("<10", "<1.0", NOT_MET),
        ("<20", ">8", NOT_MET),
        ("<=20", ">8", UNKNOWN),
        ("<30", ">8", UNKNOWN),
        (">40", ">2.6", NOT_MET),
        (">=40", ">8", UNKNOWN),
        ("<10", "2.0", MET),
    ],
)
def test_limits_decide_where_logic_allows(pta, inr, state):
    found = coagulation(pta, inr)
    assert found.state is state
    assert Flag.CENSORED in found.flags


def test_both_are_read_from_the_newest_draw():
    newer = lab("INR", "2.9", hours=1, draw=2)
    older = (lab("PTA", "30", hours=5, draw=1), lab("INR", "2.0", hours=5, draw=1))
    found = verdict("IN04", facts(newer, *older))
    assert found.state is UNKNOWN
    assert texts_used(found) == ["2.9"]
    assert [one.name for one in found.missing] == ["PTA"]


def test_with_separate_draws_allowed_each_analyte_gives_its_newest():
    apart = confirmed(FIRST, (("same_draw: {value: true", "same_draw: {value: false"),))
    newer = lab("INR", "2.9", hours=1, draw=2)
    older = (lab("PTA", "30", hours=5, draw=1), lab("INR", "2.0", hours=5, draw=1))
    found = verdict("IN04", facts(newer, *older), apart)
    assert found.state is MET
    assert sorted(texts_used(found)) == ["2.9", "30"]


def test_whether_one_draw_is_needed_matters_where_the_draws_differ():
    open_draw = confirmed_except("criteria.IN04.rule.same_draw")
    found = verdict(
        "IN04", facts(lab("INR", "1.9", hours=5, draw=1), lab("PTA", "60", draw=2)), open_draw
    )
    assert (found.state, found.as_written) == (UNKNOWN, UNKNOWN)
    decided = verdict(
        "IN04",
        facts(lab("INR", "5", draw=2), lab("PTA", "60", draw=2), lab("PTA", "30", hours=3, draw=1)),
        open_draw,
    )
    assert decided.state is NOT_MET


def test_without_panels_results_of_one_moment_and_laboratory_are_one_draw():
    labs = (lab("PTA", "60"), lab("INR", "1.9"))
    assert verdict("IN04", facts(*labs)).state is MET
    elsewhere = (lab("PTA", "60", hours=1), lab("INR", "1.9", laboratory="L2"))
    assert verdict("IN04", facts(*elsewhere)).state is UNKNOWN


def test_results_after_a_purification_are_set_aside():
    found = verdict("IN04", facts(lab("PTA", "30", draw=1, purified="4")))
    assert found.state is UNKNOWN
    assert found.evidence[0].why is Why.POST_PURIFICATION
    assert {one.need for one in found.missing} == {Need.FRESH_RESULT, Need.RESULT}


@pytest.mark.parametrize(
    ("text", "state"),
    [("3.4", NOT_MET), ("3.5", MET), ("5.4", MET), ("5.5", NOT_MET), ("5.6", NOT_MET)],
)
def test_another_study_has_one_range_and_strict_upper_bound(text, state):
    assert verdict("IN02", facts(lab("K", text)), confirmed(SECOND)).state is state
    assert verdict("IN02", facts(lab("K", text, "meq/L")), confirmed(SECOND)).state is state


# Inflammatory markers


def markers(*labs, protocol=None):
    return verdict("IN06", facts(*labs), protocol)


def marker(analyte, text, high, **drawn):
    return lab(analyte, text, high=high, **drawn)


NORMAL = (marker("INTLK6", "3", "7"), marker("TNF", "4", "8.1"), marker("CRP", "2", "5"))


@pytest.mark.parametrize(
    ("text", "state", "boundary"),
    [("7.0", NOT_MET, True), ("6.9", NOT_MET, False), ("7.1", MET, False), (">150", MET, False)],
)
def test_any_marker_above_the_limit_of_the_reporting_laboratory(text, state, boundary):
    found = markers(marker("INTLK6", text, "7"), *NORMAL[1:])
    assert found.state is state
    assert (Flag.AT_BOUNDARY in found.flags) is boundary


@pytest.mark.parametrize("raised", list(itertools.product([False, True, None], repeat=3)))
def test_one_raised_marker_is_enough_and_only_all_normal_is_not_met(raised):
    texts = {False: "1", True: "99"}
    labs = [
        marker(name, texts[each], "7")
        for name, each in zip(("INTLK6", "TNF", "CRP"), raised, strict=True)
        if each is not None
    ]
    found = markers(*labs)
    expected = MET if True in raised else UNKNOWN if None in raised else NOT_MET
    assert found.state is expected
    assert len(found.missing) == (raised.count(None) if expected is UNKNOWN else 0)


def test_a_marker_without_the_laboratory_s_range_is_not_judged():
    found = markers(lab("CRP", "80"))
    assert found.state is UNKNOWN
    assert found.evidence[0].why is Why.NO_RANGE
    need = next(one for one in found.missing if one.need is Need.RANGE)
    assert (need.name, need.parameters) == ("CRP", {"laboratory": "L1"})


def test_the_range_is_read_in_the_unit_reported():
    """4 mg/dL against an upper limit of 0.5 mg/dL, though 4 mg/L would be normal."""
    assert markers(lab("CRP", "4", "mg/dL", high="0.5")).state is MET
    assert markers(lab("CRP", "0.4", "mg/dL", high="0.5"), *NORMAL[:2]).state is NOT_MET


@pytest.mark.parametrize(
    ("text", "state"),
    [("<0.5", NOT_MET), ("<7", NOT_MET), ("<10", UNKNOWN), (">=7", UNKNOWN), (">7", MET)],
)
def test_a_limit_decides_a_marker_where_logic_allows(text, state):
    assert markers(marker("INTLK6", text, "7"), *NORMAL[1:]).state is state


def test_an_older_raised_marker_does_not_count_once_it_is_normal():
    older = marker("CRP", "80", "5", hours=30)
    assert markers(older, *NORMAL).state is NOT_MET
    assert markers(older, *NORMAL[:2]).state is MET


class TestUnconfirmedCutOff:
    OPEN = ("criteria.IN06.rule",)

    @pytest.mark.parametrize(
        ("text", "state"),
        [("6.9", NOT_MET), ("7.0", UNKNOWN), ("7.1", UNKNOWN), ("14", UNKNOWN), ("14.1", MET)],
    )
    def test_up_to_twice_the_limit_rests_on_the_cut_off(self, text, state):
        found = markers(
            marker("INTLK6", text, "7"), *NORMAL[1:], protocol=confirmed_except(*self.OPEN)
        )
        assert found.state is state

    def test_the_assumption_is_named(self):
        found = markers(
            marker("INTLK6", "7.1", "7"), *NORMAL[1:], protocol=confirmed_except(*self.OPEN)
        )
        assert found.assumptions == ("criteria.IN06.rule.times_uln",)

    def test_the_limit_itself_rests_on_the_mode_alone(self):
        path = "criteria.IN06.rule.inclusive"
        found = markers(marker("INTLK6", "7", "7"), *NORMAL[1:], protocol=confirmed_except(path))
        assert (found.state, found.assumptions) == (UNKNOWN, (path,))
        counting = confirmed(
            FIRST,
            (
                (
                    "inclusive: {value: false, source: assumption}",
                    "inclusive: {value: true, source: assumption}",
                ),
            ),
        )
        assert markers(marker("INTLK6", "7", "7"), *NORMAL[1:], protocol=counting).state is MET


def test_the_rule_and_the_version_it_comes_from_stand_in_the_evaluation():
    evaluation = evaluate(confirmed(), facts(lab("PTA", "30", draw=1)))
    found = evaluation.verdict("IN04")
    assert found.rule == "either_range"
    assert found.parameters["alternatives.PTA.upper.value"] == Decimal(40)
    assert found.parameters["alternatives.PTA.upper.inclusive"] is True
    assert evaluation.protocol_version == confirmed().version
    assert evaluation.protocol_hash == confirmed().content_hash
