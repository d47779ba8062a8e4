"""What the database enforces on laboratory data beyond the forms' own rules."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import SUBJECTS, same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.labs.importing.models import LabFileMapping, LabImport
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
)

LABORATORIES, RANGES, PANELS, RESULTS, PURIFICATIONS, MAPPINGS, IMPORTS = (
    model._meta.db_table
    for model in (
        Laboratory,
        ReferenceRange,
        LabPanel,
        LabResult,
        PurificationInterval,
        LabFileMapping,
        LabImport,
    )
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


#: What was taken or put away stays so, and the file of an import is never another one.
GUARD_IMPORT = Function(
    "guard_lab_import",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF OLD.state IN ('accepted', 'discarded') THEN
    RAISE EXCEPTION 'a finished import is not changed' USING ERRCODE = 'TS003';
  END IF;
  IF (OLD.sha256, OLD.stored_as, OLD.mapping_id, OLD.laboratory_id, OLD.site_id)
     IS DISTINCT FROM
     (NEW.sha256, NEW.stored_as, NEW.mapping_id, NEW.laboratory_id, NEW.site_id) THEN
    RAISE EXCEPTION 'the file of an import is not replaced' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def labs() -> Iterable[Protection]:
    yield from (GUARD_SUBJECT_ENTRY, GUARD_IMPORT)
    yield Trigger(IMPORTS, "guard_import", "BEFORE UPDATE", "trialsite.guard_lab_import")
    for table in (PANELS, RESULTS):
        yield Trigger(table, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_entry")
        yield same_site(table, record=True)
    yield same_site(PURIFICATIONS)
    yield Trigger(
        PURIFICATIONS, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_purification"
    )
    for table in (RANGES, MAPPINGS, IMPORTS):
        yield Check(
            table,
            f"{table}_same_laboratory",
            f"FOREIGN KEY (site_id, laboratory_id) REFERENCES public.{LABORATORIES} "
            "(site_id, id) DEFERRABLE INITIALLY IMMEDIATE",
        )
    yield Check(
        IMPORTS,
        f"{IMPORTS}_same_mapping",
        f"FOREIGN KEY (site_id, laboratory_id, mapping_id) REFERENCES public.{MAPPINGS} "
        "(site_id, laboratory_id, id) DEFERRABLE INITIALLY IMMEDIATE",
    )
