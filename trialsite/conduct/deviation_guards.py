"""What the database itself holds of deviations."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.casebook.models import CrfRecord
from trialsite.conduct.models import Deviation
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect

DEVIATIONS, RECORDS = (model._meta.db_table for model in (Deviation, CrfRecord))

#: A deviation stays what it is about, and nothing of it changes under its record's lock.
GUARD_DEVIATION = Function(
    "guard_deviation",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF (OLD.origin, OLD.kind, OLD.key, OLD.record_id, OLD.entered_at)
     IS DISTINCT FROM (NEW.origin, NEW.kind, NEW.key, NEW.record_id, NEW.entered_at) THEN
    RAISE EXCEPTION 'a deviation stays what it is about' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.site_id = NEW.site_id AND EXISTS (
    SELECT 1 FROM public.{RECORDS} r WHERE r.id = NEW.record_id
      AND (r.lock_state <> 'open' OR r.voided_at IS NOT NULL))
  THEN
    RAISE EXCEPTION 'the record is locked' USING ERRCODE = 'TS012';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def deviations() -> Iterable[Protection]:
    yield GUARD_DEVIATION
    yield same_site(DEVIATIONS, record=True)
    yield Trigger(DEVIATIONS, "guard_deviation", "BEFORE UPDATE", "trialsite.guard_deviation")
