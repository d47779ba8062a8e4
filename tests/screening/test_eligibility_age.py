"""Age at consent, in completed years."""

from __future__ import annotations

import datetime as dt

import pytest

from screening.eligibility.verdicts import Flag, Need
from tests.screening.eligibility import (
    DAY_ZERO,
    FIRST,
    MET,
    NOT_MET,
    SECOND,
    UNKNOWN,
    confirmed,
    confirmed_except,
    consent,
    facts,
    verdict,
)


def born(birth_date, on, protocol=None):
    on = dt.date.fromisoformat(on)
    return verdict("IN01", facts(birth_date=birth_date, consent=consent(on)), protocol)


@pytest.mark.parametrize(
    ("birth", "signed", "state"),
    [
        pytest.param("2007-11-22", "2025-11-21", NOT_MET, id="the day before turning 18"),
        pytest.param("2007-11-22", "2025-11-22", MET, id="on the 18th birthday"),
        pytest.param("1959-11-23", "2025-11-22", MET, id="65 and 364 days"),
        pytest.param("1959-11-22", "2025-11-22", NOT_MET, id="on the 66th birthday"),
        pytest.param("1960-11-22", "2025-11-22", MET, id="on the 65th birthday"),
        pytest.param("2008-02-29", "2026-02-28", NOT_MET, id="leap birthday, a day early"),
        pytest.param("2008-02-29", "2026-03-01", MET, id="leap birthday counts on 1 March"),
        pytest.param("1981-05-06", "2026-11-21", MET, id="in the middle"),
    ],
)
def test_the_age_on_the_day_of_consent_decides(birth, signed, state):
    found = born(birth, signed)
    assert found.state is state
    assert found.missing == ()


def test_the_protocol_may_count_a_leap_birthday_on_28_february():
    earlier = confirmed(
        FIRST, (("leap_birthday: {value: march_1", "leap_birthday: {value: february_28"),)
    )
    assert born("2008-02-29", "2026-02-28", earlier).state is MET
    assert born("2008-02-29", "2026-02-28").state is NOT_MET


def test_an_unconfirmed_leap_birthday_matters_only_to_those_born_then():
    open_birthday = confirmed_except("criteria.IN01.rule.leap_birthday")
    found = born("2008-02-29", "2026-02-28", open_birthday)
    assert found.state is UNKNOWN
    assert found.as_written is NOT_MET
    assert found.assumptions == ("criteria.IN01.rule.leap_birthday",)
    assert born("2008-02-28", "2026-02-28", open_birthday).state is MET
    assert born("2008-02-29", "2026-03-01", open_birthday).state is MET


@pytest.mark.parametrize(
    ("birth", "state"),
    [
        pytest.param("1981", MET, id="any day of the year would do"),
        pytest.param("2012", NOT_MET, id="no day would do"),
        pytest.param("2026", NOT_MET, id="a child of this year"),
        pytest.param("2008", UNKNOWN, id="17 or 18"),
        pytest.param("2008-11", UNKNOWN, id="the month of the 18th birthday"),
        pytest.param("2008-10", MET, id="the month before"),
        pytest.param("2008-12", NOT_MET, id="the month after"),
        pytest.param("1960", UNKNOWN, id="65 or 66"),
    ],
)
def test_a_partial_birth_date_decides_where_no_day_could_change_it(birth, state):
    found = born(birth, "2026-11-21")
    assert found.state is state
    assert Flag.PARTIAL_DATE in found.flags
    assert [one.need for one in found.missing] == ([Need.BIRTH_DATE] if state is UNKNOWN else [])


@pytest.mark.parametrize("birth", ["2027-01-01", "2026-12"])
def test_a_birth_after_consent_is_asked_about_again(birth):
    found = born(birth, "2026-11-21")
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.BIRTH_DATE)


def test_before_consent_the_age_at_consent_is_not_known():
    found = verdict("IN01", facts(birth_date="1981-05-06"))
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.CONSENT)


def test_without_birth_date_the_birth_date_is_asked_for():
    found = verdict("IN01", facts(consent=consent()))
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.BIRTH_DATE)


def test_the_other_moment_matters_where_a_birthday_lies_between():
    """Born so that the person turns 66 between signing and starting."""
    open_moment = confirmed_except("criteria.IN01.rule.at")
    assert DAY_ZERO.date() == dt.date(2026, 11, 22)
    assert born("1960-11-22", "2026-11-21").state is MET
    assert born("1960-11-22", "2026-11-21", open_moment).state is UNKNOWN
    assert born("1960-11-24", "2026-11-21", open_moment).state is MET


@pytest.mark.parametrize(
    ("birth", "state"),
    [("1986-11-23", NOT_MET), ("1986-11-22", MET), ("1946-11-23", MET), ("1946-11-22", NOT_MET)],
)
def test_another_study_counts_at_enrolment_and_excludes_its_upper_bound(birth, state):
    assert verdict("IN01", facts(birth_date=birth), confirmed(SECOND)).state is state


@pytest.mark.parametrize(
    ("birth", "bound", "written", "other"),
    [("2008-11-21", "lower", MET, NOT_MET), ("1961-11-21", "upper", MET, NOT_MET)],
)
def test_a_bound_decides_by_its_mode_and_only_at_itself(birth, bound, written, other):
    """Exactly 18 and exactly 65 years, in both modes and with the mode unconfirmed."""
    old = {
        "lower": "lower: {value: 18, unit: a, inclusive: {value: true",
        "upper": "upper: {value: 65, unit: a, inclusive: {value: true",
    }[bound]
    strict = confirmed(FIRST, ((old, old.replace("true", "false")),))
    assert born(birth, "2026-11-21").state is written
    assert born(birth, "2026-11-21", strict).state is other
    open_bound = confirmed_except(f"criteria.IN01.rule.{bound}")
    found = born(birth, "2026-11-21", open_bound)
    assert found.state is UNKNOWN
    assert found.assumptions == (f"criteria.IN01.rule.{bound}.inclusive",)
    assert {Flag.AT_BOUNDARY, Flag.UNCONFIRMED_ASSUMPTION} <= set(found.flags)
