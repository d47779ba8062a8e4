"""What PostgreSQL itself holds of shipments.

A parcel goes one way: packed, handed over, received, closed. Nothing is packed for abroad
without a permission in force where the protocol asks for one, what is packed stands in one
open parcel, custody and manifest say the same, and no parcel is closed over an open line.
"""

from __future__ import annotations

from collections.abc import Iterable

from samples.guards import ALIQUOTS, EVENTS, IN_A_PARCEL, NO_SUCH_STEP, SITES
from samples.models import ExportPermission, Shipment, ShipmentLine
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import APP, protect

SHIPMENTS, LINES, PERMISSIONS = (
    model._meta.db_table for model in (Shipment, ShipmentLine, ExportPermission)
)

#: The parcel is not where this can be done; no permission is in force; lines are open.
NOT_SO_FAR, NOT_PERMITTED, LINES_OPEN = "TS064", "TS065", "TS066"

_PLAIN = r"lower(btrim(regexp_replace({name}, '\s+', ' ', 'g')))"
_UNPERMITTED = f"""parcel.needs_permission AND NOT EXISTS (
      SELECT 1 FROM public.{PERMISSIONS} p WHERE p.id = parcel.permission_id
        AND {_PLAIN.format(name="p.recipient")} = {_PLAIN.format(name="parcel.destination")}
        AND p.revoked_at IS NULL AND on_day BETWEEN p.valid_from AND p.valid_until)"""

#: Neither received nor explained. A missing line has its explanation by a constraint.
_DISCREPANT = (
    "({row}.state = 'received' AND {row}.explanation = '' "
    "AND ({row}.unexpected OR {row}.condition <> 'intact'))"
)
_OPEN = f"({{row}}.state = 'packed' OR {_DISCREPANT})"

#: How many lines of a parcel are packed, and how many discrepancies are to be explained,
#: whosever samples they are: two numbers, and nothing else of another site. It widens the
#: sites as `box_taken` does, so that no line is overlooked that the reader does not see.
OPEN_LINES = Function(
    "open_lines",
    arguments="parcel uuid",
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
  SELECT ARRAY[count(*) FILTER (WHERE l.state = 'packed'),
               count(*) FILTER (WHERE {_DISCREPANT.format(row="l")})]::integer[] INTO found
    FROM public.{LINES} l WHERE l.shipment_id = open_lines.parcel;
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
""",
)

#: Custody of a parcel follows its manifest: the line is written first.
GUARD_MANIFEST = Function(
    "guard_manifest",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  in_parcel uuid;
  wanted text := CASE NEW.kind WHEN 'unpacked' THEN 'unpacked'
                               WHEN 'arrived' THEN 'received'
                               WHEN 'condition' THEN 'received' ELSE 'packed' END;
BEGIN
  IF NEW.kind NOT IN ('packed', 'unpacked', 'shipped', 'arrived', 'condition') THEN
    RETURN NEW;
  END IF;
  SELECT a.shipment_id INTO in_parcel FROM public.{ALIQUOTS} a WHERE a.id = NEW.aliquot_id;
  PERFORM 1 FROM public.{LINES} l JOIN public.{SHIPMENTS} s ON s.id = l.shipment_id
    WHERE l.shipment_id = NEW.shipment_id AND l.aliquot_id = NEW.aliquot_id
      AND l.state = wanted AND (NEW.kind <> 'shipped' OR s.state = 'sent');
  IF NOT FOUND OR (NEW.kind IN ('unpacked', 'shipped', 'condition')
                   AND in_parcel IS DISTINCT FROM NEW.shipment_id) THEN
    RAISE EXCEPTION 'the manifest says otherwise' USING ERRCODE = '{NO_SUCH_STEP}';
  END IF;
  RETURN NEW;
END
""",
)

