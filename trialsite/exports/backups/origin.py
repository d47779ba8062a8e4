"""Whether the tables of a backup are those from which this version's migrations go on.

A migration is named once and then stays what it is; until a first release some were made anew
under their old names. Such a backup looks like ours by the names alone, and its tables are not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from trialsite.exports.backups.manifest import BackupError

_COLUMNS = (
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
)
#: Table and column -> its type, and whether it is never empty.
Columns = dict[tuple[str, str], tuple[str, bool]]
_SHOWN = 3
#: Types as Django writes them and as PostgreSQL prints them.
_PRINTED = (
    (re.compile(r"^varchar"), "character varying"),
    (re.compile(r"^timestamp$"), "timestamp without time zone"),
    (re.compile(r"^time$"), "time without time zone"),
    (re.compile(r", "), ","),
    (re.compile(r"\bserial$"), "integer"),
)


def demand_known(said: Mapping[str, Any]) -> None:
    """The backup was brought by migrations that are ours, each after those it builds on."""
    loader = MigrationLoader(None)
    applied = set(said["migrations"])
    known = {_name(key) for key in loader.disk_migrations}
    known |= {_name(old) for each in loader.disk_migrations.values() for old in each.replaces}
    foreign = sorted(applied - known)
    if foreign:
        raise BackupError(
            f"{_made(said)} with tables that this version does not know ({_some(foreign)}). "
            "Restore it with that version or a newer one. Nothing was changed."
        )
    skipped = sorted(
        f"{_name(parent)} before {_name(key)}"
        for key, node in loader.graph.node_map.items()
        if _name(key) in applied
        for parent in (each.key for each in node.parents)
        if _name(parent) not in _with_replaced(loader, applied)
    )
    if skipped:
        raise BackupError(
            f"{_made(said)} in a state of development whose migrations were made anew since: this "
            f"version needs {_some(skipped)}. Restore it with the checkout that made it. Nothing "
            "was changed."
        )


def demand_same_tables(reader: psycopg.Connection[Any], said: Mapping[str, Any]) -> None:
    """The restored tables, not yet migrated, are what our migrations of the same names make."""
    expected = columns_after(said["migrations"])
    tables = {table for table, _column in expected}
    found = {
        (table, column): (kind, never_empty)
        for table, column, kind, never_empty in reader.execute(_COLUMNS).fetchall()
        if table in tables
    }
    wrong = sorted(_differences(expected, found))
    if wrong:
        raise BackupError(
            f"{_made(said)} in a state of development whose migrations were made anew since: "
            f"{_some(wrong)}. Restore it with the checkout that made it. Nothing was changed."
        )


def columns_after(names: Collection[str]) -> Columns:
    """The columns that our migrations of these names leave behind."""
    loader = MigrationLoader(None)
    applied = _with_replaced(loader, set(names))
    nodes = [key for key in loader.graph.nodes if _name(key) in applied]
    apps = loader.graph.make_state(nodes=nodes, real_apps=loader.unmigrated_apps).apps
    return {
        (model._meta.db_table, str(field.column)): (_printed(field), not field.null)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
    }


def _with_replaced(loader: MigrationLoader, applied: set[str]) -> set[str]:
    """A migration that stands for others is there when all of them are."""
    return applied | {
        _name(key)
        for key, each in loader.disk_migrations.items()
        if each.replaces and {_name(old) for old in each.replaces} <= applied
    }


def _differences(expected: Columns, found: Columns) -> Iterator[str]:
    for table, column in expected.keys() | found.keys():
        wanted, there = expected.get((table, column)), found.get((table, column))
        if there is None:
            yield f"{table}.{column} is missing"
        elif wanted is None:
            yield f"{table}.{column} is foreign"
        elif wanted != there:
            yield f"{table}.{column} is {_told(there)} instead of {_told(wanted)}"


def _told(column: tuple[str, bool]) -> str:
    kind, never_empty = column
    return kind if never_empty else f"{kind} or empty"


def _printed(field: Any) -> str:
    kind = str(field.db_type(connection))
    for pattern, printed in _PRINTED:
        kind = pattern.sub(printed, kind)
    return kind


def _name(key: Any) -> str:
    return f"{key[0]}.{key[1]}"


def _made(said: Mapping[str, Any]) -> str:
    return f"The backup was made at {said['made_at']} by {said['software']}"


def _some(names: Collection[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(list(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
