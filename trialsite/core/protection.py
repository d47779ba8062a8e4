"""Bring the database to its guarded state, and tell where it is not."""

from __future__ import annotations

from django.db import connections, transaction

from trialsite.core.catalog import SCHEMA, Catalog, Function, Grant, Policy, Trigger
from trialsite.core.guards import AUDIT, OWNER, protections


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
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER}")
        cursor.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC")
        cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA}, public TO {AUDIT}")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
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


def drift(using: str = "default") -> list[str]:
    """Every difference between the catalog and the desired state, in words."""
    catalog = Catalog.read(using)
    found = [words for protection in protections() for words in protection.drift(catalog)]
    return [*found, *_strangers(catalog)]


def _expected(kind: type[Trigger] | type[Policy]) -> set[tuple[str, str]]:
    return {(each.table, each.name) for each in protections() if isinstance(each, kind)}


def _unwanted(catalog: Catalog) -> list[str]:
    triggers = [
        f"DROP TRIGGER {name} ON public.{table}"
        for table, name in catalog.triggers.keys() - _expected(Trigger)
    ]
    policies = [
        f"DROP POLICY {name} ON public.{table}"
        for table, name in catalog.policies.keys() - _expected(Policy)
    ]
    return triggers + policies


def _strangers(catalog: Catalog) -> list[str]:
    wanted = protections()
    granted = {(each.table, each.role) for each in wanted if isinstance(each, Grant)}
    functions = {each.name for each in wanted if isinstance(each, Function)}
    return [
        *(f"unknown trigger {pair}" for pair in catalog.triggers.keys() - _expected(Trigger)),
        *(f"unknown policy {pair}" for pair in catalog.policies.keys() - _expected(Policy)),
        *(f"unknown grant {pair}" for pair in catalog.grants.keys() - granted),
        *(f"unknown function {name}" for name in catalog.functions.keys() - functions),
    ]
