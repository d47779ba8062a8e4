"""Files that others made: read strictly, every byte and cell accounted for, or refused in words."""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import io
import stat
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.exports.reading.encodings import Encoding
from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.layout import (
    DecimalMark,
    Delimiter,
    Layout,
    Read,
    UnreadableCellError,
    format_problem,
    read_moment,
    with_point,
)
from trialsite.exports.reading.limits import MOST_BYTES, MOST_COLUMNS
from trialsite.exports.reading.problems import UnreadableFileError

TEXT = "受试者,项目,结果（%）\n001,胆红素,17.1\n002,肌酐,<0.2\n"
HEADERS = ("受试者", "项目", "结果（%）")
CELLS = [("001", "胆红素", "17.1"), ("002", "肌酐", "<0.2")]


def read(content: bytes, **layout: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]], str]:
    table = read_table(content, Layout(**layout))
    return table.headers, [row.cells for row in table.rows], table.read_as


def refused(content: bytes, **layout: Any) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        read(content, **layout)
    assert str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode(), "UTF-8, comma"),
        (codecs.BOM_UTF8 + TEXT.encode(), "UTF-8 (BOM), comma"),
        (TEXT.encode("utf-16"), "UTF-16, comma"),
        (TEXT.encode("utf-16-le"), "UTF-16, comma"),
        (TEXT.encode("utf-16-be"), "UTF-16, comma"),
        (TEXT.encode("gb18030"), "GB18030, comma"),
        (TEXT.replace(",", "\t").encode("gb18030"), "GB18030, tab"),
        (TEXT.replace(",", ";").encode(), "UTF-8, semicolon"),
        (TEXT.replace(",", "|").encode(), "UTF-8, pipe"),
        (TEXT.replace("\n", "\r\n").encode(), "UTF-8, comma"),
        (TEXT.replace("\n", "\r").encode(), "UTF-8, comma"),
        (TEXT.replace("\n", "\r\n", 1).encode(), "UTF-8, comma"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_same_table_is_read_from_every_encoding_and_it_is_said_which(content, said):
    assert read(content) == (HEADERS, CELLS, said)


def test_an_encoding_that_is_stated_holds_and_one_that_does_not_fit_is_refused_with_the_line():
    assert read(TEXT.encode("big5", "ignore"), encoding=Encoding.BIG5)[2] == "BIG5, comma"
    assert refused("a,b\n1,é\n".encode("latin-1"), encoding=Encoding.UTF_8).line == 2
    assert refused(b"a,b\n1,2\n3,\xff\xff\n").line == 3


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a,b\n1,2\n\x003,4\n", 3),
        (b'a,b\n"1"x,2\n', 2),
        (b'a,b\n1,2\n"open,2\n3,4\n', 3),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", 2),
        (b"a,b\n" + b"x" * 10_001 + b",1\n", 2),
        (b",".join([b"a"] * 100_000) + b"\n", 1),
    ],
    ids=["nul", "quote", "open quote", "huge cell", "long cell", "wide"],
)
def test_what_cannot_be_told_apart_is_refused_with_its_line(content, line):
    assert refused(content).line == line


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n\n",
        b"%PDF-1.7 ...",
        b"\x1f\x8b\x08\x00abc",
        b"<html><table><tr><td>1</td></tr></table></html>",
        b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>",
        b"PK\x03\x04 and no more",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 1000,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        b"\xff\xfe\x00\x00a\x00\x00\x00",
        b"a" * (MOST_BYTES + 1),
    ],
    ids=[
        "empty",
        "blank",
        "pdf",
        "gzip",
        "page.xls",
        "xml",
        "zip",
        "xls",
        "locked",
        "utf-32",
        "big",
    ],
)
def test_what_is_no_table_is_refused_whatever_it_is_called(content):
    refused(content)


def test_a_row_is_found_by_the_line_it_begins_on():
    table = read_table(b'top\n\na,b\n1,"x\r\ny"\n\n2,z\n', Layout(header_row=3))
    assert [(row.line, row.cells) for row in table.rows] == [(4, ("1", "x\r\ny")), (7, ("2", "z"))]
    assert (table.header_line, table.address(4, 1)) == (3, "4:2")


