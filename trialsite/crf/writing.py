"""One statement stores a row, and answers how the edit checks judge it.

Django's `save` writes every column and cannot select; here only what changed is written,
and the verdicts come back with it (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.clock import TrialNow
from trialsite.crf.judging import Judgement, verdicts_of
from trialsite.crf.models import ItemData


def insert(row: ItemData, version_id: int) -> Judgement:
    """Store a new row and judge it."""
    columns, values = _columns(
        row, [field.name for field in row._meta.concrete_fields if not field.generated]
    )
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    head = f'INSERT INTO "{row._meta.db_table}" ({names}) VALUES ({marks})'
    return _run(row, version_id, head, values)


def update(row: ItemData, changed: Iterable[str], version_id: int) -> Judgement:
    """Store the changed columns of a row and judge all of it.

    What the database computes from them is read again when somebody asks for it.
    """
    for computed in row._meta.concrete_fields:
        if computed.generated:
            row.__dict__.pop(computed.attname, None)
    columns, values = _columns(row, changed)
    settings = ", ".join(f'"{column}" = %s' for column in columns)
    pk = row._meta.pk
    assert pk is not None
    head = f'UPDATE "{row._meta.db_table}" SET {settings} WHERE "{pk.column}" = %s'
    return _run(row, version_id, head, [*values, row.pk])


def store(record: CrfRecord, names: Iterable[str]) -> None:
    """Store these columns of a record, which may be database expressions such as the clock."""
    settings, values = [], []
    for name in names:
        field: Any = record._meta.get_field(name)
        value = getattr(record, field.attname)
        if isinstance(value, TrialNow):
            settings.append(f'"{field.column}" = {TrialNow.template}')
        else:
            settings.append(f'"{field.column}" = %s')
            values.append(field.get_db_prep_save(value, connection))
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{record._meta.db_table}" SET {", ".join(settings)} WHERE "id" = %s',
            [*values, record.pk],
        )


def status_of(*, complete: bool) -> RecordStatus:
    """The state of a record that has data."""
    return RecordStatus.COMPLETE if complete else RecordStatus.IN_PROGRESS


def advance(
    record: CrfRecord, *, by: User, complete: bool, content_hash: str, form_version: int = 1
) -> None:
    """Move a locked record's header on with its data: state, version, hash, who completed it."""
    record.status = status_of(complete=complete)
    record.not_done_reason = ""
    record.version += 1
    record.form_version = form_version
    record.content_hash = content_hash
    fields = ["status", "not_done_reason", "version", "form_version", "content_hash"]
    if record.first_entered_at is None:
        record.first_entered_at = TrialNow()
        fields.append("first_entered_at")
    if complete and record.completed_at is None:
        record.completed_at = TrialNow()
        record.completed_by = by
        fields += ["completed_at", "completed_by"]
    store(record, fields)


def _columns(row: ItemData, names: Iterable[str]) -> tuple[list[str], list[Any]]:
    fields: list[Any] = [row._meta.get_field(name) for name in names]
    return (
        [field.column for field in fields],
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields],
    )


def _run(row: ItemData, version_id: int, head: str, values: list[Any]) -> Judgement:
    verdicts, parameters = verdicts_of(type(row), version_id)
    with connection.cursor() as cursor:
        cursor.execute(f"{head} RETURNING {verdicts}", [*values, *parameters])
        return Judgement.of(type(row), version_id, cursor.fetchone())
