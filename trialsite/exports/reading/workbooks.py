"""Spreadsheet workbooks: .xlsx and the older .xls. Formulas give the value last computed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import IO

from django.utils.translation import gettext as _

from trialsite.exports.reading import sheet_reader
from trialsite.exports.reading.archives import expect_harmless
from trialsite.exports.reading.limits import CHILD_BYTES, CHILD_SECONDS, MOST_CELLS
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
    """The name of the sheet as a row, then its rows, as the process writes them."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        with _process(file, sheet) as process:
            killer = Timer(CHILD_SECONDS, process.kill)
            killer.start()
            try:
                yield from _read(process)
            finally:
                killer.cancel()
                process.kill()


def _process(file: IO[bytes], sheet: str) -> subprocess.Popen[str]:
    # -I: neither environment nor working directory choose what is imported; nothing of ours
    # is needed but this one file.
    limits = [str(CHILD_BYTES), str(CHILD_SECONDS), str(MOST_CELLS)]
    return subprocess.Popen(  # noqa: S603  (our own file; the sheet's name is one argument)
        [sys.executable, "-I", str(Path(sheet_reader.__file__)), *limits, sheet],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={"PYTHONUTF8": "1"},
    )


def _read(process: subprocess.Popen[str]) -> Iterator[Row]:
    assert process.stdout is not None
    whole = False
    for line in process.stdout:
        if not line.endswith("\n"):
            break
        said = json.loads(line)
        if said is None:
            whole = True
        elif isinstance(said, str):
            yield Row(0, (said,))
        else:
            yield Row(said[0], tuple(said[1:]))
    if process.wait() != sheet_reader.OK or not whole:
        raise UnreadableFileError(_refusal(process.returncode))


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
