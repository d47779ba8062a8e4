"""What the database enforces on laboratory data beyond the forms' own rules."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import SUBJECTS, same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
)

LABORATORIES, RANGES, PANELS, RESULTS, PURIFICATIONS = (
    model._meta.db_table
    for model in (Laboratory, ReferenceRange, LabPanel, LabResult, PurificationInterval)
)

#: What hangs on a subject without a record follows the subject's lock and consent.
GUARD_SUBJECT_ENTRY = Function(
    "guard_purification",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  s record;
BEGIN
  SELECT t.lock_state, t.consent_state INTO s FROM public.{SUBJECTS} t
    WHERE t.id = NEW.subject_id FOR SHARE;
  IF s.lock_state <> 'open' THEN
    RAISE EXCEPTION 'the subject is locked' USING ERRCODE = 'TS012';
  END IF;
  IF s.consent_state = 'withdrawn'
     AND NOT (TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) THEN
    RAISE EXCEPTION 'consent is withdrawn for all data' USING ERRCODE = 'TS013';
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.voided_at IS NOT NULL THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def labs() -> Iterable[Protection]:
    yield GUARD_SUBJECT_ENTRY
    for table in (PANELS, RESULTS):
        yield Trigger(table, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_entry")
        yield same_site(table, record=True)
    yield same_site(PURIFICATIONS)
    yield Trigger(
        PURIFICATIONS, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_purification"
    )
    yield Check(
        RANGES,
        f"{RANGES}_same_laboratory",
        f"FOREIGN KEY (site_id, laboratory_id) REFERENCES public.{LABORATORIES} (site_id, id) "
        "DEFERRABLE INITIALLY IMMEDIATE",
    )
