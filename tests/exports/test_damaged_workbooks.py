"""Workbooks that are broken or hostile: read, or refused in words; nothing else ever happens."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import random
import resource
import struct
import zipfile
from collections.abc import Callable

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trialsite.exports.reading import limits, workbooks
from trialsite.exports.reading.archives import expect_harmless
from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.layout import Layout
from trialsite.exports.reading.problems import UnreadableFileError

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
DAMAGED = "The workbook is damaged or incomplete. Save it anew and try again."
PACKED = "The workbook is packed in a way that is not read. Save it anew as .xlsx."


def made(*columns: list[object]) -> bytes:
    """A workbook of one sheet, the same to the byte whenever it is made.

    A workbook says when it was made: its length would change with the clock, and an example
    drawn for one length would not fit the next.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"created": dt.datetime(2026, 3, 5)})  # noqa: DTZ001
    sheet = book.add_worksheet("结果")
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for at, cells in enumerate(columns):
        for row, cell in enumerate(cells):
            is_moment = isinstance(cell, dt.datetime)
            sheet.write(row, at, cell, *([moment] if is_moment else []))
    book.close()
    return out.getvalue()


BOOK = made(
    ["a", "1", "<0.2"],
    ["b", 17.1, dt.datetime(2026, 3, 5, 7, 30)],  # noqa: DTZ001
)


def read(content: bytes) -> list[tuple[str, ...]]:
    return [row.cells for row in read_table(content, Layout()).rows]


def refused(content: bytes) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read(content)
    return str(caught.value)


def entries(content: bytes) -> list[int]:
    """Where the directory's entries begin."""
    at, found = content.index(b"PK\x01\x02"), []
    while content[at : at + 4] == b"PK\x01\x02":
        found.append(at)
        at += 46 + sum(struct.unpack("<HHH", content[at + 28 : at + 34]))
    return found


DIRECTORY = entries(BOOK)[0]


def test_the_workbook_of_these_tests_is_the_same_whenever_it_is_made():
    assert made(["a"]) == made(["a"])
    assert read(BOOK) == [("1", "17.1"), ("<0.2", "2026-03-05 07:30:00")]


# By hand: each kind of error that a reader of archives has.


@pytest.mark.requirement("IM3")
@pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 95, 98, 99, 0xFFFF])
def test_what_a_workbook_is_not_packed_with_is_not_unpacked(method):
    for at in entries(BOOK):
        content = bytearray(BOOK)
        content[at + 10 : at + 12] = struct.pack("<H", method)
        assert refused(bytes(content)) == PACKED


@pytest.mark.requirement("IM3")
def test_lzma_with_a_dictionary_of_gigabytes_is_never_begun():
    content = bytearray(BOOK)
    content[entries(BOOK)[0] + 10] = 14
    offset = struct.unpack("<I", content[entries(BOOK)[0] + 42 :][:4])[0]
    name, extra = struct.unpack("<HH", content[offset + 26 : offset + 30])
    content[offset + 30 + name + extra :][:9] = b"\x09\x04\x05\x00\x5d\xff\xff\xff\xff"
    assert refused(bytes(content)) == PACKED


def with_extra(field: int, number: int) -> bytes:
    """The first entry with a place or size of 64 bits (`field`: where the 32 bits stand)."""
    at, content = entries(BOOK)[0], bytearray(BOOK)
    extra = struct.pack("<HHQ", 1, 8, number)
    content[at + field : at + field + 4] = b"\xff" * 4
    content[at + 30 : at + 32] = struct.pack("<H", len(extra))
    name = struct.unpack("<H", content[at + 28 : at + 30])[0]
    content[at + 46 + name : at + 46 + name] = extra
    end = content.rindex(b"PK\x05\x06")
    size = struct.unpack("<I", content[end + 12 : end + 16])[0] + len(extra)
    content[end + 12 : end + 16] = struct.pack("<I", size)
    return bytes(content)


PLACE, PACKED_SIZE, SIZE = 42, 20, 24


@pytest.mark.requirement("IM3")
@pytest.mark.parametrize("number", [2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_part_that_begins_beyond_every_number_is_refused(number):
    assert refused(with_extra(PLACE, number)) == DAMAGED


@pytest.mark.parametrize("field", [PACKED_SIZE, SIZE])
@pytest.mark.parametrize("number", [0, 1, 2**63, 2**64 - 1])
def test_sizes_that_are_claimed_decide_nothing(field, number):
    with contextlib.suppress(UnreadableFileError):
        read(with_extra(field, number))


@pytest.mark.parametrize(("size", "place"), [(2**63, 0), (2**64 - 1, 2**64 - 1), (9, 2**63)])
def test_a_directory_of_64_bits_that_points_nowhere_is_refused(size, place):
    end = BOOK.rindex(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, size, place)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    assert refused(BOOK[:end] + record + locator + BOOK[end:]) == DAMAGED


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        (8, b"\x01\x00", "The workbook is locked. Save it without a password."),
        (8, b"\x20\x00", PACKED),
        (8, b"\x40\x00", PACKED),
        (6, b"\xff\x00", PACKED),
        (16, b"\x00\x00\x00\x00", DAMAGED),
        (42, b"\xff\xff\xff\x7f", DAMAGED),
        (46, b"\xff", DAMAGED),
    ],
    ids=["encrypted", "patched", "strong encryption", "version", "checksum", "place", "name"],
)
def test_a_directory_entry_that_is_wrong_is_refused_in_words(offset, value, said):
    content = bytearray(BOOK)
    at = entries(BOOK)[0] + offset
    content[at : at + len(value)] = value
    assert refused(bytes(content)) == said


