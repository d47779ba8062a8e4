"""What cannot be read is told with line and column, all of it at once, and nothing is judged."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dashboard.feasibility.hospital import (
    as_csv,
    as_xlsx,
    judged,
    mapping,
    patients,
    protocol,
    table,
)
from tests.exports.test_reading import BOMBS
from trialsite.core.exceptions import DomainError
from trialsite.dashboard.feasibility.cells import CellProblem
from trialsite.dashboard.feasibility.mapping import read_feasibility_mapping
from trialsite.dashboard.feasibility.result import Result
from trialsite.dashboard.feasibility.running import RowsError
from trialsite.dashboard.feasibility.saying import Words, write_csv
from trialsite.exports.reading.mappings import MappingError
from trialsite.exports.reading.problems import UnreadableFileError

ROWS = table(patients(6), umol=True)
#: Column of the table -> a cell that cannot be read.
BROKEN = {2: "old", 3: "31/31/2026", 4: "a lot", 6: "2,05", 11: "V", 12: "perhaps", 1: "x"}


def with_cells(**cells: str) -> list[list[object]]:
    """The table with cells named as `r2c4` changed."""
    rows = [list(row) for row in ROWS]
    for place, text in cells.items():
        line, column = place.removeprefix("r").split("c")
        rows[int(line)][int(column)] = text
    return rows


def refused(content: bytes, **options: object) -> RowsError:
    with pytest.raises(RowsError) as caught:
        judged(content, mapping("umol"), **options)
    return caught.value


@pytest.mark.requirement("IM4")
@pytest.mark.parametrize("column", BROKEN)
def test_a_cell_that_cannot_be_read_is_told_with_its_line_and_column(column):
    rows = with_cells(**{f"r3c{column}": BROKEN[column]})
    (text,) = refused(as_csv(rows)).problems
    assert (text.line, text.place, text.column) == (4, f"4:{column + 1}", rows[0][column])
    assert BROKEN[column] in text.message
    (book,) = refused(as_xlsx(rows)).problems
    assert book.place == f"{chr(65 + column)}4"


def test_everything_wrong_is_told_at_once_and_the_rows_can_be_set_aside():
    rows = with_cells(r1c4="many", r3c2="old", r3c11="V")
    rows[5] = rows[5][:7]
    found = refused(as_csv(rows))
    assert [each.line for each in found.problems] == [2, 4, 4, 6]
    assert (found.count, found.rows) == (4, 3)
    left = judged(as_csv(rows), mapping("umol"), set_aside=True)
    assert [each.line for each in left.people] == [3, 5, 7]
    assert (left.rows, left.set_aside, len(left.left_out)) == (3, 3, 4)
    assert all(sum((t.fulfilled, t.against, t.unknown)) == 3 for t in left.tallies)


@pytest.mark.parametrize("row", ["1,2", "1,2,3,4", "1,2,3,,x"])
def test_a_ragged_row_is_told(row):
    with pytest.raises(RowsError) as caught:
        judged(f"a,b,c\n1,2,3\n{row}\n".encode(), "columns: {age: a}\n")
    assert caught.value.problems[0].line == 3


def test_a_value_that_is_another_units_is_used_and_told():
    found = judged(b"bili\n12000\n200\n", "results: {bili: {analyte: BILI, unit: umol/L}}\n")
    assert [each.place for each in found.doubts] == ["2:1"]
    assert found.doubted == 1
    assert found.tallies[2].fulfilled == 2


@pytest.mark.requirement("IM3")
@pytest.mark.parametrize("name", BOMBS)
def test_an_archive_that_is_more_than_a_workbook_is_refused(name):
    with pytest.raises(UnreadableFileError):
        judged(BOMBS[name](), "columns: {age: a}\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"a,b\n", "no row below"),
        (b"b\n1\n", "no column"),
        (b"a,A\n1,2\n", "twice"),
        (b"%PDF-1.7", "no table"),
        (b"<html><table></table>", "web page"),
        (b"a\n\xff\xfe\xff\n", "UTF-8"),
        (b'a\n"1\n', "quotation"),
        (b"a\n1\x00\n", "NUL"),
        ("a\n40\n".encode("utf-32"), "UTF-32"),
        ("a\n40\n".encode("cp500"), "neither UTF-8 nor GB18030"),
        (b",".join([b"c"] * 100_000) + b"\n1\n", "more than 500 columns"),
        (b"a\n" + b"x" * 5_000_000, "Line 2"),
        (b"x,y\n1,2\n", "It has: x, y."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3000, "damaged"),
        (as_xlsx([]), "no table"),
        (as_xlsx([["a", "b"]]), "no row below"),
        (as_xlsx([["a", "A"], [1, 2]]), "twice"),
    ],
)
def test_what_is_no_such_table_is_refused(content, says):
    with pytest.raises(UnreadableFileError) as caught:
        judged(content, "columns: {age: a}\n")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    [
        *("1e308", "1e999999", "-1e308", "NaN", "Infinity", "=40+1", "#DIV/0!", "0x28", "1_000"),
        *(
            "9" * 9000,
            "\u0664\u0660",
            "\u202e04",
            "4\u00a00",
            "--5",
            "5-",
            "1;DROP TABLE",
            "{{40}}",
        ),
    ],
)
@pytest.mark.parametrize(
    "what", ["columns: {age: a}", "results: {a: {analyte: BILI, unit: umol/L}}"]
)
def test_what_only_looks_like_a_number_is_told_and_nothing_is_judged(cell, what):
    (told,) = refused_cell(cell, what)
    assert (told.place, told.column) == ("2:1", "a")
    assert len(told.message) < 200


def refused_cell(cell: str, what: str) -> tuple[CellProblem, ...]:
    with pytest.raises(RowsError) as caught:
        judged(f"a\n{cell}\n".encode(), f"{what}\n")
    return tuple(caught.value.problems)


def test_of_merged_cells_only_the_first_has_a_value_and_an_error_has_none():
    """As the file itself keeps them; the page of the feasibility's help says so."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["who", "age"])
    sheet.write_column(1, 0, ["first", "second", "third"])
    sheet.merge_range(1, 1, 2, 1, 40)
    sheet.write_formula(3, 1, "=1/0", None, "#DIV/0!")
    book.close()
    found = judged(out.getvalue(), "columns: {person: who, age: age}\n")
    (tally, *_others) = found.tallies
    assert (tally.fulfilled, tally.against, tally.unknown) == (1, 0, 2)


