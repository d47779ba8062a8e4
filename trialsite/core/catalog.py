"""Protections as values: each knows the SQL that makes it and how to tell that it is gone.

Texts are written as PostgreSQL itself prints them (15 to 18), so that comparing the
catalog with the desired state is comparing strings.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import connections

SCHEMA = "trialsite"
#: Temporary objects come last, so that none of them can pose as a built-in one.
SEARCH_PATH = "pg_catalog, pg_temp"
#: Whom every privilege is first taken from, before the stated ones are granted.
EVERYBODY = "PUBLIC, trialsite_app, trialsite_public, trialsite_backup"


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

    @classmethod
    def read(cls, using: str = "default") -> Catalog:
        catalog = cls()
        with connections[using].cursor() as cursor:
            catalog._read_functions(cursor)
            catalog._read_tables(cursor)
            catalog._read_rules(cursor)
            catalog._read_columns(cursor)
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
            """
            SELECT c.relname, pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
            """
        )
        self.tables = {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
        cursor.execute(
            """
            SELECT c.relname, CASE a.grantee WHEN 0 THEN 'PUBLIC'
                   ELSE pg_get_userbyid(a.grantee) END, a.privilege_type
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
                 aclexplode(c.relacl) a
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
            """
        )
        for table, role, privilege in cursor.fetchall():
            self.grants[table, role].add(privilege)

    def _read_rules(self, cursor: Any) -> None:
        cursor.execute(
            """
            SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND NOT t.tgisinternal
            """
        )
        self.triggers = {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}
        cursor.execute(
            """
            SELECT tablename, policyname, cmd, roles::text[], coalesce(qual, ''),
                   coalesce(with_check, '')
            FROM pg_policies WHERE schemaname = 'public'
            """
        )
        self.policies = {(row[0], row[1]): tuple(row[2:]) for row in cursor.fetchall()}
        cursor.execute(
            """
            SELECT c.relname, k.conname, coalesce(obj_description(k.oid, 'pg_constraint'), '')
                   || ' ' || md5(pg_get_constraintdef(k.oid))
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND k.convalidated
            """
        )
        self.checks = {(row[0], row[1]): row[2] for row in cursor.fetchall()}

    def _read_columns(self, cursor: Any) -> None:
        cursor.execute(
            """
            SELECT c.relname, i.relname
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                 JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND x.indisunique AND x.indisvalid
            """
        )
        self.indexes = set(cursor.fetchall())
        cursor.execute(
            """
            WITH keys AS (
              SELECT conrelid, conkey[1] AS attnum, bool_or(contype IN ('p', 'u')) AS is_unique,
                     bool_or(contype = 'f') AS is_foreign
              FROM pg_constraint WHERE cardinality(conkey) = 1 AND contype IN ('p', 'u', 'f')
                AND convalidated
              GROUP BY conrelid, conkey[1]
            )
            SELECT c.relname, a.attname, a.attnotnull, coalesce(k.is_unique, false),
                   coalesce(k.is_foreign, false)
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
                 LEFT JOIN keys k ON k.conrelid = c.oid AND k.attnum = a.attnum
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0
              AND NOT a.attisdropped
            """
        )
        self.columns = {(row[0], row[1]): tuple(row[2:]) for row in cursor.fetchall()}


class Protection(Protocol):
    """One thing the database must have."""

    def statements(self, catalog: Catalog, /) -> list[str]:
        """The SQL that makes it, safe to run again."""

    def drift(self, catalog: Catalog, /) -> list[str]:
        """What of it is missing or altered, in words; empty when all is as it should be."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function in the schema `trialsite`; `definer` ones belong to the audit role."""

    name: str
    returns: str
    source: str
    arguments: str = ""
    language: str = "plpgsql"
    volatility: str = "VOLATILE"
    definer: bool = False
    owner: str = "trialsite_owner"
    execute: tuple[str, ...] = ("trialsite_app", "trialsite_public", "trialsite_backup")
    #: Further settings under which it runs, whatever the caller's session has set.
    settings: tuple[tuple[str, str], ...] = ()

    def statements(self, _catalog: Catalog) -> list[str]:
        signature = f"{SCHEMA}.{self.name}({self.arguments})"
        security = "SECURITY DEFINER" if self.definer else "SECURITY INVOKER"
        settings = " ".join(f"SET {name} = '{value}'" for name, value in self.settings)
        statements = [
            f"CREATE OR REPLACE FUNCTION {signature} RETURNS {self.returns} "
            f"LANGUAGE {self.language} {self.volatility} {security} "
            f"SET search_path = {SEARCH_PATH} {settings} AS $function${self.source}$function$",
            f"ALTER FUNCTION {signature} OWNER TO {self.owner}",
            f"REVOKE ALL ON FUNCTION {signature} FROM {EVERYBODY}",
        ]
        if self.execute:
            roles = ", ".join(self.execute)
            statements.append(f"GRANT EXECUTE ON FUNCTION {signature} TO {roles}")
        return statements

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.functions.get((self.name, self.arguments))
        expected = (
            self.source,
            self.owner,
            "definer" if self.definer else "invoker",
            "; ".join(
                f"{name}={value}" for name, value in (("search_path", SEARCH_PATH), *self.settings)
            ),
            ",".join(sorted(self.execute)),
            f"{self.language} {self.volatility}",
        )
        if found is None:
            return [f"function {self.name} is missing"]
        parts = ("body", "owner", "security", "settings", "grants", "language")
        return [
            f"function {self.name}: {part} differs"
            for part, is_now, should in zip(parts, found, expected, strict=True)
            if is_now != should
        ]


