"""Two ways to count days from an anchor: the protocol's, with a day zero, and SDTM's, without."""

import datetime as dt


def protocol_day(anchor: dt.date, on: dt.date) -> int:
    """The calendar days from the anchor, which is day zero."""
    return (on - anchor).days


def sdtm_day(reference: dt.date, on: dt.date) -> int:
    """The study day of SDTM (--DY): the reference date is day 1, the day before it day -1."""
    day = protocol_day(reference, on)
    return day + 1 if day >= 0 else day
