"""Opens one sheet of a workbook and writes its rows as JSON lines; run as a process of its own.

A workbook is read by native code that a hostile file may exhaust or stop: here it can take
nothing with it. Address space, processor time and output are limited before the file is
opened; what is wider or longer than is read goes out cut, one more than the limit, so that
it is refused and not swallowed.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import resource
import sys
from typing import Any

import python_calamine

OK, LOCKED, NO_SHEET, BROKEN, WIDE = 0, 3, 4, 5, 6


def main() -> int:
    """Read the workbook from standard input; the arguments are limits and the sheet's name."""
    size, seconds, written, *most = map(int, sys.argv[1:7])
    for what, limit in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    try:
        code = _write(io.BytesIO(sys.stdin.buffer.read()), sys.argv[7], *most)
        sys.stdout.flush()
    except python_calamine.PasswordError:
        return LOCKED
    except BaseException:  # a panic of the native code is no Exception
        return BROKEN
    return code


def _write(file: io.BytesIO, name: str, cells: int, columns: int, longest: int) -> int:
    workbook = python_calamine.CalamineWorkbook.from_filelike(file)
    names = [
        each.name
        for each in workbook.sheets_metadata
        if each.visible is python_calamine.SheetVisibleEnum.Visible
        and each.typ is python_calamine.SheetTypeEnum.WorkSheet
    ]
    found = name or next(iter(names), "")
    if found not in workbook.sheet_names:
        return NO_SHEET
    sheet = workbook.get_sheet_by_name(found)
    if sheet.total_height * sheet.total_width > cells:
        return WIDE
    out = sys.stdout
    out.write(json.dumps(found) + "\n")
    for number, row in enumerate(sheet.to_python(skip_empty_area=False), start=1):
        if any(cell != "" for cell in row):
            texts = (_text(cell)[: longest + 1] for cell in row[: columns + 1])
            out.write(json.dumps([number, *texts]) + "\n")
    out.write("null\n")
    return OK


def _text(cell: Any) -> str:
    """A cell as its sheet shows it: 15 digits of a number, the clock of a date."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, (int, float)):
        return _number(cell)
    if isinstance(cell, dt.datetime):
        return _rounded(cell).isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, (dt.date, dt.time)):
        return cell.isoformat()
    return str(cell)


def _number(cell: float) -> str:
    text = f"{cell:.15g}"
    if "e" not in text:
        return text
    mantissa, _, power = text.partition("e")
    return f"{mantissa}E{int(power)}"


def _rounded(moment: dt.datetime) -> dt.datetime:
    """Excel keeps a day as a fraction: 07:30 may lie a few microseconds off."""
    return (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)


if __name__ == "__main__":
    sys.exit(main())
