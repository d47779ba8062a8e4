"""Spreadsheet workbooks: .xlsx and the older .xls. Formulas give the value last computed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from trialsite.exports.reading import sheet_reader
from trialsite.exports.reading.archives import expect_harmless
from trialsite.exports.reading.limits import (
    CHILD_BYTES,
    CHILD_PATIENCE,
    CHILD_SECONDS,
    CHILD_WRITES,
    LONGEST_CELL,
    MOST_CELLS,
    MOST_COLUMNS,
)
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Row, Table, split

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MACROS = ("_VBA_PROJECT".encode("utf-16-le"),)


def read_workbook(content: bytes, *, sheet: str = "", header_row: int = 1) -> Table:
    """The table on a sheet: the one named, else the first visible one."""
    if content.startswith(ZIP):
        expect_harmless(content)
    elif _ENCRYPTED in content:
        raise UnreadableFileError(_("The workbook is locked. Save it without a password."))
    elif any(each in content for each in _MACROS):
        raise UnreadableFileError(
            _("The workbook holds macros, links or other files. Save it as a plain .xlsx.")
        )
    rows = _rows(content, sheet)
    name = next(rows).cells[0]
    return split(
        rows,
        header_row=header_row,
        read_as=f"{'XLSX' if content.startswith(ZIP) else 'XLS'}, {name}",
        lettered=True,
    )


def _rows(content: bytes, sheet: str) -> Iterator[Row]:
    """The name of the sheet as a row, then its rows.

    The process has ended before the first is given: however long they are looked at, it is
    not waited for, and a sheet that breaks off in the middle gives none.
    """
    try:
        with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as written:
            file.write(content)
            file.seek(0)
            code = _run(file, written, sheet)
            if code != sheet_reader.OK:
                raise UnreadableFileError(_refusal(code))
            written.seek(0)
            yield from map(_row, iter(written.readline, b"null\n"))
    except OSError as error:
        # No process, descriptor or space left: nothing is wrong with the file.
        raise UnreadableFileError(
            _("Workbooks cannot be opened at this moment. Try again in a minute.")
        ) from error


def _row(line: bytes) -> Row:
    said = json.loads(line)
    return Row(0, (said,)) if isinstance(said, str) else Row(said[0], tuple(said[1:]))


def _run(file: IO[bytes], written: IO[bytes], sheet: str) -> int:
    """Let the process write the sheet's rows; how it ended."""
    limits = (CHILD_BYTES, CHILD_SECONDS, CHILD_WRITES, MOST_CELLS, MOST_COLUMNS, LONGEST_CELL)
    # -I: neither environment nor working directory choose what is imported; nothing of ours
    # is needed but this one file.
    command = [sys.executable, "-I", str(Path(sheet_reader.__file__)), *map(str, limits), sheet]
    try:
        done = subprocess.run(  # noqa: S603  (our own file; the sheet's name is one argument)
            command,
            stdin=file,
            stdout=written,
            stderr=subprocess.DEVNULL,
            env={"PYTHONUTF8": "1"},
            timeout=CHILD_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFileError(
            _("The workbook takes too long to read. Keep only the sheet that is needed.")
        ) from error
    return done.returncode


def _refusal(code: int) -> str:
    if code == sheet_reader.LOCKED:
        return _("The workbook is locked. Save it without a password.")
    if code == sheet_reader.NO_SHEET:
        return _("The workbook has no such sheet. Name it in the mapping as it is written.")
    if code == sheet_reader.WIDE:
        return _(
            "A sheet of the workbook reaches too far. Delete empty rows and columns behind it."
        )
    return _("The workbook is damaged or incomplete. Save it anew and try again.")