def test_more_rows_than_are_taken_are_refused():
    with pytest.raises(UnreadableFileError):
        judged(b"a\n" + b"40\n" * 11, "columns: {age: a}\n", most=10)
    assert judged(b"a\n" + b"40\n" * 10, "columns: {age: a}\n", most=10).rows == 10


NASTY = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "'quoted", "<script>", 'a,b\n"c"']


def test_a_name_that_a_spreadsheet_would_run_is_harmless_in_the_file_that_goes_out():
    out = io.StringIO()
    csv.writer(out).writerows([["who", "age"], *([name, "40"] for name in NASTY)])
    found = judged(out.getvalue().encode(), "columns: {person: who, age: age}\n")
    written = io.StringIO()
    write_csv(written, Words(found, protocol()))
    lines = list(csv.DictReader(io.StringIO(written.getvalue())))
    assert len(lines) == len(NASTY)
    for line in lines:
        assert not line["person"].startswith(("=", "+", "-", "@", "\t", "＝"))
        assert line["IN01"] == "fulfilled"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.lists(
            st.text(alphabet="0123456789.,<>-=ⅡV男是/年 e\u3000", max_size=9),
            min_size=13,
            max_size=13,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_cells_are_judged_or_refused_with_their_place(rows):
    content = as_csv([ROWS[0], *rows])
    whole = [row for row in rows if any(cell.strip() for cell in row)]
    refusal: DomainError | None = None
    found: Result | None = None
    try:
        found = judged(content, mapping("umol"))
    except (RowsError, UnreadableFileError) as error:
        refusal = error
    if isinstance(refusal, RowsError):
        assert all(2 <= each.line <= len(rows) + 1 for each in refusal.problems)
    assert whole or isinstance(refusal, UnreadableFileError)
    for tally in found.tallies if found else ():
        assert tally.fulfilled + tally.against + tally.unknown == len(whole)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_judged_or_refused(content):
    with suppress(DomainError):
        judged(content, "columns: {age: a}\n")


# Mappings.


@pytest.mark.parametrize(
    ("text", "line", "path"),
    [
        ("layout: {decimal: point}\n", 1, ""),
        ("columns:\n  aeg: a\n", 2, "columns.aeg"),
        ("columns: {age: a, born: b}\n", 1, "columns.age"),
        ("columns: {age: a, sex: a}\n", 1, "columns"),
        ("columns: {sex: s}\nsexes: {m: man}\n", 2, "sexes.m"),
        ("columns: {age: a}\ntruths: {ja: ja}\n", 2, "truths.ja"),
        ("results:\n  b: {analyte: NOPE}\n", 2, "results.b.analyte"),
        ("results:\n  b: {analyte: BILI}\n", 2, "results.b.unit"),
        ("results:\n  b: {analyte: BILI, unit: furlong}\n", 2, "results.b.unit"),
        ("results:\n  b: {analyte: INR, hours_before: -1}\n", 2, "results.b.hours_before"),
        (
            "results:\n  b: {analyte: INR, lower_limit: 2, upper_limit: 1}\n",
            2,
            "results.b.upper_limit",
        ),
        ("items:\n  h: {item: I.NO.SUCH}\n", 2, "items.h.item"),
        ("allergies:\n  p: {agent: cats}\n", 2, "allergies.p.agent"),
        ("judgements:\n  j: {criterion: IN01}\n", 2, "judgements.j.criterion"),
        ("columns: {age: a}\neveryone: {sex: X}\n", 2, "everyone.sex"),
        ("columns: {age: a}\neveryone: {dialysis: perhaps}\n", 2, "everyone.dialysis"),
        ("columns: {age: a}\nlayout: {dates: [QQQ]}\n", 2, "layout.dates"),
        ("columns: {age: a}\nlayout: {header_row: 0}\n", 2, "layout.header_row"),
        ("survival: {time: t, status: s, codes: {'0': gone}}\n", 1, "survival.codes.0"),
        ("survival: {time: t, status: s, codes: {'1': transplanted}}\n", 1, "survival.codes"),
        (
            "survival: {time: t, status: s, codes: {'1': dead}, days: [-1]}\n",
            1,
            "survival.days",
        ),
        ("survival: {time: t, codes: {'1': dead}}\n", 1, "survival.status"),
        ("columns: [a]\n", 1, "columns"),
        ("{", 2, ""),
        ("", 1, ""),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, ""),
        ("columns: &a {age: *a}\n", 1, ""),
        ("columns: &x {age: a}\nlayout: {<<: *x}\n", 1, ""),
        ("columns: " + "[" * 5000, 1, ""),
        ("columns: !!python/object/apply:os.system [ls]\n", 1, ""),
        ("columns: {age: a}\ncolumns: {age: b}\n", 2, "columns"),
        ("columns: {age: a}\n---\nx: y\n", 2, ""),
        ("columns: {age: a\0}\n", 1, ""),
        ("columns: {1: 2}\n", 1, "columns.1"),
        ("columns: {age: a}\n#" + "x" * 1_000_000, 1, ""),
        ("columns: {age: a}\nlayout: {header_row: " + "9" * 5000 + "}\n", 2, "layout.header_row"),
        (
            "results:\n  b: {analyte: INR, hours_before: 1e999999}\n",
            2,
            "results.b.hours_before",
        ),
    ],
)
def test_a_mapping_that_cannot_be_used_says_where(text, line, path):
    with pytest.raises(MappingError) as caught:
        read_feasibility_mapping(text, protocol())
    assert path in {each.path for each in caught.value.problems}
    assert line in {each.line for each in caught.value.problems}
