"""Reading a block pasted from a spreadsheet or a laboratory system.

Every line that is not empty and not a header comes back as a row: what was understood of
it, or the problem. Nothing is stored and nothing guessed; a person looks at the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from trialsite.protocol.labs import Analyte

from .matching import Matcher, other_specimen
from .pasted_cells import (
    Parts,
    PrintedRange,
    by_content,
    by_header,
    cells_of,
    header_of,
    is_result,
    number_with_unit,
    printed_range,
    separator_of,
)
from .results import (
    Parsed,
    Refusal,
    ResultError,
    UnitSlip,
    parse_result,
    printed_mark,
    suspect_unit,
)

MOST_LINES = 500
LONGEST_LINE = 2000
LONGEST_CELL = 200
MOST_CELLS = 40


class PasteError(ValueError):
    """A block that is not read at all: more than MOST_LINES lines."""

    code = "too_many_lines"


class PasteProblem(StrEnum):
    """Why a row cannot be taken as it is."""

    NONE = ""
    LINE_TOO_LONG = "line_too_long"
    CELL_TOO_LONG = "cell_too_long"
    UNEXPECTED_CELLS = "unexpected_cells"
    OTHER_SPECIMEN = "other_specimen"
    UNKNOWN_TEST = "unknown_test"
    AMBIGUOUS_TEST = "ambiguous_test"
    DUPLICATE_TEST = "duplicate_test"
    NO_RESULT = "no_result"
    SEVERAL_RESULTS = "several_results"
    UNREADABLE_RESULT = "unreadable_result"
    NO_UNIT = "no_unit"
    UNKNOWN_UNIT = "unknown_unit"
    AMBIGUOUS_UNIT = "ambiguous_unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedRow:
    """One line: its cells, what they mean, the first problem, and a suspected unit slip.

    `analyte` and `candidates` are keys of the protocol's analytes; `unit` is UCUM, and
    `units` are the choices where the printed one means several.
    """

    line: int
    cells: tuple[str, ...]
    analyte: str | None = None
    candidates: tuple[str, ...] = ()
    text: str = ""
    parsed: Parsed | None = None
    refusal: Refusal | None = None
    unit_text: str = ""
    unit: str | None = None
    units: tuple[str, ...] = ()
    printed_range: PrintedRange | None = None
    printed_flag: str = ""
    problem: PasteProblem = PasteProblem.NONE
    slip: UnitSlip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """The rows of a block in its order, and the lines read as headers."""

    rows: tuple[PastedRow, ...]
    header_lines: tuple[int, ...] = ()


def parse_block(
    text: str, *, analytes: Iterable[Analyte], previous: Mapping[str, Decimal] | None = None
) -> Pasted:
    """The rows of a pasted block; `previous` are the last canonical values by analyte key.

    More than MOST_LINES lines: PasteError.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if sum(1 for line in lines if line.strip()) > MOST_LINES:
        raise PasteError
    matcher, separator = Matcher(analytes), separator_of(lines)
    header: tuple[str, ...] = ()
    headers: list[int] = []
    rows: list[PastedRow] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            cut = line[:LONGEST_CELL]
            rows.append(PastedRow(line=number, cells=(cut,), problem=PasteProblem.LINE_TOO_LONG))
            continue
        cells = cells_of(line, separator)
        roles = header_of(cells)
        if roles:
            header = roles
            headers.append(number)
            continue
        rows.append(_row(number, cells, header, separator, matcher, previous or {}))
    return Pasted(rows=_without_duplicates(rows), header_lines=tuple(headers))


def _row(
    line: int,
    cells: tuple[str, ...],
    header: tuple[str, ...],
    separator: str,
    matcher: Matcher,
    previous: Mapping[str, Decimal],
) -> PastedRow:
    row = PastedRow(line=line, cells=tuple(cell[:LONGEST_CELL] for cell in cells))
    if len(cells) > MOST_CELLS:
        return replace(row, problem=PasteProblem.UNEXPECTED_CELLS)
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return replace(row, problem=PasteProblem.CELL_TOO_LONG)
    parts = by_header(cells, header, separator) if header else None
    return understood(row, parts or by_content(cells, matcher), matcher, previous)


