"""A record and its row under one lock, by one prepared text.

Building this SELECT anew costs Django more than PostgreSQL needs to answer it, so its
text is made once per form (docs/benchmarks.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models
from django.utils.translation import gettext as _

from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import TransitionError
from trialsite.crf.models import CrfData, CrfRow, stored

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class _Reader:
    """The columns of one model in a wider answer, and what makes values of them."""

    model: type[models.Model]
    names: tuple[str, ...]
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]

    @classmethod
    def of(cls, model: type[models.Model]) -> _Reader:
        fields = model._meta.concrete_fields
        convert = tuple(
            (position, _converter(field))
            for position, field in enumerate(fields)
            if hasattr(field, "from_db_value")
        )
        return cls(model, tuple(field.attname for field in fields), convert)

    @property
    def columns(self) -> str:
        table = self.model._meta.db_table
        return ", ".join(f'"{table}"."{f.column}"' for f in self.model._meta.concrete_fields)

    def read(self, answer: tuple[Any, ...]) -> Any:
        values = list(answer)
        for position, convert in self.convert:
            values[position] = convert(values[position])
        return self.model.from_db("default", self.names, values)


def _converter(field: Any) -> Callable[[Any], Any]:
    column = field.get_col(field.model._meta.db_table)
    return lambda value: field.from_db_value(value, column, connection)


@lru_cache(maxsize=128)
def _prepared(crf: type[CrfData]) -> tuple[str, _Reader, _Reader]:
    row, record = _Reader.of(crf), _Reader.of(CrfRecord)
    rows, records = crf._meta.db_table, CrfRecord._meta.db_table
    return (
        f'SELECT {row.columns}, {record.columns} FROM "{rows}" '
        f'JOIN "{records}" ON "{records}"."id" = "{rows}"."record_id" '
        f'WHERE "{rows}"."record_id" = %s FOR NO KEY UPDATE',
        row,
        record,
    )


def locked_row(crf: type[CrfData], record_id: uuid.UUID) -> tuple[CrfRecord, Any] | None:
    """The record and its row, both locked, or None where nothing has been entered yet.

    Both: a writer who has waited is given the new version of locked rows only.
    """
    sql, row, record = _prepared(crf)
    with connection.cursor() as cursor:
        cursor.execute(sql, [record_id])
        answer = cursor.fetchone()
    if answer is None:
        return None
    found: CrfRecord = record.read(answer[len(row.names) :])
    data = row.read(answer[: len(row.names)])
    data.record = found
    return found, data


def row_to_save(
    record: CrfRecord, group: type[CrfRow], row_id: uuid.UUID | None, new_id: uuid.UUID | None
) -> tuple[CrfRow, bool]:
    """The row to change, or a new one of this record that is locked; and whether it is new."""
    if row_id is None and not stored(group).filter(record=record, pk=new_id).exists():
        row = group(
            id=new_id or uuid.uuid4(),
            record=record,
            site_id=record.site_id,
            subject_id=record.subject_id,
            number=next_row_number(record, group),
        )
        return row, True
    row = stored(group).get(record=record, pk=row_id or new_id)
    if row.voided_at is not None:
        raise TransitionError(_("This row has been voided."))
    return row, False


def next_row_number(record: CrfRecord, group: type[CrfRow]) -> int:
    """The number of a further row; a number is not used again."""
    last: int | None = (
        stored(group)
        .filter(record=record)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )
    return (last or 0) + 1