@pytest.mark.requirement("EX4")
def test_what_our_own_exports_made_harmless_reads_as_it_was():
    cells = read(b"a\n'=1+1\n'-3\n''x\n'plain\n")[1]
    assert [each[0] for each in cells] == ["=1+1", "-3", "'x", "'plain"]


# Workbooks.


def workbook(write: Callable[[Any, Any], None], **options: Any) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, **options})
    write(book, book.add_worksheet("结果"))
    book.close()
    return out.getvalue()


@pytest.mark.parametrize("since_1904", [False, True])
def test_a_workbook_gives_values_of_formulas_and_the_clock_of_its_dates(since_1904):
    def write(book, sheet):
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, ["采样时间", "结果", "和", "真"])
        sheet.write_datetime(1, 0, dt.datetime.fromisoformat("2026-03-05T07:30"), moment)
        sheet.write_number(1, 1, 0.1 + 0.2)
        sheet.write_formula(1, 2, "=1+1", None, 2)
        sheet.write_boolean(1, 3, True)
        sheet.write_row(4, 0, ["x", "=1+1" if False else "<0.2", 18.50, 1e15])

    table = read_table(workbook(write, date_1904=since_1904), Layout())
    assert table.read_as == "XLSX, 结果"
    assert [(row.line, row.cells) for row in table.rows] == [
        (2, ("2026-03-05 07:30:00", "0.3", "2", "TRUE")),
        (5, ("x", "<0.2", "18.5", "1E15")),
    ]
    assert table.address(5, 2) == "C5"


def test_the_sheet_that_the_mapping_names_is_read():
    def write(book, sheet):
        sheet.write_row(0, 0, ["a"])
        other = book.add_worksheet("Second")
        other.write_column(0, 0, ["b", "1"])

    content = workbook(write)
    assert read(content, sheet="Second")[0] == ("b",)
    refused(content, sheet="Third")


def plain_book() -> bytes:
    return workbook(lambda _book, sheet: sheet.write_column(0, 0, ["a", "1"]))


def changed(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for entry in old.infolist():
            part = old.read(entry)
            new.writestr(entry, change(part) if entry.filename == name else part)
    return out.getvalue()


def with_part(name: str, part: bytes = b"x", mode: int = 0) -> bytes:
    out = io.BytesIO(plain_book())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, part)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
