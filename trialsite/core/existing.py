"""What PostgreSQL says it has: functions, tables, rules, columns, schemas, privileges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

SCHEMA = "trialsite"
#: Where the guarded tables live; a table outside `public` is named with its schema.
_GUARDED = "n.nspname IN ('public', 'vault')"
_NAME = "CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END"


@dataclass(slots=True)
class Catalog:
    """What PostgreSQL says it has, read with one query per kind."""

    functions: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, tuple[str, bool, bool]] = field(default_factory=dict)
    triggers: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    policies: dict[tuple[str, str], tuple[str, list[str], str, str]] = field(default_factory=dict)
    grants: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Comment and the digest of the definition as PostgreSQL prints it, where validated.
    checks: dict[tuple[str, str], str] = field(default_factory=dict)
    indexes: set[tuple[str, str]] = field(default_factory=set)
    #: Per table and column: not null, sole member of a unique key, of a foreign key.
    columns: dict[tuple[str, str], tuple[bool, bool, bool]] = field(default_factory=dict)
    #: Per table and column: its type as PostgreSQL prints it.
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Per schema beside `public`: its owner, and who may do what in it.
    schemas: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, using: str = "default") -> Catalog:
        catalog = cls()
        with connections[using].cursor() as cursor:
            catalog._read_functions(cursor)
            catalog._read_tables(cursor)
            catalog._read_rules(cursor)
            catalog._read_columns(cursor)
            catalog._read_schemas(cursor)
        return catalog

    def _read_functions(self, cursor: Any) -> None:
        cursor.execute(
            """
            SELECT p.proname, pg_get_function_identity_arguments(p.oid),
                   p.prosrc, pg_get_userbyid(p.proowner),
                   CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
                   coalesce(array_to_string(p.proconfig, '; '), ''),
                   coalesce((SELECT string_agg(g, ',' ORDER BY g) FROM (
                      SELECT DISTINCT pg_get_userbyid(a.grantee) AS g
                      FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                      WHERE a.grantee <> p.proowner) grantees), ''),
                   l.lanname || ' ' || CASE p.provolatile WHEN 'v' THEN 'VOLATILE'
                      WHEN 's' THEN 'STABLE' ELSE 'IMMUTABLE' END
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                 JOIN pg_language l ON l.oid = p.prolang
            WHERE n.nspname = %s
            """,
            [SCHEMA],
        )
        self.functions = {(row[0], row[1]): tuple(row[2:]) for row in cursor.fetchall()}

    def _read_tables(self, cursor: Any) -> None:
        cursor.execute(
            f"""
            SELECT {_NAME}, pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_GUARDED} AND c.relkind IN ('r', 'p')
            """
        )
        self.tables = {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
        cursor.execute(
            f"""
            SELECT {_NAME}, CASE a.grantee WHEN 0 THEN 'PUBLIC'
                   ELSE pg_get_userbyid(a.grantee) END, a.privilege_type
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
                 aclexplode(c.relacl) a
            WHERE {_GUARDED} AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
            """
        )
        for table, role, privilege in cursor.fetchall():
            self.grants[table, role].add(privilege)

    def _read_rules(self, cursor: Any) -> None:
        cursor.execute(
            f"""
            SELECT {_NAME}, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_GUARDED} AND NOT t.tgisinternal
            """
        )
        self.triggers = {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}
        cursor.execute(
            f"""
            SELECT {_NAME}, policyname, cmd, roles::text[], coalesce(qual, ''),
                   coalesce(with_check, '')
            FROM pg_policies, LATERAL (SELECT schemaname AS nspname) n,
                 LATERAL (SELECT tablename AS relname) c
            WHERE {_GUARDED}
            """
        )
        self.policies = {(row[0], row[1]): tuple(row[2:]) for row in cursor.fetchall()}
        cursor.execute(
            f"""
            SELECT {_NAME}, k.conname, coalesce(obj_description(k.oid, 'pg_constraint'), '')
                   || ' ' || md5(pg_get_constraintdef(k.oid))
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_GUARDED} AND k.convalidated
            """
        )
        self.checks = {(row[0], row[1]): row[2] for row in cursor.fetchall()}

    def _read_columns(self, cursor: Any) -> None:
        cursor.execute(
            f"""
            SELECT {_NAME}, i.relname
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                 JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_GUARDED} AND x.indisunique AND x.indisvalid
            """
        )
        self.indexes = set(cursor.fetchall())
        cursor.execute(
            f"""
            WITH keys AS (
              SELECT conrelid, conkey[1] AS attnum, bool_or(contype IN ('p', 'u')) AS is_unique,
                     bool_or(contype = 'f') AS is_foreign
              FROM pg_constraint WHERE cardinality(conkey) = 1 AND contype IN ('p', 'u', 'f')
                AND convalidated
              GROUP BY conrelid, conkey[1]
            )
            SELECT {_NAME}, a.attname, a.attnotnull, coalesce(k.is_unique, false),
                   coalesce(k.is_foreign, false), format_type(a.atttypid, a.atttypmod)
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
                 LEFT JOIN keys k ON k.conrelid = c.oid AND k.attnum = a.attnum
            WHERE {_GUARDED} AND c.relkind IN ('r', 'p') AND a.attnum > 0
              AND NOT a.attisdropped
            """
        )
        for table, column, not_null, unique, foreign, kind in cursor.fetchall():
            self.columns[table, column] = (not_null, unique, foreign)
            self.types[table, column] = kind

    def _read_schemas(self, cursor: Any) -> None:
        cursor.execute(
            """
            SELECT n.nspname, pg_get_userbyid(n.nspowner), coalesce((
                SELECT array_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC'
                       ELSE pg_get_userbyid(a.grantee) END || ' ' || a.privilege_type)
                FROM aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner), ARRAY[]::text[])
            FROM pg_namespace n
            WHERE n.nspname <> 'public' AND n.nspname <> 'information_schema'
              AND n.nspname NOT LIKE 'pg\\_%%'
            """
        )
        self.schemas = {row[0]: (row[1], frozenset(row[2])) for row in cursor.fetchall()}
