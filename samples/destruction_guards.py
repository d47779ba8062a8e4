"""What PostgreSQL itself holds of destruction lists.

After a withdrawal no sample is collected, worked up, analysed, used up, packed or shipped, by
whatever road, and none is discarded without a witness. That something has thawed is a fact,
which the log takes; taking it out to thaw for use is refused by the service. A line of the
list is settled by the custody log and by nothing else, and the list is closed only when each
sample of the participant is destroyed or explained. It stands as long as the withdrawal does.
"""

from __future__ import annotations

from collections.abc import Iterable

from samples.guards import UNWITNESSED
from samples.models import (
    LIVE_ALIQUOTS,
    LIVE_SPECIMENS,
    Aliquot,
    AliquotState,
    CustodyEvent,
    CustodyKind,
    Destruction,
    DestructionLine,
    Outcome,
    Specimen,
)
from samples.models.states import NEEDS_CONSENT
from screening.models.consent import Consent, Scope, Withdrawal
from trialsite.casebook.guards import same_site
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect

SPECIMENS, ALIQUOTS, EVENTS, LISTS, LINES, WITHDRAWALS, CONSENTS, RECORDS, SUBJECTS = (
    model._meta.db_table
    for model in (
        Specimen,
        Aliquot,
        CustodyEvent,
        Destruction,
        DestructionLine,
        Withdrawal,
        Consent,
        CrfRecord,
        Subject,
    )
)

#: The consent for samples is withdrawn; not every sample is accounted for.
WITHDRAWN, NOT_ACCOUNTED = "TS067", "TS068"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


#: What happened before the withdrawal happened with consent, however late it is entered.
REFUSE_WITHDRAWN = Function(
    "refuse_withdrawn_samples",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF NEW.kind IN ({_texts(NEEDS_CONSENT)}) AND EXISTS (
      SELECT 1 FROM public.{LISTS} d
      WHERE d.subject_id = NEW.subject_id AND d.lifted_at IS NULL
        AND d.withdrawn_at <= NEW.happened_at AT TIME ZONE NEW.time_zone) THEN
    RAISE EXCEPTION 'the consent for samples is withdrawn' USING ERRCODE = '{WITHDRAWN}';
  END IF;
  -- Thrown away after the withdrawal it is destroyed, whatever it is called.
  IF NEW.kind = '{CustodyKind.DISCARDED}'
     AND (NEW.witness_id IS NULL OR NEW.witness_id = NEW.entered_by_id) AND EXISTS (
      SELECT 1 FROM public.{LISTS} d
      WHERE d.subject_id = NEW.subject_id AND d.lifted_at IS NULL
        AND d.withdrawn_at <= NEW.happened_at AT TIME ZONE NEW.time_zone) THEN
    RAISE EXCEPTION 'nobody saw it discarded' USING ERRCODE = '{UNWITNESSED}';
  END IF;
  RETURN NEW;
END
""",
)

#: A line is settled when its sample has come to its end, and open again when it is found.
SETTLE_DESTRUCTION = Function(
    "settle_destruction",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  came_to text;
BEGIN
  came_to := CASE NEW.kind
    WHEN '{CustodyKind.DESTROYED}' THEN
      CASE WHEN NEW.witness_id IS NULL THEN '{Outcome.RECIPIENT}' ELSE '{Outcome.DESTROYED}' END
    WHEN '{CustodyKind.DISCARDED}' THEN '{Outcome.DISCARDED}'
    WHEN '{CustodyKind.LOST}' THEN '{Outcome.LOST}'
    WHEN '{CustodyKind.USED_UP}' THEN '{Outcome.USED}'
    WHEN '{CustodyKind.ANALYSED}' THEN
      (SELECT '{Outcome.USED}' FROM public.{ALIQUOTS} a
       WHERE a.id = NEW.aliquot_id AND a.state = '{AliquotState.USED}')
    WHEN '{CustodyKind.ALIQUOTED}' THEN '{Outcome.DIVIDED}'
    WHEN '{CustodyKind.FOUND}' THEN '' END;
  IF came_to IS NOT NULL THEN
    UPDATE public.{LINES} l SET outcome = CASE
          WHEN came_to = '{Outcome.DISCARDED}' AND d.withdrawn_at <= NEW.moment
          THEN '{Outcome.DISPOSED}' ELSE came_to END,
        event_id = CASE WHEN came_to <> '' THEN NEW.id END
      FROM public.{LISTS} d
      WHERE d.id = l.destruction_id AND d.closed_at IS NULL AND d.lifted_at IS NULL
        AND l.specimen_id = NEW.specimen_id AND l.aliquot_id IS NOT DISTINCT FROM NEW.aliquot_id;
  END IF;
  RETURN NULL;
END
""",
)

