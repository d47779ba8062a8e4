"""What PostgreSQL itself holds of the cell product, whoever writes and by whatever road.

A lot changes its state by a decision only; what is not released is not loaded; nowhere is
more used than was received. Every one of these locks the lot's row first, so two people who
reach for the last unit, or a nurse and a quarantine, meet there and one of them waits.
"""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.access.models import Site
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import APP, protect
from visits.models import LoadedProduct, LotDecision, LotMovement, ProductLot, ReleaseTest

LOTS, TESTS, DECISIONS, MOVEMENTS, LOADED, SITES = (
    model._meta.db_table
    for model in (ProductLot, ReleaseTest, LotDecision, LotMovement, LoadedProduct, Site)
)

#: The lot may not be loaded; there are not so many units; more than were ever made.
NOT_LOADABLE, TOO_MANY, MORE_THAN_MADE = "TS040", "TS041", "TS042"

#: From which state a lot goes into which; the newest decision must say the same.
GUARD_LOT = Function(
    "guard_lot",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  decided text;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'registered' THEN
      RAISE EXCEPTION 'a lot begins registered' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state NOT IN ('registered', 'quarantined')
     AND (to_jsonb(NEW) - 'state') IS DISTINCT FROM (to_jsonb(OLD) - 'state') THEN
    RAISE EXCEPTION 'a released lot is what was signed' USING ERRCODE = 'TS003';
  END IF;
  IF (OLD.registered_by_id, OLD.registered_at, OLD.code)
     IS DISTINCT FROM (NEW.registered_by_id, NEW.registered_at, NEW.code) THEN
    RAISE EXCEPTION 'a lot keeps its number' USING ERRCODE = 'TS003';
  END IF;
  IF NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  SELECT CASE d.act WHEN 'release' THEN 'released' WHEN 'quarantine' THEN 'quarantined'
                    WHEN 'recall' THEN 'recalled' WHEN 'close' THEN 'closed' END
    INTO decided
    FROM public.{DECISIONS} d WHERE d.lot_id = NEW.id ORDER BY d.number DESC LIMIT 1;
  IF decided IS DISTINCT FROM NEW.state OR OLD.state || ' ' || NEW.state NOT IN (
       'registered released', 'registered quarantined', 'registered recalled',
       'registered closed', 'released quarantined', 'released recalled', 'released closed',
       'quarantined released', 'quarantined recalled', 'quarantined closed',
       'closed quarantined', 'closed recalled') THEN
    RAISE EXCEPTION 'a lot changes its state by a decision' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: What was stated stays as it was stated; it can only be voided, once.
GUARD_ONLY_VOIDED = Function(
    "guard_only_voided",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  -- What else may change: the site, when a transfer carries a participant's rows along.
  others text[] := coalesce(TG_ARGV[:], ARRAY[]::text[]);
  free text[] := others || ARRAY['voided_at', 'voided_by_id', 'void_reason'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.voided_at IS NOT NULL THEN
      RAISE EXCEPTION 'nothing begins voided' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.voided_at IS NOT NULL
     AND (to_jsonb(NEW) - others) IS DISTINCT FROM (to_jsonb(OLD) - others) THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
    RAISE EXCEPTION 'it is voided and stated anew, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: Units of a lot that are left at a site. It counts what the caller may see: his own sites.
UNITS_LEFT = Function(
    "lot_units_left",
    arguments="lot uuid, site bigint",
    returns="bigint",
    execute=(APP,),
    source=f"""
BEGIN
  RETURN coalesce((SELECT sum(CASE m.kind WHEN 'received' THEN m.units ELSE -m.units END)
    FROM public.{MOVEMENTS} m
    WHERE m.lot_id = lot_units_left.lot AND m.site_id = lot_units_left.site
      AND m.voided_at IS NULL), 0);
END
""",
)

#: Units of a lot that all sites together hold or have used up, and nothing else of another
#: site (decisions D6): one number. It widens the sites as `study_facts` does.
UNITS_OUT = Function(
    "lot_units_out",
    arguments="lot uuid",
    returns="bigint",
    definer=True,
    execute=(APP,),
    source=f"""
DECLARE
  found bigint;
  callers text := trialsite.sites()::text;
BEGIN
  PERFORM set_config('trialsite.sites',
    coalesce((SELECT array_agg(t.id)::text FROM public.{SITES} t), '{{}}'), true);
  SELECT coalesce(sum(CASE m.kind WHEN 'received' THEN m.units
                                  WHEN 'returned' THEN -m.units ELSE 0 END), 0)
    INTO found
    FROM public.{MOVEMENTS} m WHERE m.lot_id = lot_units_out.lot AND m.voided_at IS NULL;
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)

#: After each row: nowhere is more gone than came, and no more came than was made.
GUARD_STOCK = Function(
    "guard_stock",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  made bigint;
BEGIN
  IF NEW.kind = 'loaded' AND NEW.voided_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM public.{LOADED} l WHERE l.movement_id = NEW.id AND l.voided_at IS NULL) THEN
    RAISE EXCEPTION 'what was loaded is voided first' USING ERRCODE = 'TS003';
  END IF;
  SELECT p.units_made INTO made FROM public.{LOTS} p WHERE p.id = NEW.lot_id FOR NO KEY UPDATE;
  IF trialsite.lot_units_left(NEW.lot_id, NEW.site_id) < 0 THEN
    RAISE EXCEPTION 'there are not so many units' USING ERRCODE = '{TOO_MANY}';
  END IF;
  IF trialsite.lot_units_out(NEW.lot_id) > made THEN
    RAISE EXCEPTION 'more units than were made' USING ERRCODE = '{MORE_THAN_MADE}';
  END IF;
  RETURN NULL;
END
""",
)

#: A lot is loaded while it is released and not expired. What was loaded before it was
#: stopped may still be entered, with the reason why so late: a recall must find it.
GUARD_LOADING = Function(
    "guard_loading",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  p record;
  at timestamptz;
  then_state text;
BEGIN
  SELECT t.state, t.expires_at INTO p FROM public.{LOTS} t WHERE t.id = NEW.lot_id
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NEW;  -- the foreign key refuses it
  END IF;
  -- Clocks at the bedside tell minutes: what was decided within the minute counts.
  SELECT date_trunc('minute', NEW.loaded_at) AT TIME ZONE s.time_zone INTO at
    FROM public.{SITES} s WHERE s.id = NEW.site_id;
  SELECT d.act INTO then_state FROM public.{DECISIONS} d
    WHERE d.lot_id = NEW.lot_id AND d.decided_at < at + interval '1 minute'
    ORDER BY d.number DESC LIMIT 1;
  IF then_state IS DISTINCT FROM 'release' OR at >= p.expires_at
     OR (p.state <> 'released' AND NEW.late_reason = '') THEN
    RAISE EXCEPTION 'this lot may not be loaded' USING ERRCODE = '{NOT_LOADABLE}';
  END IF;
  PERFORM 1 FROM public.{MOVEMENTS} m
    WHERE m.id = NEW.movement_id AND m.kind = 'loaded' AND m.voided_at IS NULL
      AND (m.site_id, m.lot_id, m.units) = (NEW.site_id, NEW.lot_id, NEW.units);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'what is loaded leaves the stock' USING ERRCODE = '{TOO_MANY}';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def products() -> Iterable[Protection]:
    yield from (GUARD_LOT, GUARD_ONLY_VOIDED, UNITS_LEFT, UNITS_OUT, GUARD_STOCK, GUARD_LOADING)
    yield Trigger(LOTS, "guard_lot", "BEFORE INSERT OR UPDATE", "trialsite.guard_lot")
    for table in (TESTS, MOVEMENTS):
        yield Trigger(
            table, "guard_voided", "BEFORE INSERT OR UPDATE", "trialsite.guard_only_voided"
        )
    yield Trigger(
        LOADED,
        "guard_voided",
        "BEFORE INSERT OR UPDATE",
        "trialsite.guard_only_voided",
        ("site_id", "confirmed"),
    )
    yield Trigger(MOVEMENTS, "guard_stock", "AFTER INSERT OR UPDATE", "trialsite.guard_stock")
    yield Trigger(LOADED, "guard_loading", "BEFORE INSERT", "trialsite.guard_loading")
    yield Trigger(LOADED, "guard_entry", "BEFORE INSERT OR UPDATE", "trialsite.guard_entry")
    yield same_site(LOADED, record=True)
