"""What PostgreSQL itself holds of samples, whoever writes and by whatever road.

A sample's state is what its custody log says: an event is the only way to it. The event
waits for the sample's row, is numbered, refused where it cannot happen, and moves the
sample on in the same statement. So nothing happens after a destruction, no position holds
two, and two people at one aliquot meet here and one of them waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from samples.models import (
    ALIQUOT_STEPS,
    SPECIMEN_STEPS,
    Aliquot,
    Box,
    BoxMove,
    CustodyEvent,
    Freezer,
    LabelPrint,
    NotCollected,
    Rack,
    Shipment,
    ShipmentLine,
    Specimen,
)
from trialsite.access.models import Site
from trialsite.casebook.guards import VISITS, same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import APP, protect

(
    SPECIMENS,
    ALIQUOTS,
    EVENTS,
    NOT_COLLECTED,
    LABELS,
    FREEZERS,
    RACKS,
    BOXES,
    MOVES,
    SITES,
    SHIPMENTS,
    LINES,
) = (
    model._meta.db_table
    for model in (
        Specimen,
        Aliquot,
        CustodyEvent,
        NotCollected,
        LabelPrint,
        Freezer,
        Rack,
        Box,
        BoxMove,
        Site,
        Shipment,
        ShipmentLine,
    )
)

#: It cannot happen to a sample in this state; it cannot have been then; there is no such
#: position; the sample is voided; nobody saw it destroyed.
NO_SUCH_STEP, OUT_OF_ORDER, NO_POSITION, VOIDED = "TS060", "TS061", "TS062", "TS063"
UNWITNESSED = "TS069"
#: Its sample is in a parcel: the participant does not change the site meanwhile.
IN_A_PARCEL = "TS070"


def _steps(table: Mapping[tuple[str, str], str]) -> str:
    cases = " ".join(f"WHEN '{state} {kind}' THEN '{to}'" for (state, kind), to in table.items())
    return f"CASE own.state || ' ' || NEW.kind {cases} END"


#: When an event was, by its last correction.
_EFFECTIVE = (
    f"coalesce((SELECT c.moment FROM public.{EVENTS} c WHERE c.corrects_id = e.id "
    "ORDER BY c.number DESC LIMIT 1), e.moment)"
)
_SAME_SAMPLE = (
    "e.specimen_id = NEW.specimen_id AND (e.aliquot_id = NEW.aliquot_id "
    "OR (e.aliquot_id IS NULL AND NEW.aliquot_id IS NULL))"
)

#: First: the row of the sample is locked, so that what happens to one sample happens one by
#: one; the event gets its number, and nothing is dated before what has happened already.
GUARD_CUSTODY = Function(
    "guard_custody",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  target record;
  last record;
BEGIN
  NEW.moment := NEW.happened_at AT TIME ZONE NEW.time_zone;
  IF NEW.aliquot_id IS NULL THEN
    PERFORM 1 FROM public.{SPECIMENS} x WHERE x.id = NEW.specimen_id FOR NO KEY UPDATE;
  ELSE
    PERFORM 1 FROM public.{ALIQUOTS} x WHERE x.id = NEW.aliquot_id
      AND x.specimen_id = NEW.specimen_id FOR NO KEY UPDATE;
  END IF;
  IF EXISTS (SELECT 1 FROM public.{SPECIMENS} x
             WHERE x.id = NEW.specimen_id AND x.voided_at IS NOT NULL) THEN
    RAISE EXCEPTION 'the specimen is voided' USING ERRCODE = '{VOIDED}';
  END IF;
  -- Only what has left the site is destroyed without a witness: the recipient confirms it.
  IF NEW.kind = 'destroyed' AND NEW.witness_id IS NULL AND NOT EXISTS (
      SELECT 1 FROM public.{ALIQUOTS} x WHERE x.id = NEW.aliquot_id
        AND (x.state IN ('shipped', 'away')
             OR (x.state = 'thawed' AND x.shipment_id IS NOT NULL))) THEN
    RAISE EXCEPTION 'nobody saw it destroyed' USING ERRCODE = '{UNWITNESSED}';
  END IF;
  SELECT coalesce(max(e.number), 0) AS number,
         max({_EFFECTIVE})
           FILTER (WHERE e.kind NOT IN ('corrected', 'excursion')) AS moment
    INTO last FROM public.{EVENTS} e WHERE {_SAME_SAMPLE};
  NEW.number := last.number + 1;
  IF NEW.kind <> 'corrected' THEN
    -- That it was too warm is found out later: it is no step on its way.
    IF NEW.moment < last.moment AND NEW.kind <> 'excursion' THEN
      RAISE EXCEPTION 'something later has happened' USING ERRCODE = '{OUT_OF_ORDER}';
    END IF;
    RETURN NEW;
  END IF;
  SELECT e.number, e.kind INTO target FROM public.{EVENTS} e
    WHERE e.id = NEW.corrects_id AND e.kind <> 'corrected' AND {_SAME_SAMPLE};
  IF NOT FOUND THEN
    RAISE EXCEPTION 'it corrects an event of this sample' USING ERRCODE = '{NO_SUCH_STEP}';
  END IF;
  PERFORM 1 FROM public.{EVENTS} e WHERE {_SAME_SAMPLE} AND target.kind <> 'excursion'
    AND e.kind NOT IN ('corrected', 'excursion')
    AND ((e.number < target.number AND {_EFFECTIVE} > NEW.moment)
      OR (e.number > target.number AND {_EFFECTIVE} < NEW.moment));
  IF FOUND THEN
    RAISE EXCEPTION 'it would not be in order' USING ERRCODE = '{OUT_OF_ORDER}';
  END IF;
  RETURN NEW;
END
""",
)

