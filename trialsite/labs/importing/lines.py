"""A file's rows as results: who, when, what, each with its address. Nothing is compared here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from trialsite.exports.reading.layout import UnreadableCellError, read_moment, with_point
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Row, Table, fitted, name_key
from trialsite.labs.codes import Specimen
from trialsite.labs.entry import MOST_REF
from trialsite.labs.importing.mapping import LabMapping
from trialsite.labs.importing.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a row says of the draw, the same for all its results."""

    line: int
    subject: str = ""
    collected: dt.datetime | None = None
    specimen: str = ""
    #: The tube, as the laboratory numbers it.
    specimen_ref: str = ""
    sex: str = ""
    born: str = ""
    problem: Outcome | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One result as the file states it; `place` is its address, `key` the same for machines."""

    drawn: Drawn
    key: str
    place: str
    test: str = ""
    #: The protocol's key, where the mapping itself names it.
    analyte: str = ""
    text: str = ""
    unit: str = ""
    #: Not to be read as it stands: why.
    problem: Outcome | None = None
    message: str = ""


class LineReader:
    """Reads a table by a mapping. Raises UnreadableFileError where a column is not there."""

    def __init__(
        self, table: Table, mapping: LabMapping, *, zone: str, laboratories: frozenset[str]
    ) -> None:
        self.table, self.mapping = table, mapping
        self._zone = ZoneInfo(zone)
        self._file_zone = ZoneInfo(mapping.zone) if mapping.zone else None
        self._laboratories = {name_key(each) for each in (*laboratories, *mapping.laboratories)}
        self._places = _columns(table, mapping)
        self._missing = {name_key(each) for each in mapping.layout.missing}
        self._codes = {
            name: {name_key(code.text): code.means for code in getattr(mapping, name)}
            for name in ("analytes", "units", "sexes", "specimens")
        }

    def lines(self) -> Iterator[Line]:
        """Every result of every row; of a row that is not whole, one line that says so."""
        for row in self.table.rows:
            cells = fitted(row.cells, len(self.table.headers))
            if cells is None:
                message = _("This row has %(n)d cells, the header %(m)d.") % {
                    "n": len(row.cells),
                    "m": len(self.table.headers),
                }
                drawn = Drawn(line=row.line, problem=Outcome.ROW, message=message)
                yield Line(drawn=drawn, key=f"{row.line}:0", place=self.table.address(row.line, 0))
                continue
            drawn = self._drawn(Row(row.line, cells))
            yield from self._wide(drawn, cells) if self.mapping.wide else self._long(drawn, cells)

    def _cell(self, cells: tuple[str, ...], role: str) -> str:
        header = self.mapping.columns.named.get(role)
        return cells[self._places[header]] if header else ""

    def _drawn(self, row: Row) -> Drawn:
        cells = row.cells
        specimen = self._code("specimens", self._cell(cells, "specimen"))
        found = Drawn(
            line=row.line,
            subject=self._cell(cells, "subject"),
            specimen=specimen or self.mapping.specimen,
            specimen_ref=self._cell(cells, "specimen_ref"),
            sex=self._code("sexes", self._cell(cells, "sex")).upper(),
            born=self._born(self._cell(cells, "born")),
        )
        if len(found.specimen_ref) > MOST_REF or not found.specimen_ref.isprintable():
            message = _("This is longer than a specimen ID, or holds what cannot be read.")
            return _refused(replace(found, specimen_ref=""), Outcome.ROW, message)
        laboratory = self._cell(cells, "laboratory")
        if laboratory and name_key(laboratory) not in self._laboratories:
            return _refused(found, Outcome.LABORATORY, laboratory)
        if specimen and specimen not in Specimen.values:
            return _refused(found, Outcome.SPECIMEN, specimen)
        moment = self._collected(cells)
        if moment is None:
            stated = f"{self._cell(cells, 'collected')} {self._cell(cells, 'collected_time')}"
            message = _("“%(text)s” is no date with its time.") % {"text": stated.strip()[:40]}
            return _refused(found, Outcome.TIME, message)
        return replace(found, collected=moment)

    def _collected(self, cells: tuple[str, ...]) -> dt.datetime | None:
        """The clock on the wall of the site, from one cell or two."""
        formats = self.mapping.layout.dates
        try:
            read = read_moment(self._cell(cells, "collected"), formats)
            day, time = read.day, read.time
            if self.mapping.columns.collected_time:
                # A workbook may give midnight beside a date that stands alone.
                time = read_moment(self._cell(cells, "collected_time"), formats).time
        except UnreadableCellError:
            return None
        if day is None or time is None or day.year < 1900:
            return None
        wall = dt.datetime.combine(day, time)
        if self._file_zone is None:
            return wall
        return wall.replace(tzinfo=self._file_zone).astimezone(self._zone).replace(tzinfo=None)

    def _born(self, text: str) -> str:
        """A birth date or year as far as it can be read; what cannot be is not compared."""
        if len(text) == 4 and text.isdigit():
            return text
        try:
            day = read_moment(text, self.mapping.layout.dates).day
        except UnreadableCellError:
            return ""
        return day.isoformat() if day else ""

    def _code(self, name: str, text: str) -> str:
        codes: Mapping[str, str] = self._codes[name]
        return codes.get(name_key(text), text)

    def _long(self, drawn: Drawn, cells: tuple[str, ...]) -> Iterator[Line]:
        column = self._places[self.mapping.columns.result]
        test, result = self._cell(cells, "analyte"), self._cell(cells, "result")
        comparator = self._cell(cells, "comparator")
        means = self._codes["analytes"].get(name_key(test), "")
        yield self._line(
            drawn,
            column,
            test=test,
            analyte=means,
            text=result,
            comparator="" if comparator == "=" else comparator,
            unit=self._code("units", self._cell(cells, "unit")),
        )

    def _wide(self, drawn: Drawn, cells: tuple[str, ...]) -> Iterator[Line]:
        for each in self.mapping.results:
            column = self._places[each.column]
            yield self._line(
                drawn,
                column,
                test=each.column,
                analyte=each.analyte,
                text=cells[column],
                comparator="",
                unit=self._code("units", each.unit),
                zero=each.zero_is_missing,
            )

    def _line(
        self,
        drawn: Drawn,
        column: int,
        *,
        test: str,
        analyte: str,
        text: str,
        comparator: str,
        unit: str,
        zero: bool = False,
    ) -> Line:
        problem: Outcome | None = None
        message = ""
        blank = not text or name_key(text) in self._missing or (zero and is_zero(text))
        if blank:
            problem = Outcome.BLANK
        else:
            try:
                text = comparator + with_point(text, self.mapping.layout.decimal)
            except UnreadableCellError:
                problem = Outcome.RESULT
                message = _("The decimal comma of “%(text)s” cannot be told.") % {"text": text[:40]}
        return Line(
            drawn=drawn,
            key=f"{drawn.line}:{column}",
            place=self.table.address(drawn.line, column),
            test=test,
            analyte=analyte,
            text=text,
            unit=unit,
            problem=problem,
            message=message,
        )


def _columns(table: Table, mapping: LabMapping) -> dict[str, int]:
    """Header of the mapping -> its column; each must be there, and once."""
    keys = [name_key(header) for header in table.headers]
    places: dict[str, int] = {}
    absent = []
    for header in mapping.headers:
        count = keys.count(name_key(header))
        if count > 1:
            message = _("The column “%(name)s” stands twice in the header.") % {"name": header}
            raise UnreadableFileError(message, line=table.header_line)
        if not count:
            absent.append(header)
        else:
            places[header] = keys.index(name_key(header))
    if absent:
        message = _("The file has no column %(names)s. It has: %(found)s.") % {
            "names": ", ".join(f"“{name}”" for name in absent),
            "found": ", ".join(table.headers)[:300],
        }
        raise UnreadableFileError(message, line=table.header_line)
    return places


def _refused(drawn: Drawn, problem: Outcome, message: str) -> Drawn:
    return replace(drawn, problem=problem, message=message)


def is_zero(text: str) -> bool:
    """Whether a cell is a plain zero."""
    try:
        return Decimal(text.replace(",", ".")) == 0
    except InvalidOperation:
        return False
