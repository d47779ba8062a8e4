"""Rows made in Python as the lines of a file, to the byte as PostgreSQL writes its own.

A program that reads one dataset reads every other, whoever computed it.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trialsite.core.spreadsheets import neutralise
from trialsite.exports.registry import Column, Kind

#: A piece of a file, and how many rows it adds.
Block = tuple[bytes, int]
Row = Mapping[str, Any]

_TEXTS = frozenset({Kind.TEXT, Kind.PARTIAL_DATE, Kind.JSON})
#: What makes PostgreSQL quote a cell of CSV.
_QUOTED = frozenset(',"\r\n')


def csv_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Block]:
    """The head of a CSV file and its rows; text that a program would run is made harmless."""
    head = ",".join(_quoted(column.name) for column in columns)
    yield f"{head}\n".encode(), 0
    for row in rows:
        yield (",".join(_cell(each, row[each.name]) for each in columns) + "\n").encode(), 1


def json_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Block]:
    """One JSON object a row; decimals are text."""
    for row in rows:
        said = {each.name: _json_value(each, row[each.name]) for each in columns}
        line = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        yield f"{line}\n".encode(), 1


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    text = _text(column, value)
    return _quoted(neutralise(text) if column.kind in _TEXTS else text)


def _quoted(text: str) -> str:
    # PostgreSQL quotes empty text, which is not the same as nothing.
    if text and not _QUOTED.intersection(text) and text != "\\.":
        return text
    return '"' + text.replace('"', '""') + '"'


def _json_value(column: Column, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    return _text(column, value)


def _text(column: Column, value: Any) -> str:
    """A value as every dataset writes its kind."""
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case dt.datetime() if column.kind is Kind.MOMENT:
            moment = value.astimezone(dt.UTC)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case dt.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S")
        case dt.date():
            return value.isoformat()
        case uuid.UUID() | int() | str():
            return str(value)
        case _:
            raise TypeError(f"{column.name}: {value!r}")