def understood(
    row: PastedRow, parts: Parts, matcher: Matcher, previous: Mapping[str, Decimal]
) -> PastedRow:
    """The row with what its parts mean, or its first problem; pasted and imported alike."""
    cells = row.cells
    row = _named(row, parts, matcher)
    row = _measured(row, parts, matcher)
    if other_specimen(cells):
        row = replace(row, problem=PasteProblem.OTHER_SPECIMEN)
    elif parts.several and row.analyte:
        row = replace(row, problem=PasteProblem.SEVERAL_RESULTS)
    if row.problem or row.analyte is None or row.unit is None:
        return row
    if row.parsed is None or row.parsed.value is None:
        return row
    analyte = matcher.analytes[row.analyte]
    slip = suspect_unit(analyte, row.parsed.value, row.unit, previous.get(row.analyte))
    return replace(row, slip=slip)


def _named(row: PastedRow, parts: Parts, matcher: Matcher) -> PastedRow:
    """The row with its test: every cell that names one names the same, the unit may choose.

    A code beside the name may be the laboratory's own; words must be understood.
    """
    matches = [matcher.match(name) for name in parts.names]
    named = [match.analytes for match in matches if match.analytes]
    unexplained = [
        name
        for name, match in zip(parts.names, matches, strict=True)
        if not match.analytes and (" " in name or not name.isascii())
    ]
    if not named or unexplained:
        near = tuple(
            dict.fromkeys(key for match in matches for key in match.analytes + match.candidates)
        )
        return replace(row, candidates=near, problem=PasteProblem.UNKNOWN_TEST)
    shared = [key for key in named[0] if all(key in keys for keys in named[1:])]
    if len(shared) > 1:
        fitting = [key for key in shared if len(matcher.units(key, parts.unit)) == 1]
        shared = fitting if len(fitting) == 1 else shared
    if len(shared) == 1:
        return replace(row, analyte=shared[0])
    all_named = tuple(dict.fromkeys(key for keys in named for key in keys))
    return replace(row, candidates=all_named, problem=PasteProblem.AMBIGUOUS_TEST)


def _measured(row: PastedRow, parts: Parts, matcher: Matcher) -> PastedRow:
    """The row with result, unit, range and flag as far as they can be read."""
    text, unit_text = parts.result, parts.unit
    split = None if is_result(text) or unit_text else number_with_unit(text, matcher)
    if split is not None:
        text, unit_text = split
    row = replace(
        row,
        text=text,
        unit_text=unit_text,
        printed_range=printed_range(parts.range) if parts.range else None,
        printed_flag=printed_mark(parts.flag) or "",
    )
    try:
        parsed = parse_result(text)
    except ResultError as error:
        blank = error.code is Refusal.BLANK
        problem = PasteProblem.NO_RESULT if blank else PasteProblem.UNREADABLE_RESULT
        row = replace(row, refusal=error.code, problem=row.problem or problem)
    else:
        row = replace(row, parsed=parsed, printed_flag=parsed.printed_flag or row.printed_flag)
    return row if row.analyte is None else _in_unit(row, row.analyte, parts, matcher)


def _in_unit(row: PastedRow, key: str, parts: Parts, matcher: Matcher) -> PastedRow:
    """The row with its unit; a finding in words needs none."""
    units = matcher.units(key, row.unit_text, " ".join(parts.names))
    if len(units) == 1:
        return replace(row, unit=units[0])
    if row.parsed is not None and row.parsed.qualitative is not None and not row.unit_text:
        return row
    if units:
        return replace(row, units=units, problem=row.problem or PasteProblem.AMBIGUOUS_UNIT)
    unwritten = not row.unit_text
    problem = PasteProblem.NO_UNIT if unwritten else PasteProblem.UNKNOWN_UNIT
    choices = matcher.analytes[key].accepted_units
    return replace(row, units=choices, problem=row.problem or problem)


def _without_duplicates(rows: list[PastedRow]) -> tuple[PastedRow, ...]:
    """A test that stands twice is a question, in each of its rows."""
    times = Counter(row.analyte for row in rows if row.analyte)
    return tuple(
        replace(row, problem=PasteProblem.DUPLICATE_TEST)
        if row.analyte and times[row.analyte] > 1 and not row.problem
        else row
        for row in rows
    )
