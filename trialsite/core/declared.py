"""What the models themselves declare, and migrations have made, still stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models

from trialsite.core.existing import Catalog


@dataclass(frozen=True, slots=True)
class Declared:
    """The columns and constraints of one model; made by migrations, only watched here."""

    model: type[models.Model]

    def statements(self, _catalog: Catalog) -> list[str]:
        return []

    def drift(self, catalog: Catalog) -> list[str]:
        return [*self._constraints(catalog), *self._columns(catalog)]

    def _constraints(self, catalog: Catalog) -> Iterable[str]:
        table = self.model._meta.db_table
        for constraint in self.model._meta.constraints:
            pair = (table, constraint.name)
            if pair not in catalog.checks and pair not in catalog.indexes:
                yield f"constraint {constraint.name} on {table} is missing"

    def _columns(self, catalog: Catalog) -> Iterable[str]:
        table = self.model._meta.db_table
        for column in self.model._meta.concrete_fields:
            found = catalog.columns.get((table, str(column.column)))
            if found is None:
                yield f"column {column.column} of {table} is missing"
                continue
            not_null, unique, foreign = found
            if not not_null and not column.null:
                yield f"column {column.column} of {table} may be empty"
            if not unique and column.unique:
                yield f"column {column.column} of {table} is not unique"
            if not foreign and _is_foreign(column):
                yield f"column {column.column} of {table} refers to nothing"


def _is_foreign(column: models.Field[Any, Any]) -> bool:
    return isinstance(column, models.ForeignKey) and bool(getattr(column, "db_constraint", True))