@dataclass(frozen=True, slots=True)
class Table:
    """Owner and row-level security of a table, and nobody's privileges but the granted."""

    name: str
    row_security: bool
    owner: str = "trialsite_owner"
    #: Whether the application draws numbers from its sequences; not where it cannot insert.
    numbers: bool = True

    def statements(self, _catalog: Catalog) -> list[str]:
        able, force = ("ENABLE", "FORCE") if self.row_security else ("DISABLE", "NO FORCE")
        drawing = "GRANT USAGE, SELECT ON SEQUENCE %s TO trialsite_app"
        draw = f"EXECUTE format('{drawing}', s); " if self.numbers else ""
        sequences = (
            f"SELECT pg_get_serial_sequence('public.{self.name}', attname) FROM pg_attribute "
            f"WHERE attrelid = 'public.{self.name}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        return [
            f"ALTER TABLE public.{self.name} OWNER TO {self.owner}",
            f"ALTER TABLE public.{self.name} {able} ROW LEVEL SECURITY, {force} ROW LEVEL SECURITY",
            f"REVOKE ALL ON public.{self.name} FROM {EVERYBODY}",
            f"DO $$ DECLARE s text; BEGIN FOR s IN {sequences} LOOP IF s IS NOT NULL THEN "
            f"EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM {EVERYBODY}', s); "
            f"EXECUTE format('GRANT SELECT ON SEQUENCE %s TO trialsite_backup', s); "
            f"{draw}END IF; END LOOP; END $$",
        ]

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.tables.get(self.name)
        if found is None:
            return [f"table {self.name} is missing"]
        if found != (self.owner, self.row_security, self.row_security):
            return [f"table {self.name}: owner or row-level security differs: {found}"]
        return []


@dataclass(frozen=True, slots=True)
class Grant:
    """Exactly these privileges on a table for one role."""

    table: str
    role: str
    privileges: tuple[str, ...]

    def statements(self, _catalog: Catalog) -> list[str]:
        return [f"GRANT {', '.join(self.privileges)} ON public.{self.table} TO {self.role}"]

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.grants.get((self.table, self.role), set())
        if found != set(self.privileges):
            return [f"grants of {self.role} on {self.table}: {sorted(found)}"]
        return []


