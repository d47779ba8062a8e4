"""Schemas and tables that no model declares, because the application must not reach them."""

from __future__ import annotations

from dataclasses import dataclass

from trialsite.core.catalog import EVERYBODY
from trialsite.core.existing import Catalog


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with its owner; whoever is not named may not even look into it."""

    name: str
    owner: str
    usage: tuple[str, ...] = ()

    def statements(self, _catalog: Catalog) -> list[str]:
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.name} AUTHORIZATION {self.owner}",
            f"ALTER SCHEMA {self.name} OWNER TO {self.owner}",
            f"REVOKE ALL ON SCHEMA {self.name} FROM {EVERYBODY}",
            *(f"GRANT USAGE ON SCHEMA {self.name} TO {role}" for role in self.usage),
        ]

    def drift(self, catalog: Catalog) -> list[str]:
        found = catalog.schemas.get(self.name)
        if found is None:
            return [f"schema {self.name} is missing"]
        owner, privileges = found
        if owner != self.owner:
            return [f"schema {self.name} belongs to {owner}"]
        if privileges != {f"{role} USAGE" for role in self.usage}:
            return [f"privileges on schema {self.name}: {sorted(privileges)}"]
        return []


@dataclass(frozen=True, slots=True)
class Store:
    """The columns of a table outside Django's reach; its constraints are `Check`s.

    A column that is added here is added to the table; one that is altered is named as
    drift, because what becomes of its values is for a person to decide.
    """

    name: str
    #: Column, type as PostgreSQL prints it, whether it must have a value.
    columns: tuple[tuple[str, str, bool], ...]

    def statements(self, catalog: Catalog) -> list[str]:
        created = ", ".join(self._definition(*column) for column in self.columns)
        return [
            f"CREATE TABLE IF NOT EXISTS {self.name} ({created})",
            *(
                f"ALTER TABLE {self.name} ADD COLUMN {self._definition(*column)}"
                for column in self.columns
                if self.name in catalog.tables and (self.name, column[0]) not in catalog.types
            ),
        ]

    def drift(self, catalog: Catalog) -> list[str]:
        wanted = {name: (kind, required) for name, kind, required in self.columns}
        found = {
            column: (kind, catalog.columns[table, column][0])
            for (table, column), kind in catalog.types.items()
            if table == self.name
        }
        return [
            f"column {column} of {self.name} differs: {found.get(column)}"
            for column in sorted(wanted.keys() | found.keys())
            if wanted.get(column) != found.get(column)
        ]

    @staticmethod
    def _definition(name: str, kind: str, required: bool) -> str:  # noqa: FBT001  (a column's)
        return f"{name} {kind}{' NOT NULL' if required else ''}"