BOMBS = {
    "bomb": lambda: with_part("xl/media/a.xml", b"0" * 60_000_000),
    "shared strings bomb": lambda: with_part("xl/more.xml", b"<a/>" * 9_000_000),
    "slip": lambda: with_part("../../etc/passwd"),
    "absolute": lambda: with_part("/etc/passwd"),
    "backslash": lambda: with_part("..\\..\\x"),
    "drive": lambda: with_part("C:/x"),
    "symlink": lambda: with_part("xl/link", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "macro": lambda: with_part("xl/vbaProject.bin"),
    "external link": lambda: with_part("xl/externalLinks/externalLink1.xml"),
    "embedded": lambda: with_part("xl/embeddings/x.bin"),
    "twice": lambda: with_part("XL/worksheets/SHEET1.xml"),
    "truncated": lambda: plain_book()[:-200],
    "cut in the middle": lambda: plain_book()[:400],
    "entity": lambda: changed(
        plain_book(), SHEET, lambda xml: b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml
    ),
    "entity in utf-16": lambda: changed(
        plain_book(), SHEET, lambda xml: '<!DOCTYPE x [<!ENTITY a "a">]>'.encode("utf-16") + xml
    ),
    "far cell": lambda: changed(
        plain_book(), SHEET, lambda xml: xml.replace(b'r="A2"', b'r="XFD1048576"')
    ),
    "deep cell": lambda: changed(
        plain_book(), SHEET, lambda xml: xml.replace(b'r="A2"', b'r="ZZ900000"')
    ),
    "broken xml": lambda: changed(plain_book(), SHEET, lambda xml: xml[: len(xml) // 2]),
    "many parts": lambda: _many_parts(),
}


def _many_parts() -> bytes:
    out = io.BytesIO(plain_book())
    with zipfile.ZipFile(out, "a") as archive:
        for n in range(600):
            archive.writestr(f"xl/{n}.xml", b"")
    return out.getvalue()


@pytest.mark.requirement("IM3")
@pytest.mark.parametrize("name", BOMBS)
def test_an_archive_that_is_more_than_a_workbook_is_refused_before_it_is_opened(name):
    content = BOMBS[name]()
    began = time.process_time()
    refused(content)
    assert time.process_time() - began < 10


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(UnreadableFileError):
        read(content)


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(
        st.lists(
            st.text(
                st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'"), max_size=8
            ),
            min_size=2,
            max_size=2,
        ),
        max_size=5,
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@pytest.mark.requirement("DI10")
def test_text_goes_through_as_it_was_written(cells, encoding):
    import csv
    import unicodedata

    out = io.StringIO()
    csv.writer(out).writerows([["甲", "乙"], *cells])
    got = read(out.getvalue().encode(encoding), delimiter=Delimiter.COMMA)[1]
    wanted = [tuple(unicodedata.normalize("NFC", one).strip() for one in row) for row in cells]
    assert got == [row for row in wanted if any(row)]


def test_no_more_columns_than_the_limit():
    line = ",".join(f"c{n}" for n in range(MOST_COLUMNS)).encode()
    assert len(read(line + b"\n")[0]) == MOST_COLUMNS
    refused(line + b",one\n")


# Cells.


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,5", "1.5"),
        ("<0,2", "<0.2"),
        ("1.234,5", "1234.5"),
        ("12", "12"),
        ("1.234.567,8", "1234567.8"),
        ("-0,5", "-0.5"),
        ("阴性", "阴性"),
        ("> 10,0 H", "> 10.0 H"),
    ],
)
def test_a_decimal_comma_becomes_a_point(text, number):
    assert with_point(text, DecimalMark.COMMA) == number
    assert with_point(text, DecimalMark.POINT) == text


@pytest.mark.parametrize("text", ["1.234", "1.5", "1,2,3", "1,5.2", "12.34,5"])
def test_under_the_comma_a_point_that_could_be_either_is_refused(text):
    with pytest.raises(UnreadableCellError):
        with_point(text, DecimalMark.COMMA)


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        ("2026/3/5 7:30", ("YYYY/M/D H:mm",), Read(dt.date(2026, 3, 5), dt.time(7, 30))),
        ("05.03.2026", ("DD.MM.YYYY",), Read(dt.date(2026, 3, 5), None)),
        ("2026年3月5日 07:30", ("YYYY年M月D日 HH:mm",), Read(dt.date(2026, 3, 5), dt.time(7, 30))),
        ("2026-03-05 07:30:00", (), Read(dt.date(2026, 3, 5), dt.time(7, 30))),
        ("07:30", (), Read(None, dt.time(7, 30))),
    ],
)
def test_a_date_is_read_by_its_format(text, formats, expected):
    assert read_moment(text, formats) == expected


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("5/3/2026", ("D/M/YYYY", "M/D/YYYY")),
        ("2026-02-30", ()),
        ("31.02.2026 07:30", ("DD.MM.YYYY HH:mm",)),
        ("yesterday", ("YYYY-MM-DD",)),
        ("", ()),
        ("2026-03-05", ("YYYY-DD-MM",)),
    ],
)
def test_a_date_that_no_reading_or_two_readings_fit_is_refused(text, formats):
    with pytest.raises(UnreadableCellError):
        read_moment(text, formats)


@pytest.mark.parametrize("text", ["YYYY", "DD/MM/YYYY HH:mm", "YYYY年M月D日"])
def test_a_format_is_made_of_known_parts(text):
    assert format_problem(text) == ""
    assert format_problem(text + "q")
    assert format_problem(text + " YYYY")
