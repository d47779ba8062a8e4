"""The triggers that keep `OwedForm` in step with visits and records, whoever writes them."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.casebook.models import CrfRecord, Visit
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.dashboard.models import OwedForm

OWED, RECORDS, VISITS = (model._meta.db_table for model in (OwedForm, CrfRecord, Visit))

_DONE = "('complete', 'not_done')"

#: A record that comes into an attended visit, or is undone, is owed; a done or voided one is
#: not. The visit is share-locked, so that an attendance in flight is waited for.
FOLLOW_RECORD = Function(
    "owe_of_record",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  state text;
BEGIN
  IF NEW.visit_id IS NULL THEN
    RETURN NULL;
  END IF;
  IF NEW.voided_at IS NOT NULL OR NEW.status IN {_DONE} THEN
    IF TG_OP = 'UPDATE' THEN
      UPDATE public.{OWED} SET owed = false WHERE record_id = NEW.id AND owed;
    END IF;
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF OLD.status NOT IN {_DONE} AND OLD.visit_id IS NOT DISTINCT FROM NEW.visit_id THEN
      RETURN NULL;
    END IF;
  END IF;
  SELECT v.status INTO state FROM public.{VISITS} v WHERE v.id = NEW.visit_id FOR SHARE;
  IF state = 'attended' THEN
    INSERT INTO public.{OWED} (record_id, site_id, subject_id, visit_id, owed)
      VALUES (NEW.id, NEW.site_id, NEW.subject_id, NEW.visit_id, true)
      ON CONFLICT (record_id) DO UPDATE SET owed = true, visit_id = EXCLUDED.visit_id;
  END IF;
  RETURN NULL;
END
""",
)

#: An attended visit owes its forms; one that is no longer attended owes none.
FOLLOW_VISIT = Function(
    "owe_of_visit",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF NEW.status = OLD.status THEN
    RETURN NULL;
  END IF;
  IF NEW.status = 'attended' THEN
    INSERT INTO public.{OWED} (record_id, site_id, subject_id, visit_id, owed)
      SELECT c.id, c.site_id, c.subject_id, c.visit_id, true FROM public.{RECORDS} c
        WHERE c.visit_id = NEW.id AND c.voided_at IS NULL AND c.status NOT IN {_DONE}
      ON CONFLICT (record_id) DO UPDATE SET owed = true, visit_id = EXCLUDED.visit_id;
  ELSIF OLD.status = 'attended' THEN
    UPDATE public.{OWED} SET owed = false WHERE visit_id = NEW.id AND owed;
  END IF;
  RETURN NULL;
END
""",
)


@protect
def owed_forms() -> Iterable[Protection]:
    yield FOLLOW_RECORD
    yield FOLLOW_VISIT
    yield same_site(OWED, record=True)
    yield Trigger(RECORDS, "owe", "AFTER INSERT OR UPDATE", "trialsite.owe_of_record")
    yield Trigger(VISITS, "owe", "AFTER UPDATE", "trialsite.owe_of_visit")