@dataclass(frozen=True, slots=True)
class Check:
    """A table constraint derived from a definition rather than written in a migration."""

    table: str
    name: str
    definition: str

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.definition.encode()).hexdigest()[:16]

    def _stands(self, catalog: Catalog) -> bool:
        """Whether the constraint is the one once made from this very definition.

        PostgreSQL prints an expression in its own words, so the comment keeps both: the
        digest of ours, and the digest of what it printed when the constraint was made.
        """
        made_from, _, printed = catalog.checks.get((self.table, self.name), "").rpartition(" ")
        return made_from == f"{self._digest} {printed}"

    def statements(self, catalog: Catalog) -> list[str]:
        if self._stands(catalog):
            return []
        return [
            f"ALTER TABLE public.{self.table} DROP CONSTRAINT IF EXISTS {self.name}",
            f"ALTER TABLE public.{self.table} ADD CONSTRAINT {self.name} {self.definition}",
            f"DO $$ BEGIN EXECUTE format('COMMENT ON CONSTRAINT {self.name} "
            f"ON public.{self.table} IS %L', '{self._digest} ' || (SELECT "
            f"md5(pg_get_constraintdef(oid)) FROM pg_constraint WHERE conname = '{self.name}' "
            f"AND conrelid = 'public.{self.table}'::regclass)); END $$",
        ]

    def drift(self, catalog: Catalog) -> list[str]:
        if not self._stands(catalog):
            return [f"constraint {self.name} on {self.table} is missing or altered"]
        return []


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that fires whatever `session_replication_role` says."""

    table: str
    name: str
    timing: str
    function: str
    arguments: tuple[str, ...] = ()
    each: str = "ROW"

    @property
    def definition(self) -> str:
        arguments = ", ".join(f"'{argument}'" for argument in self.arguments)
        return (
            f"CREATE TRIGGER {self.name} {self.timing} ON public.{self.table} "
            f"FOR EACH {self.each} EXECUTE FUNCTION {self.function}({arguments})"
        )

    def statements(self, catalog: Catalog) -> list[str]:
        if catalog.triggers.get((self.table, self.name)) == (self.definition, "A"):
            return []
        return [
            f"DROP TRIGGER IF EXISTS {self.name} ON public.{self.table}",
            self.definition,
            f"ALTER TABLE public.{self.table} ENABLE ALWAYS TRIGGER {self.name}",
        ]

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.triggers.get((self.table, self.name))
        if found is None:
            return [f"trigger {self.name} on {self.table} is missing"]
        if found != (self.definition, "A"):
            return [f"trigger {self.name} on {self.table} is altered or not always enabled"]
        return []


@dataclass(frozen=True, slots=True)
class Policy:
    """A row-level security policy; expressions are written as PostgreSQL prints them."""

    table: str
    name: str
    command: str
    roles: tuple[str, ...]
    using: str = ""
    check: str = ""

    def statements(self, _catalog: Catalog) -> list[str]:
        parts = [
            f"CREATE POLICY {self.name} ON public.{self.table} FOR {self.command} "
            f"TO {', '.join(self.roles)}"
        ]
        if self.using:
            parts.append(f"USING ({self.using})")
        if self.check:
            parts.append(f"WITH CHECK ({self.check})")
        return [f"DROP POLICY IF EXISTS {self.name} ON public.{self.table}", " ".join(parts)]

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.policies.get((self.table, self.name))
        expected = (self.command, sorted(self.roles), self.using, self.check)
        if found is None:
            return [f"policy {self.name} on {self.table} is missing"]
        command, roles, using, check = found
        if (command, sorted(roles), _flat(using), _flat(check)) != (
            *expected[:2],
            _flat(self.using),
            _flat(self.check),
        ):
            return [f"policy {self.name} on {self.table} differs: {found}"]
        return []


def _flat(expression: str) -> str:
    return " ".join(expression.split())
