"""Edit checks, judged by the database: the same SQL at save and in the nightly batch.

A check over a missing value is unknown, and only a check known to be false is broken.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils.translation import gettext as _

from trialsite.casebook.models import CrfRecord
from trialsite.crf.items import all_items_of, items_of
from trialsite.crf.limits import limits_of, required_by, text_of
from trialsite.crf.models import CrfRow, EditCheck, ItemData, stored
from trialsite.review.models import Query, QueryStatus
from trialsite.review.services import Finding


@lru_cache(maxsize=256)
def checks_of(table: type[ItemData], version_id: int) -> tuple[EditCheck, ...]:
    """The declared checks and one for each item with a usual range in the protocol."""
    ranges: list[EditCheck] = []
    for name, item in all_items_of(table).items():
        usual = limits_of(item, version_id).usual
        if usual is None:
            continue
        bounds = {"gte": usual.low, "lte": usual.high}
        holds = Q(**{f"{name}__{end}": limit for end, limit in bounds.items() if limit is not None})
        ranges.append(EditCheck(oid=f"{item.oid}.RANGE", holds=holds, message="", item=name))
    return (*ranges, *table.edit_checks)


@lru_cache(maxsize=256)
def verdicts_of(table: type[ItemData], version_id: int) -> tuple[str, tuple[Any, ...]]:
    """Select expressions: each check's verdict, then the OIDs of the standing automatic queries.

    They stand in `SELECT ... FROM` and in `UPDATE ... RETURNING` alike, so saving and
    judging are one statement.
    """
    checks = checks_of(table, version_id)
    holding = [ExpressionWrapper(_holds(check, version_id), BooleanField()) for check in checks]
    name = table._meta.db_table
    row = f'q.row_id = "{name}".id' if issubclass(table, CrfRow) else "q.row_id IS NULL"
    standing = (
        f"ARRAY(SELECT q.check_oid FROM {Query._meta.db_table} q "
        f'WHERE q.record_id = "{name}".record_id AND {row} '
        f"AND q.check_oid <> '' AND q.status <> '{QueryStatus.CLOSED}')"
    )
    if not checks:
        return standing, ()
    sql, parameters = table.objects.order_by().values_list(*holding).query.sql_with_params()
    # The last FROM is the statement's own: a check that looks at other rows has one inside.
    columns = sql.rpartition(" FROM ")[0].removeprefix("SELECT ")
    return f"{columns}, {standing}", tuple(parameters)


def _holds(check: EditCheck, version_id: int) -> Q:
    return check.holds(version_id) if callable(check.holds) else check.holds


@dataclass(frozen=True, slots=True)
class Judgement:
    """The checks a row breaks, and the check OIDs that already have a standing query."""

    broken: tuple[EditCheck, ...]
    standing: frozenset[str]

    @classmethod
    def of(cls, table: type[ItemData], version_id: int, answer: Sequence[Any]) -> Judgement:
        """From what `verdicts_of` selected."""
        *holds, standing = answer
        checks = zip(checks_of(table, version_id), holds, strict=True)
        broken = tuple(check for check, verdict in checks if verdict is False)
        return cls(broken, frozenset(standing))


def judge(row: ItemData, version_id: int) -> Judgement:
    """Judge a stored row."""
    table = type(row)
    columns, parameters = verdicts_of(table, version_id)
    pk = table._meta.pk
    assert pk is not None
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {columns} FROM "{table._meta.db_table}" WHERE "{pk.column}" = %s',
            [*parameters, row.pk],
        )
        return Judgement.of(table, version_id, cursor.fetchone())


def finding(table: type[ItemData], check: EditCheck, version_id: int) -> Finding:
    """The question a broken check asks, in the present language."""
    item = all_items_of(table)[check.item]
    message = str(check.message)
    if not message:
        usual = limits_of(item, version_id).usual
        assert usual is not None
        message = _("%(item)s is outside the usual %(range)s %(unit)s. Please confirm.") % {
            "item": item.label,
            "range": text_of(usual),
            "unit": item.unit,
        }
    return Finding(item_oid=item.oid, message=message)


def unconfirmed(row: ItemData, version_id: int) -> list[str]:
    """Items whose value is outside the plausible range and which nobody has confirmed."""
    found = []
    for name, item in items_of(type(row)).items():
        plausible = limits_of(item, version_id).plausible
        value = getattr(row, name)
        if plausible and value is not None and value not in plausible and name not in row.confirmed:
            found.append(name)
    return found


def is_confirmed(row: ItemData, check: EditCheck, version_id: int) -> bool:
    """Whether the comment on an implausible value has answered this check already.

    A comment answers the range of its own item and nothing else.
    """
    if check.item not in row.confirmed:
        return False
    item = items_of(type(row))[check.item]
    plausible = limits_of(item, version_id).plausible
    value = getattr(row, check.item)
    return (
        check.oid == f"{item.oid}.RANGE"
        and plausible is not None
        and value is not None
        and value not in plausible
    )


def incomplete(row: ItemData, version_id: int) -> list[str]:
    """Required items with neither a value nor a reason why there is none.

    The protocol may require further items, once the device's manual is known (decisions C15).
    """
    further = required_by(version_id)
    return [
        name
        for name, item in items_of(type(row)).items()
        if (item.required or item.oid in further)
        and getattr(row, name) is None
        and name not in row.missing
    ]


def rows_of(record: CrfRecord, tables: list[type[ItemData]]) -> Iterator[ItemData]:
    """Every standing row of a record."""
    for table in tables:
        rows = stored(table).filter(record=record)
        yield from rows.filter(voided_at=None) if issubclass(table, CrfRow) else rows


def row_key(row: ItemData) -> uuid.UUID | None:
    """The row id under which queries of a repeating group's row stand."""
    return row.pk if isinstance(row, CrfRow) else None
