"""Bring the database to its guarded state, and tell where it is not."""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction

from trialsite.core.catalog import Function, Grant, Policy, Table, Trigger, located
from trialsite.core.exceptions import MissingRolesError
from trialsite.core.existing import SCHEMA, Catalog
from trialsite.core.guards import APP, AUDIT, BACKUP, OWNER, PUBLIC, VAULT, protections
from trialsite.core.stores import Schema
from trialsite.core.surroundings import threats


def apply(using: str) -> None:
    """Make every protection, as the owner, in one transaction."""
    wanted = protections()
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        catalog = Catalog.read(using)
        for statement in _unwanted(catalog):
            cursor.execute(statement)
        for protection in wanted:
            for statement in protection.statements(catalog):
                cursor.execute(statement)


def prepare(using: str) -> None:
    """What migrations themselves need: the schema and the trial's clock."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        _demand_roles(cursor)
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER}")
        cursor.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC")
        cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA}, public TO {AUDIT}")
        cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {VAULT}")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute(close_database(connections[using].settings_dict["NAME"]))
        cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS public.trial_clock "
            "(only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), shift interval NOT NULL)"
        )
        catalog = Catalog.read(using)
        for protection in protections():
            if isinstance(protection, Function) and protection.name in {"now", "sites"}:
                for statement in protection.statements(catalog):
                    cursor.execute(statement)


def _demand_roles(cursor: Any) -> None:
    """A database made before a role was: say which, instead of failing in the middle."""
    cursor.execute(
        "SELECT r FROM unnest(%s::text[]) r WHERE NOT EXISTS "
        "(SELECT 1 FROM pg_roles WHERE rolname = r)",
        [[OWNER, APP, PUBLIC, BACKUP, AUDIT, VAULT]],
    )
    missing = [row[0] for row in cursor.fetchall()]
    if missing:
        raise MissingRolesError(
            f"The server has no role {', '.join(missing)}: run manage.py create_roles first, "
            "or let the server's administrator run the SQL of create_roles --print-sql."
        )


def drift(using: str = "default") -> list[str]:
    """Every difference between the catalog and the desired state, in words."""
    catalog = Catalog.read(using)
    found = [words for protection in protections() for words in protection.drift(catalog)]
    return [*found, *_strangers(catalog), *threats(using)]


def close_database(name: str) -> str:
    """The SQL that lets nobody make temporary tables, which would shadow the guarded ones.

    These privileges do not travel with a database's template.
    """
    everybody = f"PUBLIC, {APP}, {PUBLIC}, {BACKUP}"
    return f'REVOKE TEMPORARY, CREATE ON DATABASE "{name}" FROM {everybody}'


def _expected(kind: type[Trigger] | type[Policy]) -> set[tuple[str, str]]:
    return {(each.table, each.name) for each in protections() if isinstance(each, kind)}


def _unwanted(catalog: Catalog) -> list[str]:
    triggers = [
        f"DROP TRIGGER {name} ON {located(table)}"
        for table, name in catalog.triggers.keys() - _expected(Trigger)
    ]
    policies = [
        f"DROP POLICY {name} ON {located(table)}"
        for table, name in catalog.policies.keys() - _expected(Policy)
    ]
    return triggers + policies


def _strangers(catalog: Catalog) -> list[str]:
    wanted = protections()
    granted = {(each.table, each.role) for each in wanted if isinstance(each, Grant)}
    functions = {(each.name, each.arguments) for each in wanted if isinstance(each, Function)}
    tables = {each.name for each in wanted if isinstance(each, Table)}
    schemas = {SCHEMA} | {each.name for each in wanted if isinstance(each, Schema)}
    return [
        *(f"unknown trigger {pair}" for pair in catalog.triggers.keys() - _expected(Trigger)),
        *(f"unknown policy {pair}" for pair in catalog.policies.keys() - _expected(Policy)),
        *(f"unknown grant {pair}" for pair in catalog.grants.keys() - granted),
        *(f"unknown function {pair}" for pair in catalog.functions.keys() - functions),
        *(f"unknown table {name}" for name in catalog.tables.keys() - tables),
        *(f"unknown schema {name}" for name in catalog.schemas.keys() - schemas),
    ]
