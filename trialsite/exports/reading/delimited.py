"""Text with a delimiter: CSV, TSV and their relatives."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from itertools import islice

from django.utils.translation import gettext as _

from trialsite.exports.reading.encodings import Encoding, decode
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Row, Table, name_key, split

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
_HEAD = 200_000


def read_delimited(
    content: bytes,
    *,
    wanted: Collection[str] = (),
    encoding: Encoding | None = None,
    delimiter: str = "",
    header_row: int = 1,
) -> Table:
    """The table of a text file; the delimiter is the one that parts the header as wanted."""
    decoded = decode(content, encoding)
    name = delimiter or _delimiter(decoded.text, wanted, header_row)
    return split(
        _rows(decoded.text, DELIMITERS[name]),
        header_row=header_row,
        read_as=f"{decoded.encoding}, {name}",
    )


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    """Records with the line they begin on; any mixture of line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = _("Line %(line)d: quotation marks or cells that cannot be told apart.")
            raise UnreadableFileError(message % {"line": line}, line=line) from error
        yield Row(line, tuple(cells))
        line = reader.line_num + 1


def _delimiter(text: str, wanted: Collection[str], header_row: int) -> str:
    names = {name_key(name) for name in wanted}
    scores: dict[str, tuple[int, int]] = {}
    for name, mark in DELIMITERS.items():
        cells = _header(text[:_HEAD], mark, header_row)
        scores[name] = (sum(name_key(cell) in names for cell in cells), len(cells))
    best = max(scores.values())
    found = [name for name, score in scores.items() if score == best]
    if len(found) == 1:
        return found[0]
    if best[1] <= 1:
        return "comma"
    raise UnreadableFileError(
        _(
            "What parts the columns cannot be told from the header: name the delimiter in the "
            "mapping."
        )
    )


def _header(text: str, mark: str, header_row: int) -> list[str]:
    lines = io.StringIO(text, newline="")
    reader = csv.reader(islice(lines, header_row + 200), delimiter=mark)
    try:
        while cells := next(reader, None) or ([] if reader.line_num else None):
            if reader.line_num >= header_row and any(cells):
                return cells
    except csv.Error:
        return []
    return []
