"""What the database itself holds of the screening log and of enrolment.

A number, once given, is its entry's for ever; whoever is enrolled has an enrolment; the
study's places are counted where nobody can write (decisions C21, D6).
"""

from __future__ import annotations

from collections.abc import Iterable

from screening.models import Enrolment, ScreeningEntry, StudyEnrolment
from trialsite.casebook.guards import SUBJECTS, same_site
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import APP, protect

ENTRIES, ENROLMENTS, PLACES = (
    model._meta.db_table for model in (ScreeningEntry, Enrolment, StudyEnrolment)
)

GUARD_ENTRY = Function(
    "guard_screening_entry",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.number <> NEW.number OR OLD.considered_by_id <> NEW.considered_by_id
       OR (OLD.subject_id IS NOT NULL AND NEW.subject_id IS DISTINCT FROM OLD.subject_id) THEN
      RAISE EXCEPTION 'an entry keeps its number and its subject' USING ERRCODE = 'TS003';
    END IF;
    IF OLD.voided_at IS NOT NULL THEN
      RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
    END IF;
    IF OLD.outcome = 'enrolled' AND NEW.outcome <> 'enrolled' AND EXISTS (
        SELECT 1 FROM public.{ENROLMENTS} e
        WHERE e.subject_id = NEW.subject_id AND e.voided_at IS NULL) THEN
      RAISE EXCEPTION 'whoever is enrolled stands so in the log' USING ERRCODE = 'TS021';
    END IF;
  END IF;
  IF NEW.subject_id IS NOT NULL AND EXISTS (SELECT 1 FROM public.{SUBJECTS} s
      WHERE s.id = NEW.subject_id AND s.site_id = NEW.site_id
        AND s.screening_number <> NEW.number) THEN
    RAISE EXCEPTION 'the subject keeps the number of its entry' USING ERRCODE = 'TS020';
  END IF;
  IF EXISTS (SELECT FROM unnest(ARRAY[NEW.earlier_id, NEW.same_person_as_id]) AS named (id)
      WHERE named.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM public.{ENTRIES} n
        WHERE n.id = named.id AND n.site_id = NEW.site_id)) THEN
    RAISE EXCEPTION 'an entry points to entries of its own site' USING ERRCODE = 'TS020';
  END IF;
  IF NEW.outcome = 'enrolled' AND NOT EXISTS (SELECT 1 FROM public.{ENROLMENTS} e
      WHERE e.subject_id = NEW.subject_id AND e.voided_at IS NULL) THEN
    RAISE EXCEPTION 'nobody is enrolled without an enrolment' USING ERRCODE = 'TS021';
  END IF;
  RETURN NEW;
END
""",
)

#: Whoever's enrolment is taken back is in screening again: both are said at once.
REOPEN_ENTRY = Function(
    "reopen_entry",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  UPDATE public.{ENTRIES} SET outcome = 'open', outcome_on = NULL, version = version + 1
    WHERE subject_id = NEW.subject_id AND outcome = 'enrolled';
  RETURN NULL;
END
""",
)

#: Nothing of an enrolment changes but that it may be voided, once.
GUARD_ENROLMENT = Function(
    "guard_enrolment",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF OLD.voided_at IS NOT NULL THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF (OLD.subject_id, OLD.number, OLD.enrolled_at, OLD.enrolled_on, OLD.enrolled_by_id,
      OLD.protocol_version_id, OLD.target)
     IS DISTINCT FROM
     (NEW.subject_id, NEW.number, NEW.enrolled_at, NEW.enrolled_on, NEW.enrolled_by_id,
      NEW.protocol_version_id, NEW.target) THEN
    RAISE EXCEPTION 'an enrolment is not rewritten' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: Runs as the owner: the application itself cannot write the count.
COUNT_PLACES = Function(
    "count_places",
    returns="trigger",
    definer=True,
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.voided_at IS NULL THEN
      INSERT INTO public.{PLACES} AS p (id, enrolled, target) VALUES (1, 1, NEW.target)
        ON CONFLICT (id) DO UPDATE SET enrolled = p.enrolled + 1, target = excluded.target;
    END IF;
  ELSIF OLD.voided_at IS NULL AND NEW.voided_at IS NOT NULL THEN
    UPDATE public.{PLACES} SET enrolled = enrolled - 1 WHERE id = 1;
  END IF;
  RETURN NULL;
END
""",
)

#: Whoever decides an enrolment holds the count until the end of the transaction.
HOLD_PLACES = Function(
    "hold_places",
    returns="integer",
    definer=True,
    execute=(APP,),
    source=f"""
DECLARE
  taken integer;
BEGIN
  INSERT INTO public.{PLACES} (id, enrolled, target) VALUES (1, 0, 0) ON CONFLICT DO NOTHING;
  SELECT enrolled INTO taken FROM public.{PLACES} WHERE id = 1 FOR UPDATE;
  RETURN taken;
END
""",
)


@protect
def screening_log() -> Iterable[Protection]:
    yield from (GUARD_ENTRY, REOPEN_ENTRY, GUARD_ENROLMENT, COUNT_PLACES, HOLD_PLACES)
    yield same_site(ENTRIES)
    yield same_site(ENROLMENTS)
    yield Trigger(
        ENTRIES,
        "guard_screening_entry",
        "BEFORE INSERT OR UPDATE",
        "trialsite.guard_screening_entry",
    )
    yield Trigger(ENROLMENTS, "reopen_entry", "AFTER UPDATE OF voided_at", "trialsite.reopen_entry")
    yield Trigger(ENROLMENTS, "guard_enrolment", "BEFORE UPDATE", "trialsite.guard_enrolment")
    yield Trigger(ENROLMENTS, "count_places", "AFTER INSERT OR UPDATE", "trialsite.count_places")
