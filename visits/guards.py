"""What the database enforces on visits' own tables beyond the forms' rules."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.casebook.models import Subject
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect
from visits.models import ChecklistAnswer, EventLook, TreatmentSession

LOOKS, SESSIONS, SUBJECTS = (
    model._meta.db_table for model in (EventLook, TreatmentSession, Subject)
)

#: A look lies between the end of its session and now, in the participant's life; it can only
#: be voided, once.
GUARD_LOOK = Function(
    "guard_event_look",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  voiding text[] := ARRAY['voided_at', 'voided_by_id', 'void_reason', 'site_id'];
  s record;
  day text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (to_jsonb(NEW) - voiding) IS DISTINCT FROM (to_jsonb(OLD) - voiding)
       OR (OLD.voided_at IS NOT NULL AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM
           (to_jsonb(OLD) - 'site_id')) THEN
      RAISE EXCEPTION 'a look is voided, never changed' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  SELECT t.ended_at AT TIME ZONE t.time_zone AS ended_at, t.voided_at, t.time_zone, p.died_on
    INTO s
    FROM public.{SESSIONS} t JOIN public.{SUBJECTS} p ON p.id = t.subject_id
    WHERE t.record_id = NEW.record_id;
  day := to_char(NEW.looked_at AT TIME ZONE s.time_zone, 'YYYY-MM-DD');
  IF NEW.voided_at IS NOT NULL OR s.voided_at IS NOT NULL OR s.ended_at IS NULL
     OR NEW.looked_at < s.ended_at OR NEW.looked_at > trialsite.now()
     OR (s.died_on <> '' AND left(day, length(s.died_on)) COLLATE "C" > s.died_on COLLATE "C")
  THEN
    RAISE EXCEPTION 'nobody can have looked then' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


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
    yield GUARD_LOOK
    yield Trigger(
        LOOKS, "guard_event_look", "BEFORE INSERT OR UPDATE", "trialsite.guard_event_look"
    )
