"""Each copy against its original, cell by cell: what does not come out equal is not kept quiet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, models

from trialsite.demo.bulk.covered import CLOCKED, copied
from trialsite.demo.bulk.notices import notices_told
from trialsite.demo.bulk.retold import Retold
from trialsite.demo.bulk.statements import batches, has_counted_key, key_column, told_of
from trialsite.notify.models import Notice

_AT_ONCE = 200
#: Row by row through the key's index: nobody has counted the new rows for the planner yet.
_BY_INDEX = "OFFSET 0"


class UnequalError(Exception):
    """A copy is not what its original is."""


@dataclass(frozen=True, slots=True)
class Original:
    """A table's rows of the story, as JSON, and the columns that nobody compares."""

    model: type[models.Model]
    rows: list[str]
    apart: tuple[str, ...]
    #: Where a row that has a counted key is looked for.
    subject: str
    #: How many rows the table had, the story's and those that no copy has of its own.
    before: int


def originals(retold: Retold) -> list[Original]:
    """What is copied, read before there is a copy."""
    found = [
        Original(model, list(_rows_of(model, retold)), _apart(model), guard.subject, _count(model))
        for model, guard in copied().values()
    ]
    return [*found, Original(Notice, notices_told(retold), (), "", _count(Notice))]


def expect_equal(told: Sequence[Original], retold: Retold, copies: Sequence[int]) -> int:
    """Compare every cell of these copies; how many rows there are. Raises UnequalError."""
    compared = 0
    for original in told:
        for some in batches(original.rows, _AT_ONCE):
            differing = _differing(original, some, retold, copies)
            if differing:
                raise UnequalError(f"{original.model._meta.label}: {', '.join(differing)}")
            compared += len(some) * len(copies)
    return compared


def expect_no_more(told: Sequence[Original], scale: int) -> None:
    """See that the copies are all there is beside the story. Raises UnequalError."""
    for original in told:
        wanted = original.before + len(original.rows) * (scale - 1)
        there = _count(original.model)
        if there != wanted:
            raise UnequalError(f"{original.model._meta.label}: {there} rows, not {wanted}")


def _apart(model: type[models.Model]) -> tuple[str, ...]:
    counted = {key_column(model)} if has_counted_key(model) else set()
    return tuple(sorted(counted | CLOCKED.get(model._meta.label, frozenset())))


def _rows_of(model: type[models.Model], retold: Retold) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key_column(model)}::text, to_jsonb(t)::text "
            f"FROM public.{model._meta.db_table} t ORDER BY 1"
        )
        for key, text in cursor.fetchall():
            if key in retold.keys or (has_counted_key(model) and retold.mentions(text)):
                yield text


def _differing(
    original: Original, rows: Sequence[str], retold: Retold, copies: Sequence[int]
) -> list[str]:
    """The first few rows of copies that are not there as they should be."""
    told, parameters = told_of([retold.template(text) for text in rows], retold, copies)
    key = key_column(original.model)
    # A row whose key is counted is found by its content.
    by = original.subject if has_counted_key(original.model) else key
    same = f"t.{by} = (r.told ->> '{by}')::uuid"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(r.told ->> '{key}', r.told::text) FROM ({told}) r "
            f"WHERE NOT EXISTS (SELECT 1 FROM public.{original.model._meta.db_table} t "
            f"WHERE {same} AND to_jsonb(t) - %s::text[] = r.told - %s::text[] {_BY_INDEX}) LIMIT 5",
            [*parameters, list(original.apart), list(original.apart)],
        )
        return [each for (each,) in cursor.fetchall()]


def _count(model: type[models.Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM public.{model._meta.db_table}")
        (found,) = cursor.fetchone()
    return int(found)
