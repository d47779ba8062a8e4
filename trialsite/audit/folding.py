"""The trail read forward: what each row must be if nothing happened beside it.

A row that its events do not account for was changed while the triggers were off, by a
superuser or on the disk. No chain of hashes sees that; this comparison does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db import connection, models, transaction

from trialsite.audit.models import Event, Operation
from trialsite.core.guards import guarded_models

EVENTS = Event._meta.db_table


class Unaccounted(Enum):
    """How a row and its events differ."""

    ALTERED = "differs from its events"
    UNKNOWN = "has no event"
    VANISHED = "is gone without an event"


@dataclass(frozen=True, slots=True, order=True)
class Discrepancy:
    """One row that the trail does not explain."""

    table: str
    row_id: str
    kind: str

    def __str__(self) -> str:
        return f"{self.table} {self.row_id} {self.kind}"


def state_of(table: str, row_id: object, until: dt.datetime | None = None) -> dict[str, Any] | None:
    """A row as its events tell it, now or at a past moment; None before and after its life.

    Values are as JSON keeps them; columns that the trail keeps secret say only so.
    """
    events = Event.objects.filter(table_name=table, row_id=str(row_id)).order_by("eid")
    if until is not None:
        events = events.filter(at__lte=until)
    state: dict[str, Any] | None = None
    for operation, new in events.values_list("operation", "new"):
        if operation == Operation.DELETE:
            state = None
        elif operation == Operation.INSERT:
            state = dict(new or {})
        else:
            state = {**(state or {}), **(new or {})}
    return state


def audited_tables() -> list[str]:
    """Every table whose rows the trail follows."""
    return [model._meta.db_table for model, guard in guarded_models() if not guard.unaudited]


def unaccounted(table: str) -> list[Discrepancy]:
    """The rows of a table whose present state is not what their events add up to.

    It needs a context that sees every site. A column that no event names came later, by a
    migration, and is not judged until a change of it is on record.
    """
    model, secret = _audited(table)
    key = model._meta.pk
    assert key is not None
    words = {kind.name: kind.value for kind in Unaccounted}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'")
        cursor.execute(
            _DIFFERENCES.format(table=table, key=key.column, events=EVENTS),
            {"table": table, "secret": list(secret)},
        )
        return [Discrepancy(table, row_id, words[kind]) for row_id, kind in cursor.fetchall()]


def _audited(table: str) -> tuple[type[models.Model], tuple[str, ...]]:
    for model, guard in guarded_models():
        if model._meta.db_table == table and not guard.unaudited:
            return model, guard.secret
    raise LookupError(f"{table} is not audited")


#: Later events override earlier ones key by key: `jsonb_object_agg` keeps the last.
_DIFFERENCES = """
WITH told AS (
  SELECT row_id, (array_agg(operation ORDER BY eid DESC))[1] AS last
  FROM public.{events} WHERE table_name = %(table)s GROUP BY row_id
), folded AS (
  SELECT e.row_id, jsonb_object_agg(n.key, n.value ORDER BY e.eid) - %(secret)s::text[] AS state
  FROM public.{events} e, jsonb_each(e.new) n
  WHERE e.table_name = %(table)s AND e.operation IN ('I', 'U') GROUP BY e.row_id
)
SELECT coalesce(told.row_id, t."{key}"::text),
       CASE WHEN told.row_id IS NULL THEN 'UNKNOWN'
            WHEN t."{key}" IS NULL THEN 'VANISHED' ELSE 'ALTERED' END
FROM public."{table}" t
     FULL JOIN told ON told.row_id = t."{key}"::text
     LEFT JOIN folded ON folded.row_id = told.row_id
WHERE told.row_id IS NULL
   OR (t."{key}" IS NULL AND told.last <> 'D')
   OR (t."{key}" IS NOT NULL AND (told.last = 'D' OR
       to_jsonb(t) IS DISTINCT FROM to_jsonb(jsonb_populate_record(t, folded.state))))
ORDER BY 1
"""
