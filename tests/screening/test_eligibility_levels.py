"""Bilirubin: a level, or a rise per day between two draws."""

from __future__ import annotations

from decimal import Decimal

import pytest

from screening.eligibility.verdicts import Flag, Kind, Need, Why
from tests.screening.eligibility import (
    FIRST,
    MET,
    NOT_MET,
    UNKNOWN,
    confirmed,
    confirmed_except,
    facts,
    lab,
    protocol_of,
    texts_used,
    verdict,
)

HOURS = ("criteria.IN03.rule.minimum_hours", "criteria.IN03.rule.maximum_hours")


def bilirubin(*labs, protocol=None):
    return verdict("IN03", facts(*labs), protocol)


def two(first, second, hours, unit="umol/L", **later):
    return (
        lab("BILI", first, unit, hours=2 + hours),
        lab("BILI", second, unit, hours=2, **later),
    )


@pytest.mark.parametrize(
    ("text", "unit", "state"),
    [
        ("170.9", "umol/L", UNKNOWN),
        ("171", "umol/L", MET),
        ("171.0", "umol/L", MET),
        ("171.1", "umol/L", MET),
        pytest.param("10.0", "mg/dL", MET, id="10.0 mg/dL is 171.04"),
        pytest.param("9.9", "mg/dL", UNKNOWN, id="9.9 mg/dL is 169.33"),
    ],
)
def test_the_latest_level_decides_alone_and_without_it_a_second_draw_is_needed(text, unit, state):
    found = bilirubin(lab("BILI", text, unit))
    assert found.state is state
    if state is UNKNOWN:
        (need,) = found.missing
        assert (need.need, need.name) == (Need.SECOND_DRAW, "BILI")
        assert need.parameters == {"hours": Decimal(20), "laboratory": "L1"}


def test_exactly_at_the_level_is_flagged():
    assert Flag.AT_BOUNDARY in bilirubin(lab("BILI", "171")).flags
    assert Flag.AT_BOUNDARY not in bilirubin(lab("BILI", "171.1")).flags


def test_a_strict_level_leaves_its_own_value_out():
    strict = confirmed(
        FIRST,
        (
            (
                "level: {value: 171, unit: umol/L, inclusive: true}",
                "level: {value: 171, unit: umol/L, inclusive: false}",
            ),
        ),
    )
    assert bilirubin(*two("171", "171", 24), protocol=strict).state is NOT_MET
    assert bilirubin(*two("171", "171.1", 24), protocol=strict).state is MET


@pytest.mark.parametrize(
    ("first", "second", "hours", "state"),
    [
        pytest.param("150.0", "165.0", 21, MET, id="17.142857 a day"),
        pytest.param("150", "160", 24, NOT_MET, id="10 a day"),
        pytest.param("140", "170", 60, NOT_MET, id="12 a day over 60 hours"),
        pytest.param("120", "162", 60, NOT_MET, id="16.8 a day over 60 hours"),
        pytest.param("150.0", "167.1", 24, MET, id="17.1 where a float says 17.0999"),
        pytest.param("150.0", "167.0", 24, NOT_MET, id="one step below 17.1"),
        pytest.param("150.0", "167.2", 24, MET, id="one step above 17.1"),
        pytest.param("160", "150", 24, NOT_MET, id="a fall"),
    ],
)
def test_the_rise_per_day_is_computed_exactly(first, second, hours, state):
    found = bilirubin(*two(first, second, hours))
    assert found.state is state
    (rise,) = [one for one in found.evidence if one.kind is Kind.RISE]
    assert rise.parameters["hours"] == Decimal(hours)
    assert sorted(texts_used(found)) == sorted([first, second])


def test_the_vector_of_60_hours_is_below_the_rise_yet_reaches_the_level():
    """140 to 182 in 60 h is 16.8 a day: no rise, but 182 is a level of its own."""
    found = bilirubin(*two("140", "182", 60))
    assert found.state is MET
    assert found.reason.code == "level_reached"


def test_a_microsecond_more_than_a_day_is_less_than_the_rise():
    later = 24 + 1 / 3_600_000_000
    assert bilirubin(*two("150.0", "167.1", later)).state is NOT_MET


def test_the_deciding_rise_names_its_draws_and_rate():
    found = bilirubin(*two("150.0", "165.0", 21))
    assert found.reason.code == "rise_reached"
    assert found.reason.parameters["rise"] == Decimal("17.1428")
    assert found.reason.parameters["hours"] == Decimal(21)


