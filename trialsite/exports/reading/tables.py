"""A table on its way through: its header and its rows, each with its address in the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from trialsite.core.spreadsheets import TRIGGERS
from trialsite.exports.reading.limits import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS
from trialsite.exports.reading.problems import UnreadableFileError


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty; `line` is where it begins, counted from 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a file holds. `rows` is read once, while the file is being read.

    `read_as` says the kind and encoding or sheet; `lettered`: columns are A, B, C.
    """

    headers: tuple[str, ...]
    header_line: int
    rows: Iterator[Row]
    read_as: str
    lettered: bool = False

    def address(self, line: int, column: int) -> str:
        """A cell as people find it: `C7` in a workbook, `7:3` in a text file."""
        return f"{letters(column)}{line}" if self.lettered else f"{line}:{column + 1}"


def letters(column: int) -> str:
    """A, B, ... Z, AA: the name of a column counted from 0."""
    name = ""
    column += 1
    while column:
        column, place = divmod(column - 1, 26)
        name = chr(65 + place) + name
    return name


def plain(text: str) -> str:
    """A cell's text in one form: composed characters, no space around, and without the
    apostrophe that our own exports put before what looks like a formula (EX4)."""
    text = unicodedata.normalize("NFC", text).strip()
    return text[1:] if text[:1] == "'" and text[1:].startswith((*TRIGGERS, "'")) else text


def name_key(text: str) -> str:
    """By what headers are compared: width, case and spaces do not matter."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def split(lines: Iterable[Row], *, header_row: int, read_as: str, lettered: bool = False) -> Table:
    """The table whose header is the row of this line; what stands above it is passed over."""
    rows = _bounded(lines)
    for row in rows:
        if row.line >= header_row and any(row.cells):
            headers = tuple(" ".join(cell.split()) for cell in _trimmed(row.cells))
            return Table(
                headers=headers,
                header_line=row.line,
                rows=(each for each in rows if any(each.cells)),
                read_as=read_as,
                lettered=lettered,
            )
    raise UnreadableFileError(_("There is no table in this file."))


def _bounded(lines: Iterable[Row]) -> Iterator[Row]:
    """The rows, refused as soon as there are too many of them, or too much in one."""
    for count, row in enumerate(lines):
        if count > MOST_ROWS:
            message = _("The file has more than %(n)d rows. Divide it.") % {"n": MOST_ROWS}
            raise UnreadableFileError(message, line=row.line)
        if len(row.cells) > MOST_COLUMNS:
            message = _("Line %(line)d has more than %(n)d columns.")
            raise UnreadableFileError(
                message % {"line": row.line, "n": MOST_COLUMNS}, line=row.line
            )
        for column, cell in enumerate(row.cells, start=1):
            if len(cell) > LONGEST_CELL or "\x00" in cell:
                message = _("Line %(line)d, column %(column)d: this cell cannot be read.")
                raise UnreadableFileError(
                    message % {"line": row.line, "column": column}, line=row.line, column=column
                )
        yield Row(row.line, tuple(map(plain, row.cells)))


def _trimmed(cells: tuple[str, ...]) -> tuple[str, ...]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def fitted(cells: tuple[str, ...], width: int) -> tuple[str, ...] | None:
    """The row's cells as the header has columns; None where the row has others."""
    if len(cells) > width:
        cells = cells[:width] if not any(cells[width:]) else ()
    return cells if len(cells) == width else None


def places_of(table: Table, headers: Sequence[str]) -> dict[str, int]:
    """Header of a mapping -> its column; each must be there, and once."""
    keys = [name_key(header) for header in table.headers]
    places: dict[str, int] = {}
    absent = []
    for header in headers:
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
