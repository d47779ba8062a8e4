"""Labels as PDF: a DataMatrix beside what people read. No name ever stands on a label."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from ppf.datamatrix import DataMatrix

from trialsite.core.pdf import About, pdf

TEMPLATE = Path(__file__).with_name("labels.typ")
#: Cells of white around the symbol (ISO/IEC 16022 asks for one; two read better on tubes).
_QUIET = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A sheet of labels, in hundredths of a millimetre."""

    key: str
    title: object
    page: tuple[int, int]
    label: tuple[int, int]
    columns: int
    rows: int
    margin: tuple[int, int] = (0, 0)
    gap: tuple[int, int] = (0, 0)
    square: int = 1100


#: Common cryo label sheets, and a roll printer with one label on a page.
LAYOUTS = {
    layout.key: layout
    for layout in (
        Layout(
            key="a4-5x13",
            title=_("A4 sheet, 5 × 13 labels of 38.1 × 21.2 mm"),
            page=(21000, 29700),
            label=(3810, 2120),
            columns=5,
            rows=13,
            margin=(475, 1070),
            gap=(250, 0),
        ),
        Layout(
            key="a4-4x12",
            title=_("A4 sheet, 4 × 12 labels of 45.7 × 21.2 mm"),
            page=(21000, 29700),
            label=(4570, 2120),
            columns=4,
            rows=12,
            margin=(975, 2125),
            gap=(250, 0),
        ),
        Layout(
            key="single",
            title=_("Label printer, one label of 38 × 20 mm"),
            page=(3800, 2000),
            label=(3800, 2000),
            columns=1,
            rows=1,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its code, and the lines that people read."""

    code: str
    lines: tuple[str, ...]


def symbol(code: str) -> str:
    """The DataMatrix of a code as an SVG of squares."""
    matrix = DataMatrix(code).matrix
    size = len(matrix) + 2 * _QUIET
    dark = "".join(
        f"M{column + _QUIET},{row + _QUIET}h1v1h-1z"
        for row, cells in enumerate(matrix)
        for column, cell in enumerate(cells)
        if cell
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">'
        f'<path d="{dark}" fill="#000"/></svg>'
    )


def label_sheet(
    labels: Sequence[Label], layout: Layout, *, at: dt.datetime, skip: int = 0
) -> bytes:
    """The labels as PDF pages of a layout; the first places of a begun sheet are passed over."""
    waiting: list[object] = [None] * min(skip, layout.columns * layout.rows - 1)
    waiting += [
        {"code": each.code, "svg": symbol(each.code), "lines": list(each.lines)} for each in labels
    ]
    data = {
        "page_width": layout.page[0],
        "page_height": layout.page[1],
        "left": layout.margin[0],
        "top": layout.margin[1],
        "width": layout.label[0],
        "height": layout.label[1],
        "columns": layout.columns,
        "gap_x": layout.gap[0],
        "gap_y": layout.gap[1],
        "square": layout.square,
        "labels": waiting,
    }
    about = About(
        title=", ".join(each.code for each in labels[:3]), language=get_language() or "en"
    )
    return pdf(TEMPLATE, data, about=about, at=at)
