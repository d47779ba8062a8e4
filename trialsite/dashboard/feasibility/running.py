"""One file, one mapping, one protocol: the answer, or everything that is wrong with the file."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from trialsite.core.exceptions import DomainError
from trialsite.dashboard.feasibility.cells import CellProblem, Cells
from trialsite.dashboard.feasibility.judging import (
    Judgements,
    as_asked,
    counts_age_when_judged,
    judge,
)
from trialsite.dashboard.feasibility.keeping import kept_mapping
from trialsite.dashboard.feasibility.mapping import (
    FeasibilityMapping,
    read_feasibility_mapping,
)
from trialsite.dashboard.feasibility.people import PeopleReader, Person
from trialsite.dashboard.feasibility.result import Ending, Noted, Result, Times
from trialsite.dashboard.feasibility.survival import EndingReader
from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Table, fitted, places_of
from trialsite.protocol import Protocol

#: So many problems are told of one file; who mends these finds the next.
MOST_PROBLEMS = 200


class RowsError(DomainError):
    """Cells that cannot be read; nothing was judged. Every problem with its line and column."""

    def __init__(self, problems: tuple[CellProblem, ...], rows: int) -> None:
        super().__init__(_("The file cannot be judged as it is."))
        self.problems = problems[:MOST_PROBLEMS]
        self.count = len(problems)
        #: How many rows they stand in.
        self.rows = rows


@dataclass(slots=True)
class _Read:
    """What the rows hold, and what cannot be read of them."""

    people: list[Person] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    problems: list[CellProblem] = field(default_factory=list)
    doubts: list[CellProblem] = field(default_factory=list)


def run(
    content: bytes,
    mapping: str,
    protocol: Protocol,
    *,
    today: dt.date,
    as_written: bool = False,
    set_aside: bool = False,
    most: int | None = None,
) -> Result:
    """Judge a file by a mapping.

    Raises MappingError, UnreadableFileError or RowsError with all there is to mend; with
    `set_aside` rows that cannot be read are left out and listed instead.
    """
    wanted = read_feasibility_mapping(mapping, protocol)
    asked = as_asked(protocol, wanted, as_written=as_written)
    table = read_table(content, wanted.layout, wanted=wanted.headers)
    found = _read(table, wanted, asked, today=today, most=most)
    lines = {each.line for each in found.problems}
    if lines and not set_aside:
        raise RowsError(tuple(found.problems), len(lines))
    people = [each for each in found.people if each.line not in lines]
    endings = tuple(each for each in found.endings if each.line not in lines)
    judged = (
        judge(people, asked)
        if wanted.judged
        else Judgements(people=(), needs=(), tallies=(), scores=())
    )
    on = wanted.everyone.assessed or today
    return Result(
        sha256=hashlib.sha256(content).hexdigest(),
        read_as=table.read_as,
        protocol_version=protocol.version,
        protocol_hash=protocol.content_hash,
        as_written=as_written,
        age_when_judged=counts_age_when_judged(wanted),
        mapping=kept_mapping(wanted),
        judged_for="" if wanted.columns.assessed else on.isoformat(),
        rows=max(len(people), len(endings)),
        set_aside=len(lines),
        left_out=_noted(found.problems),
        doubted=len(found.doubts),
        doubts=_noted(found.doubts),
        people=judged.people,
        needs=judged.needs,
        tallies=judged.tallies,
        scores=judged.scores,
        times=Times(endings=endings, days=wanted.survival.days) if wanted.survival else None,
    )


def _noted(cells: list[CellProblem]) -> tuple[Noted, ...]:
    """The first of them: so many are shown."""
    return tuple(
        Noted(line=each.line, place=each.place, column=each.column, message=each.message)
        for each in cells[:MOST_PROBLEMS]
    )


def _read(
    table: Table,
    mapping: FeasibilityMapping,
    protocol: Protocol,
    *,
    today: dt.date,
    most: int | None,
) -> _Read:
    """All rows, or UnreadableFileError; every row is read before any is judged."""
    cells = Cells(table, places_of(table, mapping.headers), mapping.layout)
    people = PeopleReader(mapping, protocol, today=today)
    times = EndingReader(mapping.survival) if mapping.survival else None
    found = _Read(problems=cells.problems, doubts=cells.doubts)
    for line, whole in _rows(table, cells, most):
        cells.turn(line, whole)
        if mapping.judged:
            found.people.append(people.person(line, table.address(line, 0), cells))
        if times and (ending := times.ending(line, cells)):
            found.endings.append(ending)
    if not found.people and not found.endings and not found.problems:
        raise UnreadableFileError(_("There is no row below the header."), line=table.header_line)
    return found


def _rows(table: Table, cells: Cells, most: int | None) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows that are whole; of another, a problem."""
    for count, row in enumerate(table.rows, start=1):
        if most is not None and count > most:
            message = _("The file has more than %(n)d rows. Divide it.") % {"n": most}
            raise UnreadableFileError(message, line=row.line)
        whole = fitted(row.cells, len(table.headers))
        if whole is None:
            cells.turn(row.line, ())
            cells.refuse(
                "",
                _("This row has %(n)d cells, the header %(m)d.")
                % {"n": len(row.cells), "m": len(table.headers)},
            )
            continue
        yield row.line, whole