#: Then a specimen goes on, or its times are put right.
MOVE_SPECIMEN = Function(
    "move_specimen",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  own record;
  following text;
  of_what text := NEW.kind;
BEGIN
  IF NEW.aliquot_id IS NOT NULL THEN
    RETURN NEW;
  END IF;
  -- Its own times are all on the clock of its label's zone, wherever they were read.
  SELECT x.state, x.received_at, x.centrifuged_at,
         NEW.moment AT TIME ZONE x.time_zone AS wall INTO own
    FROM public.{SPECIMENS} x WHERE x.id = NEW.specimen_id;
  IF NOT FOUND THEN
    RETURN NEW;  -- the foreign key refuses it
  END IF;
  following := {_steps(SPECIMEN_STEPS)};
  IF NEW.kind = 'found' AND own.state = 'lost' THEN
    following := CASE WHEN own.centrifuged_at IS NOT NULL THEN 'processed'
                      WHEN own.received_at IS NOT NULL THEN 'received' ELSE 'collected' END;
  END IF;
  IF NEW.kind = 'corrected' AND own.state NOT IN ('discarded', 'destroyed') THEN
    following := own.state;
    SELECT e.kind INTO of_what FROM public.{EVENTS} e WHERE e.id = NEW.corrects_id;
    IF of_what = 'aliquoted' AND EXISTS (SELECT 1 FROM public.{EVENTS} e
        WHERE e.specimen_id = NEW.specimen_id AND e.aliquot_id IS NOT NULL
          AND {_EFFECTIVE} < NEW.moment) THEN
      RAISE EXCEPTION 'an aliquot has gone on earlier' USING ERRCODE = '{OUT_OF_ORDER}';
    END IF;
  END IF;
  IF following IS NULL THEN
    RAISE EXCEPTION 'this cannot happen to it' USING ERRCODE = '{NO_SUCH_STEP}';
  END IF;
  UPDATE public.{SPECIMENS} x SET state = following,
      collected_at = CASE of_what WHEN 'collected' THEN own.wall ELSE x.collected_at END,
      received_at = CASE of_what WHEN 'received' THEN own.wall ELSE x.received_at END,
      centrifuged_at = CASE of_what WHEN 'processed' THEN own.wall
                                    ELSE x.centrifuged_at END,
      aliquoted_at = CASE of_what WHEN 'aliquoted' THEN own.wall ELSE x.aliquoted_at END
    WHERE x.id = NEW.specimen_id;
  RETURN NEW;
END
""",
)

#: The same of an aliquot: where it is, what is left of it, how often it was thawed.
MOVE_ALIQUOT = Function(
    "move_aliquot",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  own record;
  cells integer;
  following text;
  before text;
  parcel uuid;
  first_frozen boolean := NEW.kind = 'stored';
BEGIN
  SELECT x.state, x.volume, x.frozen_at, s.aliquoted_at AT TIME ZONE s.time_zone AS made INTO own
    FROM public.{ALIQUOTS} x JOIN public.{SPECIMENS} s ON s.id = x.specimen_id
    WHERE x.id = NEW.aliquot_id;
  IF NOT FOUND THEN
    RETURN NEW;
  END IF;
  following := {_steps(ALIQUOT_STEPS)};
  IF NEW.kind = 'found' AND own.state = 'lost' THEN
    -- As it was when it was lost: never frozen, thawed, elsewhere, or frozen out of its box.
    SELECT e.kind, e.shipment_id INTO before, parcel FROM public.{EVENTS} e
      WHERE e.aliquot_id = NEW.aliquot_id
        AND e.kind IN ('stored', 'refrozen', 'thawed', 'packed', 'unpacked', 'shipped', 'arrived')
      ORDER BY e.number DESC LIMIT 1;
    following := CASE WHEN before IS NULL THEN 'made' WHEN before = 'thawed' THEN 'thawed'
                      -- Received by mistake it was not there: its line is missing.
                      WHEN before = 'arrived' AND EXISTS (SELECT 1 FROM public.{LINES} l
                        WHERE l.shipment_id = parcel AND l.aliquot_id = NEW.aliquot_id
                          AND l.state = 'received') THEN 'away' ELSE 'held' END;
  END IF;
  first_frozen := first_frozen AND own.frozen_at IS NULL;
  IF NEW.kind = 'corrected' AND own.state NOT IN ('used', 'discarded', 'destroyed') THEN
    following := own.state;
    SELECT NOT EXISTS (SELECT 1 FROM public.{EVENTS} e WHERE e.aliquot_id = NEW.aliquot_id
                         AND e.kind = 'stored' AND e.number < f.number) AND f.kind = 'stored'
      INTO first_frozen FROM public.{EVENTS} f WHERE f.id = NEW.corrects_id;
  END IF;
  IF following IS NULL OR (NEW.kind = 'analysed' AND NEW.amount > own.volume) THEN
    RAISE EXCEPTION 'this cannot happen to it' USING ERRCODE = '{NO_SUCH_STEP}';
  END IF;
  IF NEW.moment < own.made THEN
    RAISE EXCEPTION 'it was made later' USING ERRCODE = '{OUT_OF_ORDER}';
  END IF;
  IF NEW.box_id IS NOT NULL THEN
    SELECT b.rows * b.columns INTO cells FROM public.{BOXES} b
      WHERE b.id = NEW.box_id AND NOT b.closed AND b.shipment_id IS NULL FOR SHARE;
    IF NOT FOUND OR NEW.position > cells THEN
      RAISE EXCEPTION 'there is no such position' USING ERRCODE = '{NO_POSITION}';
    END IF;
  END IF;
  IF NEW.kind = 'analysed' AND own.volume = NEW.amount THEN
    following := 'used';
  END IF;
  UPDATE public.{ALIQUOTS} x SET state = following,
      box_id = CASE following WHEN 'stored' THEN coalesce(NEW.box_id, x.box_id) END,
      "position" = CASE following WHEN 'stored' THEN coalesce(NEW."position", x."position") END,
      shipment_id = CASE WHEN following IN ('packed', 'shipped', 'away', 'thawed')
                         THEN coalesce(NEW.shipment_id, x.shipment_id, parcel) END,
      thaws = x.thaws + CASE NEW.kind WHEN 'thawed' THEN 1 ELSE 0 END,
      volume = CASE NEW.kind WHEN 'analysed' THEN x.volume - coalesce(NEW.amount, 0)
                             WHEN 'used_up' THEN x.volume * 0
                             WHEN 'measured' THEN NEW.amount ELSE x.volume END,
      frozen_at = CASE WHEN first_frozen THEN NEW.happened_at ELSE x.frozen_at END,
      time_zone = CASE WHEN first_frozen THEN NEW.time_zone ELSE x.time_zone END
    WHERE x.id = NEW.aliquot_id;
  RETURN NEW;
END
""",
)

