"""What PostgreSQL itself holds of temperature excursions.

What was said of one stays: later only its end and its highest temperature are told, and that
it never was so. An aliquot on its list is the one its custody event is about.
"""

from __future__ import annotations

from collections.abc import Iterable

from samples.guards import ALIQUOTS, BOXES, EVENTS, FREEZERS, RACKS
from samples.models import ExcursionLine, StorageExcursion
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect

EXCURSIONS, LINES = (model._meta.db_table for model in (StorageExcursion, ExcursionLine))

GUARD_EXCURSION = Function(
    "guard_storage_excursion",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  told text[] := '{ended_at,celsius,voided_at,voided_by_id,void_reason,version}';
BEGIN
  IF OLD.voided_at IS NOT NULL AND to_jsonb(NEW) IS DISTINCT FROM to_jsonb(OLD) THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF (to_jsonb(NEW) - told) IS DISTINCT FROM (to_jsonb(OLD) - told)
     OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL) THEN
    RAISE EXCEPTION 'an excursion stays what it is' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

GUARD_LINE = Function(
    "guard_excursion_line",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF NEW.event_id IS NOT NULL THEN
    PERFORM 1 FROM public.{EVENTS} e WHERE e.id = NEW.event_id
      AND e.kind = 'excursion' AND e.aliquot_id = NEW.aliquot_id;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'its custody says nothing of it' USING ERRCODE = 'TS003';
    END IF;
  END IF;
  RETURN NEW;
END
""",
)


@protect
def excursions() -> Iterable[Protection]:
    yield from (GUARD_EXCURSION, GUARD_LINE)
    yield same_site(LINES)
    yield Check(
        LINES,
        f"{LINES}_same_aliquot",
        f"FOREIGN KEY (site_id, subject_id, aliquot_id) REFERENCES public.{ALIQUOTS} "
        "(site_id, subject_id, id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )
    for name, parent, column in (
        ("freezer", FREEZERS, "freezer_id"),
        ("rack", RACKS, "rack_id"),
        ("box", BOXES, "box_id"),
    ):
        yield Check(
            EXCURSIONS,
            f"{EXCURSIONS}_same_{name}",
            f"FOREIGN KEY (site_id, {column}) REFERENCES public.{parent} (site_id, id)",
        )
    yield Trigger(
        EXCURSIONS, "guard_storage_excursion", "BEFORE UPDATE", "trialsite.guard_storage_excursion"
    )
    yield Trigger(LINES, "guard_excursion_line", "BEFORE INSERT", "trialsite.guard_excursion_line")
