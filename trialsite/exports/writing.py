"""A dataset as a file: complete or absent, its rows no more than the person's sites.

The rows are copied to a temporary file inside the person's own database context, so
row-level security filters them too, and only a whole file is ever sent: what is streamed
after the transaction has ended would be an empty study (trust 0.6, EX3).
"""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import IO

from django.db import connection
from psycopg import sql

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.acts import note_act
from trialsite.core.spreadsheets import TRIGGERS
from trialsite.exports.explaining import explained
from trialsite.exports.python_rows import Block, csv_lines, json_lines
from trialsite.exports.registry import Column, Dataset, Kind

_ISO_WALL = 'YYYY-MM-DD"T"HH24:MI:SS'
_ISO_UTC = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_TEXTS = frozenset({Kind.TEXT, Kind.PARTIAL_DATE, Kind.JSON})


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    #: One document that explains itself: the columns with labels, units and codes, then rows.
    JSON = "json"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.NDJSON: "application/x-ndjson",
    Format.JSON: "application/json",
}
#: JSON escapes control characters, so these two never occur in a row: it is copied as it is.
_LINES = sql.SQL("FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02'")
_COPY_OPTIONS = {
    Format.CSV: sql.SQL("FORMAT csv, HEADER true"),
    Format.NDJSON: _LINES,
    Format.JSON: _LINES,
}


@dataclass(frozen=True, slots=True)
class Written:
    """A whole dataset in a file."""

    file: IO[bytes]
    sha256: str
    rows: int


def write(dataset: Dataset, *, by: User, as_: Format, bom: bool = False) -> Written:
    """Copy the dataset to a file and note that it was exported.

    Raises NotPermittedError for who may not export; the rows are those of the sites where
    both exporting and seeing this dataset are delegated.
    """
    sites = sites_of(dataset, by)
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the answer closes it)
    try:
        written = copy_to(file, blocks_of(dataset, sites, as_, bom=bom))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    note_act(
        "exported",
        details={
            "dataset": dataset.name,
            "format": as_,
            "rows": written.rows,
            "sha256": written.sha256,
            "sites": sorted(sites),
        },
    )
    return written


def sites_of(dataset: Dataset, by: User) -> frozenset[int]:
    """The sites whose rows of a dataset the person may take away; NotPermittedError for none."""
    by.require(Capability.EXPORT)
    by.require(dataset.needs)
    return by.access.sites(Capability.EXPORT) & by.access.sites(dataset.needs)


def blocks_of(
    dataset: Dataset, sites: frozenset[int], as_: Format, *, bom: bool = False
) -> Iterator[Block]:
    """The file piece by piece, each piece with the number of rows it adds."""
    if as_ is Format.JSON:
        return explained(dataset, _rows_of(dataset, sites, as_))
    mark = [(codecs.BOM_UTF8, 0)] if bom and as_ is Format.CSV else []
    return chain(mark, _rows_of(dataset, sites, as_))


def _rows_of(dataset: Dataset, sites: frozenset[int], as_: Format) -> Iterator[Block]:
    if dataset.rows is not None:
        lines = csv_lines if as_ is Format.CSV else json_lines
        yield from lines(dataset.columns, dataset.rows(sites))
    else:
        yield from _copied(query(dataset, sites, as_), as_)


def _copied(statement: sql.Composable, as_: Format) -> Iterator[Block]:
    command = sql.SQL("COPY ({}) TO STDOUT WITH ({}, ENCODING 'UTF8')").format(
        statement, _COPY_OPTIONS[as_]
    )
    with connection.cursor() as cursor:
        with cursor.copy(command) as copy:
            for block in copy:
                yield bytes(block), 0
        yield b"", cursor.rowcount


def copy_to(file: IO[bytes], blocks: Iterable[Block]) -> Written:
    """Write the pieces to a file that stands open; what they add up to."""
    digest, rows = hashlib.sha256(), 0
    for block, added in blocks:
        digest.update(block)
        file.write(block)
        rows += added
    return Written(file, digest.hexdigest(), rows)


def query(dataset: Dataset, sites: Iterable[int], as_: Format) -> sql.Composable:
    """The SELECT behind a file. Names and expressions are the code's; sites are literals."""
    cells = _CELLS[as_]
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(cells(column), sql.Identifier(column.name))
        for column in dataset.columns
    )
    select = sql.SQL("SELECT {} FROM {} WHERE ({}) AND {} ORDER BY {}").format(
        columns,
        sql.SQL(dataset.source),
        sql.SQL(dataset.where),
        _of_sites(dataset, sites),
        sql.SQL(dataset.order),
    )
    if as_ is not Format.CSV:
        return sql.SQL("SELECT row_to_json(x) FROM ({}) x").format(select)
    return select


def _of_sites(dataset: Dataset, sites: Iterable[int]) -> sql.Composable:
    if not dataset.site:
        return sql.SQL("true")
    return sql.SQL("{} = ANY ({}::int[])").format(sql.SQL(dataset.site), sql.Literal(sorted(sites)))


def _plain(column: Column) -> sql.Composable:
    """The value as every format writes it."""
    value = sql.SQL(f"({column.sql})")
    if column.kind is Kind.DATETIME:
        return sql.SQL("to_char({}, {})").format(value, sql.Literal(_ISO_WALL))
    if column.kind is Kind.MOMENT:
        return sql.SQL("to_char({} AT TIME ZONE 'UTC', {})").format(value, sql.Literal(_ISO_UTC))
    return value


def _csv_cell(column: Column) -> sql.Composable:
    """Text that a spreadsheet would run as a formula gets an apostrophe; numbers stay."""
    value = _plain(column)
    if column.kind is Kind.BOOLEAN:
        return sql.SQL("{}::text").format(value)
    if column.kind not in _TEXTS:
        return value
    triggers = sql.SQL(", ").join(sql.Literal(each) for each in (*TRIGGERS, "'"))
    return sql.SQL(
        "CASE WHEN left({0}::text, 1) IN ({1}) THEN '''' ELSE '' END || {0}::text"
    ).format(value, triggers)


def _json_cell(column: Column) -> sql.Composable:
    """A decimal is text, and so is a document that may hold some: most readers make floats
    of JSON numbers."""
    value = _plain(column)
    exact = column.kind in {Kind.FLOAT, Kind.JSON}
    return sql.SQL("{}::text").format(value) if exact else value


_CELLS = {Format.CSV: _csv_cell, Format.NDJSON: _json_cell, Format.JSON: _json_cell}
