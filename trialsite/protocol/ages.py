"""Age in completed years: the birthday decides, not a number of days."""

import datetime as dt

from .rules import LeapBirthday


def completed_years(born: dt.date, on: dt.date, leap_birthday: LeapBirthday) -> int:
    """The years completed by somebody `born` then, `on` that day.

    A day before birth is an error of whoever asks: ValueError.
    """
    if on < born:
        message = f"{on} is before the birth on {born}."
        raise ValueError(message)
    return on.year - born.year - (on < birthday(born, on.year, leap_birthday))


def birthday(born: dt.date, year: int, leap_birthday: LeapBirthday) -> dt.date:
    """The birthday in `year`; born on 29 February, in a common year as the protocol says."""
    try:
        return born.replace(year=year)
    except ValueError:
        march = leap_birthday is LeapBirthday.MARCH_1
        return dt.date(year, 3, 1) if march else dt.date(year, 2, 28)