GUARD_LINE = Function(
    "guard_destruction_line",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'INSERT' THEN
    -- Lost before the list was made: its own loss explains it.
    IF NEW.outcome NOT IN ('', '{Outcome.LOST}') OR EXISTS (
        SELECT 1 FROM public.{LISTS} d WHERE d.id = NEW.destruction_id
          AND (d.closed_at IS NOT NULL OR d.lifted_at IS NOT NULL))
       OR (NEW.outcome = '{Outcome.LOST}' AND NOT EXISTS (
        SELECT 1 FROM public.{EVENTS} e WHERE e.id = NEW.event_id AND e.kind = 'lost'
          AND e.specimen_id = NEW.specimen_id
          AND e.aliquot_id IS NOT DISTINCT FROM NEW.aliquot_id)) THEN
      RAISE EXCEPTION 'a line begins open, on an open list' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF pg_trigger_depth() < 2
     AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM (to_jsonb(OLD) - 'site_id') THEN
    RAISE EXCEPTION 'a line is settled by its custody' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: The act since which the consent for samples is withdrawn without a break, as
#: `screening.standing` finds it among acts that are not voided.
_STANDING_ACT = f"""
  SELECT w.withdrawn_at AS wall, w.time_zone AS zone INTO act
    FROM public.{WITHDRAWALS} w JOIN public.{RECORDS} r ON r.id = w.record_id
    WHERE w.subject_id = NEW.subject_id AND r.voided_at IS NULL
      AND w.scopes && ARRAY[{_texts((Scope.SAMPLES, Scope.ALL_DATA))}]::varchar[]
      AND NOT EXISTS (
        SELECT 1 FROM public.{CONSENTS} c JOIN public.{RECORDS} q ON q.id = c.record_id
        WHERE c.subject_id = w.subject_id AND q.voided_at IS NULL
          AND '{Scope.SAMPLES}' = ANY (c.resumes)
          AND (c.signed_at AT TIME ZONE c.time_zone, c.recorded_at)
              >= (w.withdrawn_at AT TIME ZONE w.time_zone, w.recorded_at))
    ORDER BY w.withdrawn_at AT TIME ZONE w.time_zone, w.recorded_at LIMIT 1;
"""

#: A list stands as long as its withdrawal does, since when it does, whoever writes. A wall
#: time that a clock skipped has no moment of its own and is not compared.
GUARD_LIST = Function(
    "guard_destruction",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  act record;
BEGIN
  PERFORM 1 FROM public.{SUBJECTS} u WHERE u.id = NEW.subject_id AND u.site_id = NEW.site_id;
  IF NOT FOUND AND TG_OP = 'INSERT' THEN
    RETURN NEW;  -- the foreign key refuses it
  END IF;
{_STANDING_ACT}
  IF TG_OP = 'INSERT' OR NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at THEN
    IF act.wall IS NULL OR (NEW.withdrawn_at AT TIME ZONE act.zone <> act.wall
        AND act.wall AT TIME ZONE act.zone AT TIME ZONE act.zone = act.wall) THEN
      RAISE EXCEPTION 'no consent was withdrawn then' USING ERRCODE = 'TS003';
    END IF;
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.closed_at IS NOT NULL OR NEW.lifted_at IS NOT NULL THEN
      RAISE EXCEPTION 'a list begins open' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.lifted_at IS NULL AND NEW.lifted_at IS NOT NULL AND act.wall IS NOT NULL THEN
    RAISE EXCEPTION 'the withdrawal stands' USING ERRCODE = 'TS003';
  END IF;
  IF NEW.subject_id <> OLD.subject_id
     OR (OLD.closed_at IS NOT NULL AND
         (NEW.closed_at, NEW.closed_by_id) IS DISTINCT FROM (OLD.closed_at, OLD.closed_by_id))
     OR (OLD.lifted_at IS NOT NULL AND
         (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM (to_jsonb(OLD) - 'site_id')) THEN
    RAISE EXCEPTION 'what is over stays so' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND (
      EXISTS (SELECT 1 FROM public.{LINES} l JOIN public.{SPECIMENS} s ON s.id = l.specimen_id
              WHERE l.destruction_id = NEW.id AND l.outcome = '' AND s.voided_at IS NULL)
      OR EXISTS (SELECT 1 FROM public.{SPECIMENS} s
                 WHERE s.subject_id = NEW.subject_id AND s.voided_at IS NULL
                   AND s.state IN ({_texts(LIVE_SPECIMENS)}))
      OR EXISTS (SELECT 1 FROM public.{ALIQUOTS} a JOIN public.{SPECIMENS} s
                   ON s.id = a.specimen_id
                 WHERE a.subject_id = NEW.subject_id AND s.voided_at IS NULL
                   AND a.state IN ({_texts(LIVE_ALIQUOTS)}))) THEN
    RAISE EXCEPTION 'not every sample is accounted for' USING ERRCODE = '{NOT_ACCOUNTED}';
  END IF;
  RETURN NEW;
END
""",
)


def _of_subject(name: str, parent: str, column: str) -> Check:
    return Check(
        LINES,
        f"{LINES}_{name}",
        f"FOREIGN KEY (site_id, subject_id, {column}) REFERENCES public.{parent} "
        "(site_id, subject_id, id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )


@protect
def destruction() -> Iterable[Protection]:
    yield from (REFUSE_WITHDRAWN, SETTLE_DESTRUCTION, GUARD_LINE, GUARD_LIST)
    yield same_site(LISTS)
    yield same_site(LINES)
    yield _of_subject("same_list", LISTS, "destruction_id")
    yield _of_subject("same_specimen", SPECIMENS, "specimen_id")
    yield _of_subject("same_aliquot", ALIQUOTS, "aliquot_id")
    yield Trigger(
        EVENTS, "custody_0_withdrawn", "BEFORE INSERT", "trialsite.refuse_withdrawn_samples"
    )
    yield Trigger(EVENTS, "custody_4_destruction", "AFTER INSERT", "trialsite.settle_destruction")
    yield Trigger(
        LINES, "guard_line", "BEFORE INSERT OR UPDATE", "trialsite.guard_destruction_line"
    )
    yield Trigger(LISTS, "guard_list", "BEFORE INSERT OR UPDATE", "trialsite.guard_destruction")
