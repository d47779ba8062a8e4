"""Cells of a spreadsheet as values. What cannot be read is a problem at its line and column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from django.utils.translation import gettext as _

from trialsite.exports.reading.layout import Layout, UnreadableCellError, read_moment, with_point
from trialsite.exports.reading.tables import Table, name_key
from trialsite.labs.importing.lines import is_zero
from trialsite.labs.importing.mapping import Code
from trialsite.labs.results import Parsed, Refusal, ResultError, folded, parse_result

_LONGEST_SHOWN = 40
_COMPUTED = re.compile(r"-?[0-9]{1,12}\.[0-9]{13,20}")
#: Printed instead of a result where there is none.
_NO_RESULT = {Refusal.BLANK, Refusal.NOT_DONE, Refusal.SPECIMEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProblem:
    """A cell, or a row that is not whole: where it stands, and what is wrong with it."""

    line: int
    place: str
    column: str
    message: str


class UnreadableError(Exception):
    """A cell that does not say what its column should; the message is for people."""


def coded(codes: Iterable[Code]) -> dict[str, str]:
    """Texts of the file, without regard to width and case, and what they stand for."""
    return {name_key(code.text): code.means for code in codes}


class Cells:
    """The cells of one row by the headers of the mapping; problems are gathered on the way."""

    def __init__(self, table: Table, places: dict[str, int], layout: Layout) -> None:
        self._table, self._places, self._layout = table, places, layout
        self._missing = {name_key(each) for each in layout.missing}
        self.problems: list[CellProblem] = []
        #: Cells that were read and want a look.
        self.doubts: list[CellProblem] = []
        self._line, self._cells = 0, ()  # type: tuple[int, tuple[str, ...]]
        # What a text says: a column of thousands of rows has few different ones. They are
        # kept here, for the length of one file, and nowhere in the process: they are patients'.
        self._results: dict[tuple[str, str], Parsed] = {}
        self._days: dict[str, dt.date | None] = {}
        self._keys: dict[str, str] = {}

    def turn(self, line: int, cells: tuple[str, ...]) -> None:
        """Go on to this row."""
        self._line, self._cells = line, cells

    def refuse(self, header: str, message: str) -> None:
        """Note that a cell of the row cannot be read."""
        self.problems.append(self._at(header, message))

    def doubt(self, header: str, message: str) -> None:
        """Note that a cell was read as it stands, and wants a look."""
        self.doubts.append(self._at(header, message))

    def _at(self, header: str, message: str) -> CellProblem:
        place = self._table.address(self._line, self._places.get(header, 0))
        return CellProblem(line=self._line, place=place, column=header, message=message)

    def text(self, header: str) -> str:
        """A cell's text; empty where there is no column, no cell, or a text that means none."""
        text = self._cells[self._places[header]] if header else ""
        return "" if self._key(text) in self._missing else text

    def _key(self, text: str) -> str:
        if text not in self._keys:
            self._keys[text] = name_key(text)
        return self._keys[text]

    def code(self, header: str, codes: dict[str, str], known: Iterable[str]) -> str | None:
        """What a cell stands for: by the mapping, else one of the words themselves."""
        text = self.text(header)
        if not text:
            return None
        found = codes.get(self._key(text), text)
        if found in known:
            return found
        self.refuse(header, _("The mapping does not say what “%(text)s” means.") % _shown(text))
        return None

    def named(self, header: str, codes: dict[str, str]) -> str | None:
        """The same where any word may stand, as long as the mapping names the text."""
        return self.code(header, codes, set(codes.values()))

    def day(self, header: str) -> dt.date | None:
        text = self.text(header)
        if not text:
            return None
        if text not in self._days:
            self._days[text] = self._read_day(text)
        day = self._days[text]
        if day is None or not 1900 <= day.year <= 2200:
            self.refuse(header, _("“%(text)s” is no date.") % _shown(text))
            return None
        return day

    def _read_day(self, text: str) -> dt.date | None:
        try:
            return read_moment(text, self._layout.dates).day
        except UnreadableCellError:
            return None

    def born(self, header: str) -> str | None:
        """A birth date as ISO text, to the year or month where no more is written."""
        text = self.text(header)
        year, _dash, month = text.partition("-")
        partial = len(year) == 4 and year.isdigit() and 1900 <= int(year) <= 2200
        if partial and (not month or (len(month) == 2 and "01" <= month <= "12")):
            return text
        day = self.day(header)
        return None if day is None else day.isoformat()

    def number(self, header: str, *, units: Iterable[str] = ()) -> Decimal | None:
        """A plain number, exact; one of these units may stand behind it."""
        parsed = self.result(header, units=units)
        if parsed is None:
            return None
        if parsed.value is None or parsed.comparator:
            self.refuse(header, _("“%(text)s” is no number.") % _shown(self.text(header)))
            return None
        return parsed.value

    def result(
        self, header: str, *, zero_is_missing: bool = False, units: Iterable[str] = ()
    ) -> Parsed | None:
        """A printed result: a number, a limit such as <0.2, or a finding in words; the unit
        that the mapping names may stand behind it, another one may not."""
        printed = self.text(header)
        if (header, printed) in self._results:
            return self._results[header, printed]
        text = _without(units, printed)
        if not text or (zero_is_missing and is_zero(text)):
            return None
        try:
            found = _parsed(self.printed(text))
        except (ResultError, UnreadableCellError, InvalidOperation) as error:
            if isinstance(error, ResultError) and error.code in _NO_RESULT:
                return None
            self.refuse(header, _("“%(text)s” is no number.") % _shown(text))
            return None
        self._results[header, printed] = found
        return found

    def printed(self, text: str) -> str:
        """A result with the point for its decimal mark."""
        return with_point(text, self._layout.decimal)


#: The two signs for a millionth, as UCUM writes them.
_MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})


def _without(units: Iterable[str], text: str) -> str:
    form = folded(text).translate(_MICRO)
    for unit in map(_unit_form, units):
        if unit and form.endswith(unit):
            return form.removesuffix(unit).strip()
    return text


@lru_cache(maxsize=512)
def _unit_form(unit: str) -> str:
    """A unit of the mapping as cells are compared with it; it is the same in every row."""
    return folded(unit).translate(_MICRO)


def _parsed(text: str) -> Parsed:
    """A result as laboratories print it, or the many digits that a computed cell has."""
    if _COMPUTED.fullmatch(text):
        return Parsed(value=Decimal(text))
    return parse_result(text)


def _shown(text: str) -> dict[str, str]:
    """What is quoted of a cell: short, and nothing of it is markup."""
    short = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return {"text": short}
