"""How a file is laid out and its cells are written: the part every mapping has in common."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from trialsite.exports.reading.encodings import Encoding


class Delimiter(StrEnum):
    COMMA = "comma"
    TAB = "tab"
    SEMICOLON = "semicolon"
    PIPE = "pipe"


class DecimalMark(StrEnum):
    """What parts the whole from its fraction."""

    POINT = "point"
    COMMA = "comma"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the table stands in a file, and how its numbers and dates are written.

    `dates` are formats such as `YYYY-MM-DD HH:mm`; ISO 8601, as workbooks give it, is always
    read. `missing` are texts that mean there is no value.
    """

    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    sheet: str = ""
    header_row: int = 1
    decimal: DecimalMark = DecimalMark.POINT
    dates: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


_GROUPED = re.compile(
    r"(?P<before>[^0-9]*)(?P<whole>[0-9]{1,3}(?:\.[0-9]{3})*|[0-9]+)"
    r"(?:,(?P<part>[0-9]+))?(?P<after>[^0-9.,]*)"
)
_AMBIGUOUS = re.compile(r"[0-9]\.[0-9]")


class UnreadableCellError(ValueError):
    """A cell that does not say what its column should."""


def with_point(text: str, decimal: DecimalMark) -> str:
    """A number with the point for its decimal mark; other text as it is.

    Under the comma, `1.234` could be a thousand or a fraction: UnreadableCellError.
    """
    if decimal is DecimalMark.POINT or not any(each.isdigit() for each in text):
        return text
    found = _GROUPED.fullmatch(text)
    if found is None:
        if "," in text or _AMBIGUOUS.search(text):
            raise UnreadableCellError(text)
        return text
    if "." in found["whole"] and found["part"] is None:
        raise UnreadableCellError(text)
    number = found["whole"].replace(".", "")
    number += f".{found['part']}" if found["part"] else ""
    return f"{found['before']}{number}{found['after']}"


_TOKENS = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "MM": r"(?P<month>[0-9]{2})",
    "M": r"(?P<month>[0-9]{1,2})",
    "DD": r"(?P<day>[0-9]{2})",
    "D": r"(?P<day>[0-9]{1,2})",
    "HH": r"(?P<hour>[0-9]{2})",
    "H": r"(?P<hour>[0-9]{1,2})",
    "mm": r"(?P<minute>[0-9]{2})",
    "ss": r"(?P<second>[0-9]{2})",
}
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_ISO = ("YYYY-MM-DD HH:mm:ss", "YYYY-MM-DD HH:mm", "YYYY-MM-DDTHH:mm:ss", "YYYY-MM-DDTHH:mm")
_ISO_DAYS = ("YYYY-MM-DD",)
_ISO_TIMES = ("HH:mm:ss", "HH:mm")


def format_problem(text: str) -> str:
    """Why this is no format of a date or time; empty where it is one."""
    named = _TOKEN.findall(text)
    kinds = [_TOKENS[token][4:8] for token in named]
    if not named or len(set(kinds)) < len(kinds):
        return f"{text!r} is no date format; write such as YYYY-MM-DD HH:mm."
    rest = _TOKEN.sub("", text)
    if any(each.isascii() and each.isalnum() for each in rest):
        return f"{text!r} holds letters that stand for nothing; known are {', '.join(_TOKENS)}."
    return ""


@dataclass(frozen=True, slots=True)
class Read:
    """The parts of a date and time that a cell states."""

    day: dt.date | None = None
    time: dt.time | None = None


@lru_cache(maxsize=4096)
def read_moment(text: str, formats: tuple[str, ...]) -> Read:
    """The day, the time or both that a cell states by exactly one reading.

    Raises UnreadableCellError for anything else: no format fits, or two read it differently.
    """
    text = " ".join(text.split())
    known = (*formats, *_ISO, *_ISO_DAYS, *_ISO_TIMES)
    found = {read for each in known if (read := _by(each, text))}
    if len(found) != 1:
        raise UnreadableCellError(text)
    return found.pop()


@cache
def _pattern(written: str) -> re.Pattern[str]:
    pattern, at = "", 0
    for token in _TOKEN.finditer(written):
        pattern += re.escape(written[at : token.start()]) + _TOKENS[token.group()]
        at = token.end()
    return re.compile(pattern + re.escape(written[at:]))


def _by(written: str, text: str) -> Read | None:
    match = _pattern(written).fullmatch(text)
    if match is None:
        return None
    parts = {name: int(digits) for name, digits in match.groupdict().items()}
    try:
        day = dt.date(parts["year"], parts["month"], parts["day"]) if "year" in parts else None
        hour, minute = parts.get("hour"), parts.get("minute", 0)
        time = None if hour is None else dt.time(hour, minute, parts.get("second", 0))
    except (KeyError, ValueError):
        return None
    return Read(day, time)
