"""What PostgreSQL itself holds of a tube and of its aliquots, beside their custody.

State and times follow from custody, and no other road leads to them; a label stays what it
is. What is still kept, or is to be destroyed, is not voided away. Aliquots are no more than
the tube held, and none is added to a list of samples to be destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable

from samples.destruction_guards import LINES, LISTS, WITHDRAWN
from samples.guards import ALIQUOTS, EVENTS, IN_A_PARCEL, NO_SUCH_STEP, SPECIMENS
from samples.models import OVER
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect

#: Aliquots of it are still kept; its aliquots hold more than it did.
STILL_KEPT, TOO_MUCH = "TS071", "TS072"

_OVER = ", ".join(f"'{state}'" for state in OVER)

GUARD_SPECIMEN = Function(
    "guard_specimen",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'prepared' OR NEW.voided_at IS NOT NULL THEN
      RAISE EXCEPTION 'a specimen begins with its label' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.voided_at IS NOT NULL
     AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM (to_jsonb(OLD) - 'site_id') THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF (OLD.code, OLD.kind, OLD.matrix, OLD.subject_id, OLD.visit_id, OLD.freeze_within,
      OLD.time_zone)
     IS DISTINCT FROM
     (NEW.code, NEW.kind, NEW.matrix, NEW.subject_id, NEW.visit_id, NEW.freeze_within,
      NEW.time_zone) THEN
    RAISE EXCEPTION 'a label stays what it is' USING ERRCODE = 'TS003';
  END IF;
  IF pg_trigger_depth() < 2
     AND (OLD.state, OLD.collected_at, OLD.received_at, OLD.centrifuged_at, OLD.aliquoted_at)
     IS DISTINCT FROM
     (NEW.state, NEW.collected_at, NEW.received_at, NEW.centrifuged_at, NEW.aliquoted_at) THEN
    RAISE EXCEPTION 'a sample is moved by its custody' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.voided_at IS NULL AND NEW.voided_at IS NOT NULL THEN
    IF EXISTS (SELECT 1 FROM public.{ALIQUOTS} a
               WHERE a.specimen_id = NEW.id AND a.state NOT IN ({_OVER})) THEN
      RAISE EXCEPTION 'aliquots of it are still kept' USING ERRCODE = '{STILL_KEPT}';
    END IF;
    IF EXISTS (SELECT 1 FROM public.{LINES} l JOIN public.{LISTS} d ON d.id = l.destruction_id
               WHERE l.specimen_id = NEW.id AND l.outcome = '' AND d.lifted_at IS NULL) THEN
      RAISE EXCEPTION 'it is to be destroyed' USING ERRCODE = '{WITHDRAWN}';
    END IF;
  END IF;
  IF NEW.amount IS DISTINCT FROM OLD.amount AND NEW.amount <
      (SELECT sum(a.volume) FROM public.{ALIQUOTS} a WHERE a.specimen_id = NEW.id) THEN
    RAISE EXCEPTION 'its aliquots hold more' USING ERRCODE = '{TOO_MUCH}';
  END IF;
  RETURN NEW;
END
""",
)

#: What was divided before the withdrawal is entered late, all of it; later none is added.
GUARD_ALIQUOT = Function(
    "guard_aliquot",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  tube record;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'made' OR NEW.thaws <> 0 OR NEW.frozen_at IS NOT NULL THEN
      RAISE EXCEPTION 'an aliquot begins when it is made' USING ERRCODE = 'TS003';
    END IF;
    SELECT s.state, s.voided_at, s.amount, s.subject_id INTO tube
      FROM public.{SPECIMENS} s WHERE s.id = NEW.specimen_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RETURN NEW;  -- the foreign key refuses it
    END IF;
    IF tube.state <> 'aliquoted' OR tube.voided_at IS NOT NULL THEN
      RAISE EXCEPTION 'the specimen is aliquoted first' USING ERRCODE = '{NO_SUCH_STEP}';
    END IF;
    IF EXISTS (SELECT 1 FROM public.{LISTS} d WHERE d.subject_id = tube.subject_id
               AND d.lifted_at IS NULL AND d.opened_at > (
                 SELECT max(e.entered_at) FROM public.{EVENTS} e
                 WHERE e.specimen_id = NEW.specimen_id AND e.kind = 'aliquoted')) THEN
      RAISE EXCEPTION 'it is to be destroyed' USING ERRCODE = '{WITHDRAWN}';
    END IF;
    IF tube.amount < NEW.volume + coalesce(
        (SELECT sum(a.volume) FROM public.{ALIQUOTS} a
         WHERE a.specimen_id = NEW.specimen_id), 0) THEN
      RAISE EXCEPTION 'this is more than was collected' USING ERRCODE = '{TOO_MUCH}';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.volume > coalesce(OLD.volume, 0) THEN
    SELECT s.amount - coalesce(sum(a.volume) FILTER (WHERE a.id <> NEW.id), 0) AS left_over
      INTO tube FROM public.{SPECIMENS} s JOIN public.{ALIQUOTS} a ON a.specimen_id = s.id
      WHERE s.id = NEW.specimen_id GROUP BY s.amount;
    IF tube.left_over < NEW.volume THEN
      RAISE EXCEPTION 'this is more than was collected' USING ERRCODE = '{TOO_MUCH}';
    END IF;
  END IF;
  IF NEW.site_id <> OLD.site_id AND OLD.state IN ('packed', 'shipped') THEN
    RAISE EXCEPTION 'a sample is in a parcel' USING ERRCODE = '{IN_A_PARCEL}';
  END IF;
  IF (OLD.code, OLD.number, OLD.specimen_id, OLD.subject_id, OLD.thaws_at_most)
     IS DISTINCT FROM
     (NEW.code, NEW.number, NEW.specimen_id, NEW.subject_id, NEW.thaws_at_most)
     OR (pg_trigger_depth() < 2
         AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM (to_jsonb(OLD) - 'site_id')) THEN
    RAISE EXCEPTION 'a sample is moved by its custody' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def tubes() -> Iterable[Protection]:
    yield from (GUARD_SPECIMEN, GUARD_ALIQUOT)
    for table, name in ((SPECIMENS, "guard_specimen"), (ALIQUOTS, "guard_aliquot")):
        yield Trigger(table, name, "BEFORE INSERT OR UPDATE", f"trialsite.{name}")