#: A rack has so many places; a box keeps its shape and its code. One in a parcel stays in it
#: while the parcel is on its way.
GUARD_BOX = Function(
    "guard_box",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.code, OLD.rows, OLD.columns, OLD.site_id) IS DISTINCT FROM
                          (NEW.code, NEW.rows, NEW.columns, NEW.site_id) THEN
    RAISE EXCEPTION 'a box keeps its shape' USING ERRCODE = 'TS003';
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.shipment_id IS DISTINCT FROM OLD.shipment_id AND EXISTS (
      SELECT 1 FROM public.{SHIPMENTS} s
      WHERE (s.id = OLD.shipment_id AND s.state = 'sent')
         OR (s.id = NEW.shipment_id AND s.state <> 'packing')) THEN
    RAISE EXCEPTION 'the parcel has left' USING ERRCODE = 'TS003';
  END IF;
  PERFORM 1 FROM public.{RACKS} r WHERE r.id = NEW.rack_id AND r.places < NEW.place;
  IF FOUND THEN
    RAISE EXCEPTION 'there is no such place' USING ERRCODE = '{NO_POSITION}';
  END IF;
  RETURN NEW;
END
""",
)

#: Which positions of a box are taken, by whosever samples: numbers, and nothing else of
#: another site (decisions D6). It widens the sites as `study_facts` does.
BOX_TAKEN = Function(
    "box_taken",
    arguments="box uuid",
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
  SELECT coalesce(array_agg(a."position"::integer), '{{}}') INTO found
    FROM public.{ALIQUOTS} a WHERE a.box_id = box_taken.box;
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)


def _within(table: str, parent: str, column: str) -> Check:
    """The composite key that keeps a thing in the site of what it stands in."""
    return Check(
        table,
        f"{table}_same_place",
        f"FOREIGN KEY (site_id, {column}) REFERENCES public.{parent} (site_id, id)",
    )


def _of_subject(table: str, name: str, parent: str, column: str) -> Check:
    """The composite key that keeps a row with its subject's own; carried along at a transfer."""
    return Check(
        table,
        f"{table}_{name}",
        f"FOREIGN KEY (site_id, subject_id, {column}) REFERENCES public.{parent} "
        "(site_id, subject_id, id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )


@protect
def samples() -> Iterable[Protection]:
    yield from (GUARD_CUSTODY, MOVE_SPECIMEN, MOVE_ALIQUOT)
    yield from (GUARD_BOX, BOX_TAKEN)
    for table in (SPECIMENS, ALIQUOTS, EVENTS, NOT_COLLECTED, LABELS):
        yield same_site(table)
    yield _of_subject(SPECIMENS, "same_visit", VISITS, "visit_id")
    yield _of_subject(NOT_COLLECTED, "same_visit", VISITS, "visit_id")
    for table in (ALIQUOTS, EVENTS, LABELS):
        yield _of_subject(table, "same_specimen", SPECIMENS, "specimen_id")
    yield _of_subject(EVENTS, "same_aliquot", ALIQUOTS, "aliquot_id")
    yield _within(RACKS, FREEZERS, "freezer_id")
    yield _within(BOXES, RACKS, "rack_id")
    yield _within(MOVES, BOXES, "box_id")
    yield Check(
        BOXES,
        f"{BOXES}_same_parcel",
        f"FOREIGN KEY (site_id, shipment_id) REFERENCES public.{SHIPMENTS} (site_id, id)",
    )
    # They fire in the order of their names.
    for name, function in (
        ("custody_1_order", "guard_custody"),
        ("custody_2_specimen", "move_specimen"),
        ("custody_3_aliquot", "move_aliquot"),
    ):
        yield Trigger(EVENTS, name, "BEFORE INSERT", f"trialsite.{function}")
    yield Trigger(BOXES, "guard_box", "BEFORE INSERT OR UPDATE", "trialsite.guard_box")
    yield Trigger(
        NOT_COLLECTED,
        "guard_voided",
        "BEFORE INSERT OR UPDATE",
        "trialsite.guard_only_voided",
        ("site_id",),
    )