GUARD_LINE = Function(
    "guard_shipment_line",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  parcel record;
  on_day date;
  explained_anew boolean;
BEGIN
  IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'site_id') = (to_jsonb(OLD) - 'site_id') THEN
    -- It goes along with its subject; an open line does not, or the site would lose sight
    -- of what is missing in its parcel.
    IF NEW.site_id <> OLD.site_id AND {_OPEN.format(row="OLD")} THEN
      RAISE EXCEPTION 'a line of a parcel is open' USING ERRCODE = '{IN_A_PARCEL}';
    END IF;
    RETURN NEW;
  END IF;
  SELECT s.* INTO parcel FROM public.{SHIPMENTS} s WHERE s.id = NEW.shipment_id FOR SHARE;
  IF NOT FOUND THEN
    RETURN NEW;  -- the foreign key refuses it
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.unexpected THEN
      IF parcel.state NOT IN ('sent', 'received') THEN
        RAISE EXCEPTION 'nothing comes out of it now' USING ERRCODE = '{NOT_SO_FAR}';
      END IF;
      RETURN NEW;
    END IF;
    IF parcel.state <> 'packing' OR NEW.state <> 'packed' OR NEW.explanation <> ''
       OR parcel.site_id <> NEW.site_id THEN
      RAISE EXCEPTION 'it is not being packed' USING ERRCODE = '{NOT_SO_FAR}';
    END IF;
    on_day := (NEW.added_at AT TIME ZONE parcel.time_zone)::date;
    IF {_UNPERMITTED} THEN
      RAISE EXCEPTION 'no permission is in force' USING ERRCODE = '{NOT_PERMITTED}';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.shipment_id, OLD.number, OLD.aliquot_id, OLD.subject_id, OLD.code, OLD.unexpected,
      OLD.box_id, OLD."position", OLD.in_box, OLD.added_by_id, OLD.added_at)
     IS DISTINCT FROM
     (NEW.shipment_id, NEW.number, NEW.aliquot_id, NEW.subject_id, NEW.code, NEW.unexpected,
      NEW.box_id, NEW."position", NEW.in_box, NEW.added_by_id, NEW.added_at)
     OR (OLD.explanation <> '' AND NEW.explanation = '') THEN
    RAISE EXCEPTION 'a line stays what it is' USING ERRCODE = 'TS003';
  END IF;
  explained_anew := NEW.explanation <> '' AND (NEW.explanation, NEW.explained_at)
    IS DISTINCT FROM (OLD.explanation, OLD.explained_at);
  IF NOT (CASE OLD.state || ' ' || NEW.state
      WHEN 'packed unpacked' THEN parcel.state = 'packing'
      WHEN 'packed received' THEN parcel.state IN ('sent', 'received')
      WHEN 'packed missing' THEN parcel.state IN ('sent', 'received')
      -- Received by mistake; its line is missing for a reason of its own.
      WHEN 'received missing' THEN parcel.state IN ('sent', 'received') AND explained_anew
      WHEN 'missing received' THEN parcel.state IN ('sent', 'received', 'closed')
        AND (NEW.condition = 'intact' OR explained_anew)
      WHEN 'received received' THEN parcel.state IN ('sent', 'received')
        OR (OLD.condition, OLD.received_at) = (NEW.condition, NEW.received_at)
      ELSE OLD.state = NEW.state END) THEN
    RAISE EXCEPTION 'not so far' USING ERRCODE = '{NOT_SO_FAR}';
  END IF;
  RETURN NEW;
END
""",
)

GUARD_SHIPMENT = Function(
    "guard_shipment",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  parcel record;
  on_day date;
  open_lines integer[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'packing' THEN
      RAISE EXCEPTION 'a parcel begins empty' USING ERRCODE = '{NOT_SO_FAR}';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.site_id, OLD.code, OLD.destination, OLD.purpose, OLD.abroad, OLD.genetic,
      OLD.future_use, OLD.needs_permission, OLD.time_zone)
     IS DISTINCT FROM
     (NEW.site_id, NEW.code, NEW.destination, NEW.purpose, NEW.abroad, NEW.genetic,
      NEW.future_use, NEW.needs_permission, NEW.time_zone)
     OR (OLD.state <> 'packing' AND OLD.permission_id IS DISTINCT FROM NEW.permission_id) THEN
    RAISE EXCEPTION 'a parcel stays what it is' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.state = NEW.state THEN
    RETURN NEW;
  END IF;
  IF (OLD.state, NEW.state) NOT IN (('packing', 'sent'), ('packing', 'cancelled'),
      ('sent', 'received'), ('sent', 'closed'), ('received', 'closed')) THEN
    RAISE EXCEPTION 'not so far' USING ERRCODE = '{NOT_SO_FAR}';
  END IF;
  IF NEW.state = 'sent' THEN
    parcel := NEW;
    on_day := NEW.sent_at::date;
    IF {_UNPERMITTED} THEN
      RAISE EXCEPTION 'no permission is in force' USING ERRCODE = '{NOT_PERMITTED}';
    END IF;
  END IF;
  open_lines := trialsite.open_lines(NEW.id);
  IF ((NEW.state = 'sent') IS DISTINCT FROM (open_lines[1] > 0) AND NEW.state <> 'received')
     OR (NEW.state = 'closed' AND open_lines[2] > 0) THEN
    RAISE EXCEPTION 'lines are open' USING ERRCODE = '{LINES_OPEN}';
  END IF;
  RETURN NEW;
END
""",
)

