"""What the database itself holds of the study's conduct, and the facts it may tell of all sites."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.access.models import Site
from trialsite.casebook.guards import same_site
from trialsite.casebook.models import Subject, Visit
from trialsite.conduct.models import Hold, ProposedHold
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import APP, protect

HOLDS, PROPOSED = Hold._meta.db_table, ProposedHold._meta.db_table
SUBJECTS, VISITS, SITES = (model._meta.db_table for model in (Subject, Visit, Site))

#: A proposal stays what it is about, and is decided once.
GUARD_PROPOSED_HOLD = Function(
    "guard_proposed_hold",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (OLD.subject_id, OLD.rule, OLD.trigger, OLD.key, OLD.study_wide, OLD.reason, OLD.raised_at)
     IS DISTINCT FROM
     (NEW.subject_id, NEW.rule, NEW.trigger, NEW.key, NEW.study_wide, NEW.reason, NEW.raised_at)
     OR (OLD.status <> 'open' AND (OLD.status, OLD.hold_id, OLD.decided_at, OLD.dismiss_reason)
     IS DISTINCT FROM (NEW.status, NEW.hold_id, NEW.decided_at, NEW.dismiss_reason)) THEN
    RAISE EXCEPTION 'a proposed hold is decided once' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: A hold is placed by the person of the context or a signed rule; after that it can only be
#: lifted, once.
GUARD_HOLD = Function(
    "guard_hold",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  free text[] := ARRAY['lifted_at', 'lifted_by_id', 'lift_reason', 'lift_signature_id'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.lifted_at IS NOT NULL THEN
      RAISE EXCEPTION 'a hold begins unlifted' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.lifted_at IS NOT NULL OR (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free)
  THEN
    RAISE EXCEPTION 'a hold is lifted, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: Three counts over all sites, and nothing else of another site (decisions D6): subjects
#: enrolled; of these, those past a study day (or dead, or out of the study); and those with
#: data of that day (dead, or seen at one of the named visits).
#:
#: Row-level security binds the owner too, so the function widens the sites for its one
#: query and puts the caller's back. Should the query fail, the settings return with the
#: transaction or savepoint that it takes down: nobody ever goes on with the wider ones.
STUDY_FACTS = Function(
    "study_facts",
    arguments="day integer, events text[]",
    returns="integer[]",
    definer=True,
    execute=(APP,),
    source=f"""
DECLARE
  found integer[];
  callers text := trialsite.sites()::text;
BEGIN
  PERFORM set_config('trialsite.sites',
    coalesce((SELECT array_agg(t.id)::text FROM public.{SITES} t), '{{}}'), true);
  SELECT ARRAY[
      count(*),
      count(*) FILTER (WHERE s.status <> 'enrolled' OR s.died_on <> ''
        OR s.day_zero + study_facts.day
           <= (trialsite.now() AT TIME ZONE t.time_zone)::date),
      count(*) FILTER (WHERE s.status = 'died' OR s.died_on <> '' OR EXISTS (
        SELECT 1 FROM public.{VISITS} v WHERE v.subject_id = s.id AND v.status = 'attended'
          AND v.event_oid = ANY (study_facts.events)))
    ]::integer[]
    INTO found
    FROM public.{SUBJECTS} s JOIN public.{SITES} t ON t.id = s.site_id
    WHERE s.number IS NOT NULL AND s.status IN ('enrolled', 'completed', 'withdrawn', 'died');
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)


@protect
def conduct() -> Iterable[Protection]:
    yield GUARD_HOLD
    yield STUDY_FACTS
    yield GUARD_PROPOSED_HOLD
    yield same_site(PROPOSED)
    yield Trigger(PROPOSED, "guard_proposed_hold", "BEFORE UPDATE", "trialsite.guard_proposed_hold")
    yield Trigger(HOLDS, "guard_hold", "BEFORE INSERT OR UPDATE", "trialsite.guard_hold")
