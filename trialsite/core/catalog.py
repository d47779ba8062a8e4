"""Protections as values: each knows the SQL that makes it and how to tell that it is gone.

Texts are written as PostgreSQL itself prints them (15 to 18), so that comparing the
catalog with the desired state is comparing strings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from trialsite.core.existing import SCHEMA, Catalog

#: Temporary objects come last, so that none of them can pose as a built-in one.
SEARCH_PATH = "pg_catalog, pg_temp"
#: Whom every privilege is first taken from, before the stated ones are granted.
EVERYBODY = "PUBLIC, trialsite_app, trialsite_public, trialsite_backup"


def located(table: str) -> str:
    """The table with its schema: `public` where none is named."""
    return table if "." in table else f"public.{table}"


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
            f"SELECT pg_get_serial_sequence('{located(self.name)}', attname) FROM pg_attribute "
            f"WHERE attrelid = '{located(self.name)}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        return [
            f"ALTER TABLE {located(self.name)} OWNER TO {self.owner}",
            f"ALTER TABLE {located(self.name)} {able} ROW LEVEL SECURITY, "
            f"{force} ROW LEVEL SECURITY",
            f"REVOKE ALL ON {located(self.name)} FROM {EVERYBODY}",
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
        return [f"GRANT {', '.join(self.privileges)} ON {located(self.table)} TO {self.role}"]

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
            f"ALTER TABLE {located(self.table)} DROP CONSTRAINT IF EXISTS {self.name}",
            f"ALTER TABLE {located(self.table)} ADD CONSTRAINT {self.name} {self.definition}",
            f"DO $$ BEGIN EXECUTE format('COMMENT ON CONSTRAINT {self.name} "
            f"ON {located(self.table)} IS %L', '{self._digest} ' || (SELECT "
            f"md5(pg_get_constraintdef(oid)) FROM pg_constraint WHERE conname = '{self.name}' "
            f"AND conrelid = '{located(self.table)}'::regclass)); END $$",
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
    #: Asked when the transaction ends, of what then stands; its timing begins with AFTER.
    deferred: bool = False

    @property
    def definition(self) -> str:
        arguments = ", ".join(f"'{argument}'" for argument in self.arguments)
        kind = "CONSTRAINT " if self.deferred else ""
        put_off = "DEFERRABLE INITIALLY DEFERRED " if self.deferred else ""
        return (
            f"CREATE {kind}TRIGGER {self.name} {self.timing} ON {located(self.table)} {put_off}"
            f"FOR EACH {self.each} EXECUTE FUNCTION {self.function}({arguments})"
        )

    def statements(self, catalog: Catalog) -> list[str]:
        if catalog.triggers.get((self.table, self.name)) == (self.definition, "A"):
            return []
        return [
            f"DROP TRIGGER IF EXISTS {self.name} ON {located(self.table)}",
            self.definition,
            f"ALTER TABLE {located(self.table)} ENABLE ALWAYS TRIGGER {self.name}",
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
            f"CREATE POLICY {self.name} ON {located(self.table)} FOR {self.command} "
            f"TO {', '.join(self.roles)}"
        ]
        if self.using:
            parts.append(f"USING ({self.using})")
        if self.check:
            parts.append(f"WITH CHECK ({self.check})")
        return [f"DROP POLICY IF EXISTS {self.name} ON {located(self.table)}", " ".join(parts)]

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