#: At the end of the transaction the other way round: what a line says has happened to its
#: aliquot stands in the custody log. A line that was received, or is missing, of what had
#: come to its end or gone elsewhere before has no event of its own: nothing happens to that.
#: Sites are widened as for `open_lines`, so that it holds in whoever's name the work is done.
GUARD_AGREEMENT = Function(
    "guard_manifest_agrees",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  callers text := coalesce(current_setting('trialsite.sites', true), '');
  wrong text;
  of_parcel uuid := CASE TG_TABLE_NAME WHEN '{SHIPMENTS}' THEN NEW.id END;
  of_line uuid := CASE TG_TABLE_NAME WHEN '{LINES}' THEN NEW.id END;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state = NEW.state THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('trialsite.sites',
    coalesce((SELECT array_agg(t.id)::text FROM public.{SITES} t), '{{}}'), true);
  SELECT l.code INTO wrong
    FROM public.{LINES} l JOIN public.{SHIPMENTS} s ON s.id = l.shipment_id
         JOIN public.{ALIQUOTS} a ON a.id = l.aliquot_id
         CROSS JOIN LATERAL (
           SELECT coalesce(array_agg(e.kind), '{{}}') AS kinds FROM public.{EVENTS} e
           WHERE e.aliquot_id = l.aliquot_id AND e.shipment_id = l.shipment_id) log
    WHERE (l.shipment_id = of_parcel OR l.id = of_line)
      AND NOT (
        (l.unexpected OR 'packed' = ANY (log.kinds))
        AND (l.unexpected OR l.state = 'unpacked' OR s.state IN ('packing', 'cancelled')
             OR 'shipped' = ANY (log.kinds))
        AND CASE l.state
          WHEN 'unpacked' THEN a.state <> 'packed' OR a.shipment_id <> l.shipment_id
            OR EXISTS (SELECT 1 FROM public.{LINES} again WHERE again.aliquot_id = l.aliquot_id
                       AND again.shipment_id = l.shipment_id AND again.state = 'packed')
          WHEN 'missing' THEN a.shipment_id IS DISTINCT FROM l.shipment_id
          WHEN 'received' THEN 'arrived' = ANY (log.kinds)
            OR ((l.unexpected OR l.condition <> 'intact')
                AND a.state IN ('packed', 'away', 'used', 'discarded', 'destroyed'))
          ELSE true END)
    LIMIT 1;
  PERFORM set_config('trialsite.sites', callers, true);
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the custody log says otherwise of %', wrong
      USING ERRCODE = '{NO_SUCH_STEP}';
  END IF;
  RETURN NULL;
END
""",
)

#: A permission is recorded once; it can only be said to count no longer.
GUARD_PERMISSION = Function(
    "guard_export_permission",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF OLD.revoked_at IS NOT NULL
     OR (to_jsonb(NEW) - '{revoked_at,revoked_by_id,revoke_reason}'::text[]) IS DISTINCT FROM
        (to_jsonb(OLD) - '{revoked_at,revoked_by_id,revoke_reason}'::text[]) THEN
    RAISE EXCEPTION 'a permission stays what it is' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def shipments() -> Iterable[Protection]:
    yield from (OPEN_LINES, GUARD_MANIFEST, GUARD_AGREEMENT)
    yield from (GUARD_LINE, GUARD_SHIPMENT, GUARD_PERMISSION)
    yield same_site(LINES)
    yield Check(
        LINES,
        f"{LINES}_same_aliquot",
        f"FOREIGN KEY (site_id, subject_id, aliquot_id) REFERENCES public.{ALIQUOTS} "
        "(site_id, subject_id, id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )
    yield Check(
        SHIPMENTS,
        f"{SHIPMENTS}_same_place",
        f"FOREIGN KEY (site_id, permission_id) REFERENCES public.{PERMISSIONS} (site_id, id)",
    )
    # Between the order of events and the moving of the aliquot.
    yield Trigger(EVENTS, "custody_2_manifest", "BEFORE INSERT", "trialsite.guard_manifest")
    for table, name, when in (
        (LINES, "guard_shipment_line", "BEFORE INSERT OR UPDATE"),
        (SHIPMENTS, "guard_shipment", "BEFORE INSERT OR UPDATE"),
        (PERMISSIONS, "guard_export_permission", "BEFORE UPDATE"),
    ):
        yield Trigger(table, name, when, f"trialsite.{name}")
    for table, when in (
        (LINES, "AFTER INSERT OR UPDATE"),
        (SHIPMENTS, "AFTER UPDATE"),
    ):
        yield Trigger(
            table, "manifest_agrees", when, "trialsite.guard_manifest_agrees", deferred=True
        )
