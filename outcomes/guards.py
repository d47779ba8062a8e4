"""What the database itself holds of outcomes."""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.models import AdverseEventOrigin
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect

ORIGINS = AdverseEventOrigin._meta.db_table

#: Where an event comes from is a fact; it can only end with its record.
GUARD_ORIGIN = Function(
    "guard_origin",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (OLD.session_id, OLD.complication_id, OLD.reading_id, OLD.result_id) IS DISTINCT FROM
     (NEW.session_id, NEW.complication_id, NEW.reading_id, NEW.result_id)
     OR OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'an origin stays what it is' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def outcomes() -> Iterable[Protection]:
    yield GUARD_ORIGIN
    yield same_site(ORIGINS, record=True)
    yield Trigger(ORIGINS, "guard_origin", "BEFORE UPDATE", "trialsite.guard_origin")
