"""One door for every kind of file; its content says which it is, never its name."""

from __future__ import annotations

import re
from collections.abc import Collection

from django.utils.translation import gettext as _

from trialsite.exports.reading.delimited import read_delimited
from trialsite.exports.reading.layout import Layout
from trialsite.exports.reading.limits import MOST_BYTES
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Table
from trialsite.exports.reading.workbooks import OLE, ZIP, read_workbook

_PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|table|meta|\?xml|script)", re.IGNORECASE
)
_OTHERS = (
    *(b"%PDF", b"{\\rtf", b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),
    *(b"\x7fELF", b"MZ\x90", b"\x1f\x8b", b"PK\x05\x06"),
)


def read_table(content: bytes, layout: Layout, *, wanted: Collection[str] = ()) -> Table:
    """The table in a file as the layout describes it; raises UnreadableFileError.

    `wanted` are the names of the columns that are looked for. Rows are read while they are
    taken: an error in a later line comes when it is reached.
    """
    expect_size(len(content))
    if content.startswith((ZIP, OLE)):
        return read_workbook(content, sheet=layout.sheet, header_row=layout.header_row)
    if _PAGE.match(content[:500]):
        raise UnreadableFileError(
            _("This is a web page or XML with another name. Open it and save it as .xlsx or CSV.")
        )
    if content.startswith(_OTHERS):
        raise UnreadableFileError(_("This is no table. Choose a CSV, XLSX or XLS file."))
    return read_delimited(
        content,
        wanted=wanted,
        encoding=layout.encoding,
        delimiter=layout.delimiter.value if layout.delimiter else "",
        header_row=layout.header_row,
    )


def expect_size(size: int) -> None:
    """Refuse an empty file and one that is too large to be read."""
    if not size:
        raise UnreadableFileError(_("This file is empty."))
    if size > MOST_BYTES:
        limit = MOST_BYTES // 1024**2
        raise UnreadableFileError(_("This file is larger than %(limit)d MB.") % {"limit": limit})