def test_a_name_that_is_no_text_is_refused():
    content = bytearray(BOOK)
    at = entries(BOOK)[0]
    content[at + 8 : at + 10] = b"\x00\x08"
    content[at + 46] = 0xFF
    assert refused(bytes(content)) == DAMAGED


def repacked(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one part changed and everything around it sound."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for entry in old.infolist():
            part = old.read(entry)
            new.writestr(entry, change(part) if entry.filename == name else part)
    return out.getvalue()


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="B3" s="1"><v>1e308</v></c>',
        '<c r="B3" s="1"><v>-1</v></c>',
        '<c r="B3" s="1"><v>9999999</v></c>',
        '<c r="B3" s="1"><v>NaN</v></c>',
        '<c r="B3" t="s"><v>99999999999999999999</v></c>',
        '<c r="B3" t="s"><v>-1</v></c>',
        '<c r="B3" t="d"><v>2026-99-99</v></c>',
        '<c r="B3" t="b"><v>x</v></c>',
        '<c r="" ><v>1</v></c>',
        '<c r="3B"><v>1</v></c>',
        '<c r="B99999999999999999999"><v>1</v></c>',
        '<c r="B3"><f t="shared" si="99999999999"/><v>1</v></c>',
        '<c r="B3" t="inlineStr"><is><t>\x0b</t></is></c>',
        '<c r="B3"><v>&#xD800;</v></c>',
        '<c r="B3"><v>&nothing;</v></c>',
    ],
)
def test_a_cell_that_says_what_no_cell_can_is_read_or_refused(cell: str) -> None:
    def change(xml: bytes) -> bytes:
        at = xml.index(b'<c r="B3"')
        end = xml.index(b"</c>", at) + 4
        changed: bytes = xml[:at] + cell.encode() + xml[end:]
        return changed

    content = repacked(SHEET, change)
    with contextlib.suppress(UnreadableFileError):
        assert all(isinstance(each, str) for row in read(content) for each in row)


# What the process may take is limited; so is what it hands over.


@pytest.mark.parametrize(
    ("cells", "line"), [([["x" * 20_000]], 2), ([["y"] * 600], 1)], ids=["long", "wide"]
)
def test_more_than_is_read_is_refused_where_it_stands(cells, line):
    columns = [["a", text] for text in cells[0]]
    with pytest.raises(UnreadableFileError) as caught:
        read(made(*columns))
    assert caught.value.line == line


@pytest.mark.requirement("IM3")
@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("CHILD_BYTES", 1 << 20, DAMAGED),
        ("CHILD_WRITES", 10, DAMAGED),
        ("CHILD_PATIENCE", 0, "The workbook takes too long to read."),
    ],
)
def test_a_workbook_that_takes_more_than_it_may_is_refused(monkeypatch, name, limit, said):
    assert hasattr(limits, name)
    content = io.BytesIO(BOOK)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("xl/media/image1.png", random.Random(1).randbytes(8 << 20))
    assert read(content.getvalue())
    monkeypatch.setattr(workbooks, name, limit)
    assert refused(content.getvalue()).startswith(said)


def test_a_machine_without_anything_left_says_that_the_file_may_come_again():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        with pytest.raises(UnreadableFileError) as caught:
            read(BOOK)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert str(caught.value).startswith("Workbooks cannot be opened at this moment.")
    assert read(BOOK)


# By chance.

#: Bytes that mean something in an archive: methods, flags, ends of signed numbers.
TELLING = st.sampled_from([0, 1, 2, 5, 6, 8, 9, 12, 14, 0x50, 0x7F, 0x80, 0xFE, 0xFF])
ANY = st.integers(0, 255)


def places(first: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(
        st.tuples(st.integers(first, len(BOOK) - 1), ANY | TELLING), min_size=1, max_size=6
    )


def damaged(changes: list[tuple[int, int]]) -> bytes:
    content = bytearray(BOOK)
    for at, value in changes:
        content[at] = value
    return bytes(content)


@pytest.mark.requirement("IM3")
@pytest.mark.requirement("IM4")
@settings(max_examples=40, deadline=None)
@given(changes=places(4))
def test_a_damaged_workbook_is_read_or_refused_and_never_fails_otherwise(changes):
    with contextlib.suppress(UnreadableFileError):
        read(damaged(changes))


@pytest.mark.requirement("IM3")
@settings(max_examples=1500, deadline=None)
@given(changes=places(DIRECTORY) | places(4), cut=st.none() | st.integers(4, len(BOOK)))
@example(changes=[(DIRECTORY + 10, 14)], cut=None)
def test_a_damaged_archive_is_harmless_or_refused(changes, cut):
    with contextlib.suppress(UnreadableFileError):
        expect_harmless(damaged(changes)[:cut])


@pytest.mark.requirement("IM4")
@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from([SHEET, STRINGS, "xl/styles.xml", "xl/workbook.xml"]),
    changes=st.lists(st.tuples(st.integers(0, 5000), ANY), min_size=1, max_size=4),
    cut=st.none() | st.integers(0, 2000),
)
def test_a_sound_archive_around_broken_parts_is_read_or_refused(name, changes, cut):
    def change(xml: bytes) -> bytes:
        broken = bytearray(xml)
        for at, value in changes:
            broken[at % len(broken)] = value
        return bytes(broken[:cut])

    with contextlib.suppress(UnreadableFileError):
        read(repacked(name, change))