@pytest.mark.parametrize(
    ("hours", "state"),
    [(19.99, UNKNOWN), (20, MET), (20.01, MET), (167.99, MET), (168, MET), (168.01, UNKNOWN)],
)
def test_two_draws_make_a_pair_from_20_hours_to_7_days(hours, state):
    assert bilirubin(*two("10", "165", hours)).state is state


def test_routine_care_before_consent_and_older_than_the_eligibility_window_may_begin_a_pair():
    found = bilirubin(lab("BILI", "50", hours=140, routine=True), lab("BILI", "169"))
    assert found.state is MET
    assert Flag.ROUTINE_CARE in found.flags
    assert texts_used(found) == ["169", "50"]


def test_a_stale_result_cannot_end_a_pair():
    found = bilirubin(lab("BILI", "50", hours=100), lab("BILI", "150", hours=60))
    assert found.state is UNKNOWN
    assert found.missing[0].need is Need.FRESH_RESULT


def test_draws_of_two_laboratories_are_not_compared():
    found = bilirubin(*two("100", "165", 24, laboratory="L2"))
    assert found.state is UNKNOWN
    assert Flag.CROSS_LAB in found.flags
    assert found.missing[0].need is Need.SECOND_DRAW


def test_no_pair_spans_a_purification():
    assert bilirubin(*two("100", "165", 24, purified="13")).state is UNKNOWN
    assert bilirubin(*two("100", "165", 24, purified="25")).state is MET


def test_any_pair_will_do():
    found = bilirubin(
        lab("BILI", "100", hours=47), lab("BILI", "140", hours=23), lab("BILI", "141")
    )
    assert found.state is MET
    assert sorted(texts_used(found)) == ["100", "140", "141"]


@pytest.mark.parametrize(
    ("text", "state", "need"),
    [
        (">200", MET, None),
        (">171", MET, None),
        (">=171", MET, None),
        (">170", UNKNOWN, Need.SECOND_DRAW),
        ("<5", UNKNOWN, Need.SECOND_DRAW),
        ("<200", UNKNOWN, Need.EXACT_RESULT),
    ],
)
def test_a_limit_decides_the_level_where_logic_allows(text, state, need):
    found = bilirubin(lab("BILI", text))
    assert found.state is state
    assert Flag.CENSORED in found.flags
    assert need is None or need in {one.need for one in found.missing}


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("<100", "150", MET),
        ("<=132.9", "150", MET),
        ("<=133.0", "150", UNKNOWN),
        ("100", "<117.1", NOT_MET),
        ("100", "<=117.1", UNKNOWN),
        ("100", ">117.1", MET),
        (">140", "150", NOT_MET),
        ("<5", "<6", UNKNOWN),
    ],
)
def test_limits_decide_a_rise_where_logic_allows(first, second, state):
    found = bilirubin(*two(first, second, 24))
    assert found.state is state
    if state is UNKNOWN:
        assert {one.need for one in found.missing} == {Need.EXACT_RESULT}


@pytest.mark.parametrize(
    ("purified", "state", "why"),
    [
        ("11.99", UNKNOWN, Why.POST_PURIFICATION),
        ("12", MET, None),
        ("12.01", MET, None),
    ],
)
def test_a_level_within_the_lag_after_purification_is_set_aside_and_shown(purified, state, why):
    found = bilirubin(lab("BILI", "300", purified=purified))
    assert found.state is state
    (shown,) = [one for one in found.evidence if one.kind is Kind.LAB]
    assert (shown.text, shown.why, shown.used) == ("300", why, why is None)
    assert (Flag.POST_PURIFICATION in found.flags) is (why is not None)


def test_an_earlier_result_from_before_the_purification_still_counts():
    found = bilirubin(lab("BILI", "300", hours=20), lab("BILI", "120", purified="3"))
    assert found.state is MET
    assert texts_used(found) == ["300"]
    assert Flag.POST_PURIFICATION in found.flags


@pytest.mark.parametrize(("hours", "state"), [(48, MET), (48.01, UNKNOWN), (47.99, MET)])
def test_results_older_than_the_eligibility_window_do_not_count(hours, state):
    found = bilirubin(lab("BILI", "300", hours=hours))
    assert found.state is state
    assert (Flag.STALE in found.flags) is (state is UNKNOWN)


