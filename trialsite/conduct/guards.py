"""What the database itself holds of the study's conduct, and the facts it may tell of all sites."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.access.models import Site
from trialsite.casebook.guards import same_site
from trialsite.conduct.gate_sql import gate_states
from trialsite.conduct.models import Hold, ProposedHold
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import APP, protect

HOLDS, PROPOSED = Hold._meta.db_table, ProposedHold._meta.db_table
SITES = Site._meta.db_table

#: A proposal stays what it is about, and is decided once, about what was known then.
GUARD_PROPOSED_HOLD = Function(
    "guard_proposed_hold",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (OLD.subject_id, OLD.rule, OLD.trigger, OLD.key, OLD.study_wide, OLD.reason, OLD.raised_at)
     IS DISTINCT FROM
     (NEW.subject_id, NEW.rule, NEW.trigger, NEW.key, NEW.study_wide, NEW.reason, NEW.raised_at)
     OR (OLD.status <> 'open'
         AND (OLD.status, OLD.hold_id, OLD.decided_at, OLD.dismiss_reason, OLD.measures,
              OLD.events)
         IS DISTINCT FROM (NEW.status, NEW.hold_id, NEW.decided_at, NEW.dismiss_reason,
                           NEW.measures, NEW.events)) THEN
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

#: Counts over all sites, and nothing else of another site (decisions D6), in the order of
#: `trialsite.conduct.gates.GateFacts`; each subject is judged by `gate_sql`.
#:
#: Row-level security binds the owner too, so the function widens the sites for its one
#: query and puts the caller's back. Should the query fail, the settings return with the
#: transaction or savepoint that it takes down: nobody ever goes on with the wider ones.
STUDY_FACTS = Function(
    "study_facts",
    arguments="day integer, events text[], released uuid[]",
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
  WITH states AS ({gate_states("study_facts.day", "study_facts.events", "study_facts.released")})
  SELECT ARRAY[
      count(*),
      count(*) FILTER (WHERE g.with_data),
      count(*) FILTER (WHERE g.cleared),
      count(*) FILTER (WHERE g.treated),
      count(*) FILTER (WHERE g.treated AND NOT g.cleared),
      count(*) FILTER (WHERE g.reviewable)
    ]::integer[]
    INTO found
    FROM states g;
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)


#: Whether a proposal of a rule stands at any site, undecided or decided about as many events:
#: the next site is not asked to decide the same crossing again, and a decision mutes no later
#: one (decisions D6: a yes or no, no row).
HOLD_RAISED = Function(
    "hold_raised",
    arguments="rule text, trigger text, events integer",
    returns="boolean",
    definer=True,
    execute=(APP,),
    source=f"""
DECLARE
  found boolean;
  callers text := trialsite.sites()::text;
BEGIN
  PERFORM set_config('trialsite.sites',
    coalesce((SELECT array_agg(t.id)::text FROM public.{SITES} t), '{{}}'), true);
  SELECT EXISTS (
    SELECT 1 FROM public.{PROPOSED} p
    WHERE p.rule = hold_raised.rule AND p.trigger = hold_raised.trigger
      AND p.cause_ended_at IS NULL
      AND (p.status = 'open' OR coalesce(p.events, 0) >= hold_raised.events)) INTO found;
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)


@protect
def conduct() -> Iterable[Protection]:
    yield GUARD_HOLD
    yield STUDY_FACTS
    yield HOLD_RAISED
    yield GUARD_PROPOSED_HOLD
    yield same_site(PROPOSED)
    yield Trigger(PROPOSED, "guard_proposed_hold", "BEFORE UPDATE", "trialsite.guard_proposed_hold")
    yield Trigger(HOLDS, "guard_hold", "BEFORE INSERT OR UPDATE", "trialsite.guard_hold")
