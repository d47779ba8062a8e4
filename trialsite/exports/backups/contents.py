"""What a database holds, as numbers that a restored one must show again."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from trialsite.access.models import Site
from trialsite.exports.registry import Dataset, datasets
from trialsite.exports.writing import Format, blocks_of

#: Whatever turns values into text is fixed, so that equal rows have equal digests anywhere.
_PLAIN = (
    "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false), "
    "set_config('IntervalStyle', 'iso_8601', false), set_config('bytea_output', 'hex', false), "
    "set_config('extra_float_digits', '1', false), set_config('statement_timeout', '0', false), "
    "set_config('idle_in_transaction_session_timeout', '0', false), "
    "set_config('search_path', 'pg_catalog', false)"
)
_TABLES = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"
)
#: Sixty bits of each row's digest, added up: the order of the rows does not matter.
_CONTENT = (
    "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text "
    "FROM {} t"
)


def table_contents(reader: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Rows and digest of every table; the connection must see all rows (the backup's role)."""
    reader.execute(_PLAIN)
    found = {}
    for schema, name in reader.execute(_TABLES).fetchall():
        row = reader.execute(sql.SQL(_CONTENT).format(sql.Identifier(schema, name))).fetchone()
        assert row is not None
        found[f"{schema}.{name}"] = list(row)
    return found


def export_hashes() -> dict[str, str]:
    """The SHA-256 of every dataset as CSV, as a data manager of all sites would get it.

    Datasets that depend on today's date are left out: another day tells them differently.
    Needs a context that sees every site.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    sites = frozenset(Site.objects.values_list("pk", flat=True))
    return {each.name: _hash_of(each, sites) for each in datasets().values() if is_of_any_day(each)}


def is_of_any_day(dataset: Dataset) -> bool:
    """Whether the same rows give the same file on any day."""
    texts = (dataset.source, dataset.where, dataset.order, *(c.sql for c in dataset.columns))
    return dataset.rows is None and not any("now(" in text.lower() for text in texts)


def _hash_of(dataset: Dataset, sites: frozenset[int]) -> str:
    digest = hashlib.sha256()
    for block, _rows in blocks_of(dataset, sites, Format.CSV):
        digest.update(block)
    return digest.hexdigest()
