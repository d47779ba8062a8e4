"""What the database itself holds of device deficiencies."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.casebook.models import CrfRecord
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect
from visits.models.deficiencies import DeviceDeficiency

DEFICIENCIES, RECORDS = (model._meta.db_table for model in (DeviceDeficiency, CrfRecord))

#: A deficiency stays what it is about; nothing of it changes under a lock or once voided.
GUARD_DEFICIENCY = Function(
    "guard_deficiency",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF (OLD.record_id, OLD.session_id, OLD.reported_by_id, OLD.reported_at)
     IS DISTINCT FROM (NEW.record_id, NEW.session_id, NEW.reported_by_id, NEW.reported_at) THEN
    RAISE EXCEPTION 'a deficiency stays what it is about' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.voided_at IS NOT NULL AND OLD.site_id = NEW.site_id THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF OLD.site_id = NEW.site_id AND EXISTS (
    SELECT 1 FROM public.{RECORDS} r WHERE r.id = NEW.record_id AND r.lock_state <> 'open')
  THEN
    RAISE EXCEPTION 'the record is locked' USING ERRCODE = 'TS012';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def deficiencies() -> Iterable[Protection]:
    yield GUARD_DEFICIENCY
    yield same_site(DEFICIENCIES, record=True)
    yield Trigger(DEFICIENCIES, "guard_deficiency", "BEFORE UPDATE", "trialsite.guard_deficiency")
