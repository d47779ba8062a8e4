"""What the database enforces on visits' own tables beyond the forms' rules."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Protection, Trigger
from trialsite.core.guards import protect
from visits.models import ChecklistAnswer, EventLook, TreatmentSession


@protect
def sessions() -> Iterable[Protection]:
    # A circuit that runs when all data are withdrawn is still taken down, and its end kept.
    ends = {TreatmentSession: ("ended_at", "started_at"), ChecklistAnswer: (), EventLook: ()}
    for model, columns in ends.items():
        table = model._meta.db_table
        yield Trigger(
            table, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_entry", columns
        )
        yield same_site(table, record=True)
