"""Times as they are written on a run sheet: the clock, and the day only where it matters."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from trialsite.core.wall_time import WallTimeField

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})|(\d{1,2})(\d{2})")
_WITH_DAY = re.compile(r"(\d{2})-(\d{2})\s+(\S+)")
_DAY = dt.timedelta(days=1)
_LEAP_CYCLE = 9


def moment_of(text: str, near: dt.datetime) -> dt.datetime | None:
    """What a person means by `14:30`, `1430`, `03-05 14:30` or a full date and time.

    A clock without a day is the one nearest to `near`: a session may pass midnight. Raises
    ValidationError where the text is no time.
    """
    text = unicodedata.normalize("NFKC", text).replace("\x00", "").strip()
    if not text:
        return None
    clock = _clock(text)
    if clock is not None:
        days = (near.date() + n * _DAY for n in (-1, 0, 1))
        return min((dt.datetime.combine(day, clock) for day in days), key=lambda m: abs(m - near))
    with_day = _WITH_DAY.fullmatch(text)
    if with_day is not None:
        return _on_day(int(with_day[1]), int(with_day[2]), _clock(with_day[3]), near)
    try:
        moment: dt.datetime | None = WallTimeField().to_python(text)
    except ValidationError as error:
        raise _no_time() from error
    return moment


def shown(moment: dt.datetime | None, on: dt.date) -> str:
    """The clock; with the day before it where that is another than the sheet's."""
    if moment is None:
        return ""
    return moment.strftime("%H:%M" if moment.date() == on else "%m-%d %H:%M")


def clock(moment: dt.datetime | None) -> str:
    """The clock alone, where the line itself says near which moment it is meant."""
    return moment.strftime("%H:%M") if moment else ""


def _clock(text: str) -> dt.time | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute = int(found[1] or found[3]), int(found[2] or found[4])
    if hour > 23 or minute > 59:
        raise _no_time()
    return dt.time(hour, minute)


def _on_day(month: int, day: int, clock: dt.time | None, near: dt.datetime) -> dt.datetime:
    """The nearest such day: a session at the turn of the year writes no year either."""
    if clock is None:
        raise _no_time()
    found = []
    for year in range(near.year - _LEAP_CYCLE + 1, near.year + _LEAP_CYCLE):
        try:
            found.append(dt.datetime(year, month, day, clock.hour, clock.minute))
        except ValueError:
            continue
    if not found:
        raise _no_time()
    return min(found, key=lambda moment: abs(moment - near))


def _no_time() -> ValidationError:
    return ValidationError(_("Enter a time on the clock at the site, such as 14:30."))
