"""What the database enforces on every table of CRF data, derived from its definition."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Check, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.crf.items import items_of
from trialsite.crf.models import CrfRow, Draft, ItemData
from trialsite.crf.registry import forms


@protect
def crf_tables() -> Iterable[Protection]:
    yield same_site(Draft._meta.db_table, record=True)
    for each in forms().values():
        for table in each.tables:
            yield from _table(table)


def _table(table: type[ItemData]) -> Iterable[Protection]:
    name = table._meta.db_table
    yield Trigger(name, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_entry")
    yield same_site(name, record=True)
    yield Check(name, f"{name}_missing_xor_value", f"CHECK ({_missing_xor_value(table)})")
    if issubclass(table, CrfRow):
        yield Check(name, f"{name}_number_once", "UNIQUE (record_id, number)")
        yield Check(
            name,
            f"{name}_voided_iff_reason",
            "CHECK ((voided_at IS NULL) = (void_reason = ''))",
        )


def _missing_xor_value(table: type[ItemData]) -> str:
    clauses = [
        f"NOT (missing ? '{item}' AND {each.field.column} IS NOT NULL)"  # type: ignore[union-attr]
        for item, each in items_of(table).items()
    ]
    return " AND ".join(clauses) or "true"
