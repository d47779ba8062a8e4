"""What an event was held for at an earlier moment, as the audit trail tells it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from outcomes.models import AdverseEvent, FurtherWord, SaeCase
from outcomes.models.sae import TAKEN_BACK
from outcomes.sae_clock import is_grave, is_suspected, suspects
from trialsite.audit.models import Event, Operation
from trialsite.casebook.models import CrfRecord

#: A sending is said to the minute: what was entered in that minute was known.
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The facts by which a report meets a clock, and the version of the event's form."""

    suspected: bool
    grave: bool
    taken_back: str
    version: int


def held_now(case: SaeCase, event: AdverseEvent) -> Held:
    """What the event is held for now."""
    return Held(
        suspected=is_suspected(event, case),
        grave=is_grave(event),
        taken_back=case.standing if case.is_taken_back else "",
        version=event.record.version,
    )


def held_at(case: SaeCase, event: AdverseEvent, sent_at: dt.datetime) -> Held:
    """What the event was held for at that moment; before the case there was nothing but what
    its first entry then said."""
    until = max(sent_at.replace(second=0, microsecond=0) + _MINUTE, case.opened_at + _MINUTE)
    then = _state(SaeCase, case.pk, until)
    said = AdverseEvent(**_read_by_rules(_state(AdverseEvent, event.pk, until)))
    words = FurtherWord.objects.filter(case=case, said_at__lt=until)
    suspicions = {str(then.get("suspected", "")), *words.values_list("suspected", flat=True)}
    standing = str(then.get("standing", ""))
    return Held(
        suspected=suspects(said, suspicions=suspicions, expedited=str(then.get("expedited", ""))),
        grave=is_grave(said),
        taken_back=standing if standing in TAKEN_BACK else "",
        version=int(_state(CrfRecord, event.pk, until).get("version", 0)),
    )


def _state(model: Any, key: object, until: dt.datetime) -> dict[str, Any]:
    """A row as the trail had it before a moment of the trial's clock."""
    events = Event.objects.filter(
        table_name=model._meta.db_table, row_id=str(key), trial_at__lt=until
    ).exclude(operation=Operation.ACT)
    state: dict[str, Any] = {}
    for new in events.order_by("eid").values_list("new", flat=True):
        state |= new or {}
    return state


def _read_by_rules(state: dict[str, Any]) -> dict[str, Any]:
    """Of an event's row what says how grave it is and what is suspected."""
    names = (
        "serious", "results_in_death", "life_threatening", "outcome", "grade", "expectedness",
        "related_cells", "related_circuit", "related_anticoagulant",
    )  # fmt: skip
    return {name: state.get(name) for name in names}