def test_a_result_after_day_zero_does_not_count():
    found = bilirubin(lab("BILI", "300", hours=-1))
    assert found.state is UNKNOWN
    assert found.evidence[0].why is Why.AFTER_DAY_ZERO


def test_a_result_that_was_not_obtained_is_shown_and_asked_for():
    found = bilirubin(lab("BILI", "", missing="haemolysed"))
    assert found.evidence[0].why is Why.RESULT_MISSING
    assert found.missing[0].need is Need.RESULT


def test_a_unit_the_protocol_does_not_know_is_not_guessed():
    found = bilirubin(lab("BILI", "300", "mmol/L"))
    assert found.state is UNKNOWN
    assert found.evidence[0].why is Why.UNIT_UNKNOWN


def test_two_results_of_one_moment_must_agree():
    found = bilirubin(lab("BILI", "160"), lab("BILI", "180", laboratory="L2"))
    assert found.state is UNKNOWN
    assert Flag.CONFLICTING in found.flags
    assert found.missing[0].need is Need.ONE_RESULT
    assert bilirubin(lab("BILI", "175"), lab("BILI", "180", laboratory="L2")).state is MET


class TestUnconfirmed:
    """Decision C2 for everything this criterion rests on."""

    @pytest.mark.parametrize(
        ("hours", "state", "path"),
        [
            pytest.param(24, MET, None, id="a day apart is beyond doubt"),
            pytest.param(21, UNKNOWN, HOURS[0], id="a shorter pair rests on the least hours"),
            pytest.param(60, MET, None, id="60 hours rest on neither"),
            pytest.param(100, UNKNOWN, HOURS[1], id="a longer pair rests on the most hours"),
        ],
    )
    def test_a_rise_rests_on_unconfirmed_hours_only_near_them(self, hours, state, path):
        found = bilirubin(*two("10", "165", hours), protocol=confirmed_except(*HOURS))
        assert found.state is state
        assert found.as_written is MET
        assert found.assumptions == (() if path is None else (path,))

    @pytest.mark.parametrize("hours", HOURS)
    def test_a_day_apart_is_beyond_doubt_whatever_number_is_written(self, hours):
        """Half of 30 hours, and twice 20, would leave out two draws exactly a day apart."""
        protocol = protocol_of(
            FIRST, (("maximum_hours: {value: 168", "maximum_hours: {value: 30"),)
        )
        open_hours = protocol.with_confirmed(
            one.path for one in protocol.assumptions() if one.path != hours
        )
        assert bilirubin(*two("10", "165", 24), protocol=open_hours).state is MET

    def test_a_pair_that_unconfirmed_hours_leave_out_might_count(self):
        found = bilirubin(*two("100", "165", 12), protocol=confirmed_except(*HOURS))
        assert (found.state, found.as_written) == (UNKNOWN, UNKNOWN)
        assert found.missing[0].need is Need.SECOND_DRAW

    def test_a_level_rests_on_no_hours(self):
        found = bilirubin(*two("100", "171", 21), protocol=confirmed_except(*HOURS))
        assert (found.state, found.assumptions) == (MET, ())

    @pytest.mark.parametrize(
        ("purified", "state"), [("5", UNKNOWN), ("13", UNKNOWN), ("24", MET), ("30", MET)]
    )
    def test_the_use_of_results_after_purification_matters_only_then(self, purified, state):
        labs = two("100", "110", 24)
        after = lab("BILI", "300", hours=1, purified=purified)
        found = bilirubin(*labs, after, protocol=confirmed_except("labs.rules"))
        assert found.state is state

    def test_each_setting_that_would_change_the_verdict_is_named(self):
        labs = (*two("100", "110", 24), lab("BILI", "300", hours=1, purified="5"))
        assert bilirubin(*labs).state is NOT_MET
        found = bilirubin(*labs, protocol=confirmed_except("labs.rules"))
        assert found.assumptions == (
            "labs.rules.flagged_criteria",
            "labs.rules.flagged_in_criteria",
            "labs.rules.purification_lag_hours",
        )

    @pytest.mark.parametrize(("hours", "state"), [(24, MET), (25, UNKNOWN), (48, UNKNOWN)])
    def test_an_unconfirmed_age_limit_leaves_only_fresh_results_beyond_doubt(self, hours, state):
        open_window = confirmed_except("labs.rules.eligibility_hours")
        found = bilirubin(lab("BILI", "300", hours=hours), protocol=open_window)
        assert found.state is state
        assert found.as_written is MET
