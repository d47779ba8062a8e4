"""What the database enforces on every table of CRF data, derived from its definition."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.crf.items import items_of
from trialsite.crf.models import Coding, CrfRow, Draft, ItemData
from trialsite.crf.registry import forms

#: A code stays as it was given; another takes its place. A subject's move takes it along.
GUARD_CODING = Function(
    "guard_coding",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (to_jsonb(NEW) - ARRAY['superseded_at', 'site_id'])
     IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['superseded_at', 'site_id'])
     OR (OLD.superseded_at IS NOT NULL
         AND NEW.superseded_at IS DISTINCT FROM OLD.superseded_at) THEN
    RAISE EXCEPTION 'a code is superseded, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def codings() -> Iterable[Protection]:
    table = Coding._meta.db_table
    yield GUARD_CODING
    yield same_site(table, record=True)
    yield Trigger(table, "guard_coding", "BEFORE UPDATE", "trialsite.guard_coding")


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
