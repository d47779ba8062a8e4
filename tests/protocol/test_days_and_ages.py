"""Ages in completed years, and days counted from an anchor."""

import datetime as dt

import pytest

from trialsite.protocol.ages import birthday, completed_years
from trialsite.protocol.rules import LeapBirthday
from trialsite.protocol.study_days import protocol_day, sdtm_day


@pytest.mark.parametrize(
    ("born", "on", "leap_birthday", "years"),
    [
        ("2007-11-22", "2025-11-21", LeapBirthday.MARCH_1, 17),
        ("2007-11-22", "2025-11-22", LeapBirthday.MARCH_1, 18),
        ("1959-11-23", "2025-11-22", LeapBirthday.MARCH_1, 65),
        ("1959-11-22", "2025-11-22", LeapBirthday.MARCH_1, 66),
        ("2008-02-29", "2026-02-28", LeapBirthday.MARCH_1, 17),
        ("2008-02-29", "2026-03-01", LeapBirthday.MARCH_1, 18),
        ("2008-02-29", "2026-02-27", LeapBirthday.FEBRUARY_28, 17),
        ("2008-02-29", "2026-02-28", LeapBirthday.FEBRUARY_28, 18),
        ("2008-02-29", "2028-02-28", LeapBirthday.FEBRUARY_28, 19),
        ("2008-02-29", "2028-02-29", LeapBirthday.MARCH_1, 20),
        ("2026-01-05", "2026-01-05", LeapBirthday.MARCH_1, 0),
    ],
)
def test_the_birthday_completes_a_year(
    born: str, on: str, leap_birthday: LeapBirthday, years: int
) -> None:
    dates = (dt.date.fromisoformat(born), dt.date.fromisoformat(on))
    assert completed_years(*dates, leap_birthday) == years


def test_nobody_has_an_age_before_birth() -> None:
    with pytest.raises(ValueError, match="before the birth"):
        completed_years(dt.date(2026, 1, 2), dt.date(2026, 1, 1), LeapBirthday.MARCH_1)


def test_a_leap_birthday_in_the_year_2100_follows_the_rule() -> None:
    born = dt.date(2096, 2, 29)
    assert birthday(born, 2100, LeapBirthday.MARCH_1) == dt.date(2100, 3, 1)
    assert birthday(born, 2100, LeapBirthday.FEBRUARY_28) == dt.date(2100, 2, 28)


@pytest.mark.parametrize(
    ("on", "day", "sdtm"),
    [("2026-01-03", -2, -2), ("2026-01-04", -1, -1), ("2026-01-05", 0, 1), ("2026-01-12", 7, 8)],
)
def test_the_protocol_has_a_day_zero_and_sdtm_has_none(on: str, day: int, sdtm: int) -> None:
    anchor, date = dt.date(2026, 1, 5), dt.date.fromisoformat(on)
    assert (protocol_day(anchor, date), sdtm_day(anchor, date)) == (day, sdtm)
