"""The SQL that tells rows of the story of many copies at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.db import models

from trialsite.demo.bulk.retold import DIGITS, VALUE, Retold, Template, digits_of

Each = TypeVar("Each")


def batches(each: Sequence[Each], size: int) -> Iterator[Sequence[Each]]:
    """The same, so many at a time."""
    return (each[start : start + size] for start in range(0, len(each), size))


def told_of(
    templates: Sequence[Template], retold: Retold, copies: Sequence[int]
) -> tuple[str, list[Any]]:
    """A query of the texts as told of each copy: `copy`, `place` and `told`, a JSON object."""
    parameters: list[Any] = [[digits_of(copy) for copy in copies]]
    rows = []
    for place, template in enumerate(templates):
        expression = "replace(%s, %s, c.digits)"
        parameters += [template.text, DIGITS]
        for gap, said in enumerate(template.values):
            expression = f"replace({expression}, %s, (%s::text[])[c.copy])"
            parameters += [
                f"{VALUE}{gap}{VALUE}",
                [retold.values[said](copy) for copy in copies],
            ]
        rows.append(f"({place}, {expression})")
    query = (
        "SELECT c.copy, e.place, e.told::jsonb AS told "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS c (digits, copy) "
        f"CROSS JOIN LATERAL (VALUES {', '.join(rows)}) AS e (place, told)"
    )
    return query, parameters


def insert_into(model: type[models.Model]) -> str:
    """The statement that enters the rows which `told` says, in their order."""
    table = model._meta.db_table
    columns = ", ".join(f'"{each}"' for each in written_columns(model))
    values = ", ".join(f'w."{each}"' for each in written_columns(model))
    return (
        f"INSERT INTO public.{table} ({columns}) SELECT {values} FROM ({{told}}) r "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::public.{table}, r.told) w "
        "ORDER BY r.place, r.copy"
    )


def update_of(model: type[models.Model], names: Sequence[str]) -> str:
    """The statement that changes these columns where they are not yet what `told` says."""
    if has_counted_key(model):
        raise LookupError(f"A row of {model._meta.label} changes, and its key is counted.")
    table, key = model._meta.db_table, key_column(model)
    changed = [each for each in written_columns(model) if each in names]
    said = ", ".join(f'"{each}" = w."{each}"' for each in changed)
    new = ", ".join(f'w."{each}"' for each in changed)
    old = ", ".join(f't."{each}"' for each in changed)
    return (
        f"UPDATE public.{table} t SET {said} FROM ({{told}}) r "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::public.{table}, r.told) w "
        f'WHERE t."{key}" = w."{key}" AND ROW({old}) IS DISTINCT FROM ROW({new})'
    )


def written_columns(model: type[models.Model]) -> list[str]:
    """The columns that a row brings: not what PostgreSQL generates, nor a key it counts."""
    return [
        str(each.column)
        for each in model._meta.concrete_fields
        if not getattr(each, "generated", False)
        and not (each.primary_key and has_counted_key(model))
    ]


def key_column(model: type[models.Model]) -> str:
    """The column of a table's key."""
    assert model._meta.pk is not None
    return str(model._meta.pk.column)


def has_counted_key(model: type[models.Model]) -> bool:
    """Whether PostgreSQL counts a table's keys: nothing points to such a row."""
    return isinstance(model._meta.pk, models.AutoField)
