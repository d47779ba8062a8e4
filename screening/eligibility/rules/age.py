"""Age in completed years."""

from __future__ import annotations

import calendar
import datetime as dt
from decimal import Decimal

from screening.eligibility.cases import Case
from screening.eligibility.measures import Measure, both
from screening.eligibility.verdicts import Evidence, Finding, Flag, Kind, Missing, Need, Reason
from trialsite.protocol.ages import completed_years
from trialsite.protocol.rules import AgeMoment, AgeRange, LeapBirthday

from .records import undecided


def span_of(text: str) -> tuple[dt.date, dt.date]:
    """The first and last day that ISO text to the year, month or day can mean."""
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, None, None)[:3]
    assert year is not None
    last_month = month or 12
    last_day = day or calendar.monthrange(year, last_month)[1]
    return dt.date(year, month or 1, day or 1), dt.date(year, last_month, last_day)


def judge_age(case: Case, rule: AgeRange) -> Finding:
    """The age is within both bounds, whatever day of a partial birth date is the true one."""
    on = _moment(case, rule)
    if on is None:
        return undecided(Missing(need=Need.CONSENT))
    birth = case.facts.birth_date
    if birth is None:
        return undecided(Missing(need=Need.BIRTH_DATE))
    first, last = span_of(birth)
    if first > on:
        return undecided(Missing(need=Need.BIRTH_DATE))
    last = min(last, on)
    leap = case.reading.choose(
        case.path("leap_birthday"),
        rule.leap_birthday,
        LeapBirthday,
        lambda option: (completed_years(last, on, option), completed_years(first, on, option)),
    )
    youngest, oldest = completed_years(last, on, leap), completed_years(first, on, leap)
    age = Measure(Decimal(youngest), Decimal(oldest))
    lower, upper = case.limit(rule.lower, "lower"), case.limit(rule.upper, "upper")
    truth = both(
        lower.admits_from_above(age, case.reading), upper.admits_from_below(age, case.reading)
    )
    shown = _evidence(birth, on, youngest, oldest)
    flags = {Flag.PARTIAL_DATE} if first != last else set()
    if lower.at(age) or upper.at(age):
        flags.add(Flag.AT_BOUNDARY)
    if truth is None:
        need = Missing(need=Need.BIRTH_DATE)
        return undecided(need, evidence=(shown,), flags=frozenset(flags))
    return Finding(
        truth=truth,
        reason=Reason(
            code="age_within" if truth else "age_outside",
            parameters={
                "age": _years(youngest, oldest),
                "on": on,
                "lower": rule.lower.value,
                "upper": rule.upper.value,
            },
        ),
        flags=frozenset(flags),
        evidence=(shown,),
    )


def _moment(case: Case, rule: AgeRange) -> dt.date | None:
    """The day the age is counted at; None while there is no consent to count from."""
    consent, enrolment = case.facts.consent, case.facts.day_zero
    signed = consent is not None and consent.given_at <= enrolment
    days = {
        AgeMoment.CONSENT: consent.given_on if consent is not None and signed else None,
        AgeMoment.ENROLMENT: enrolment.date(),
    }
    return days[
        case.reading.choose(case.path("at"), rule.at, AgeMoment, lambda moment: days[moment])
    ]


def _years(youngest: int, oldest: int) -> str:
    return str(youngest) if youngest == oldest else f"{youngest}-{oldest}"


def _evidence(birth: str, on: dt.date, youngest: int, oldest: int) -> Evidence:
    return Evidence(
        kind=Kind.AGE,
        name="birth_date",
        text=birth,
        parameters={"age": _years(youngest, oldest), "on": on},
    )
