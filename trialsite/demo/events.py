"""Adverse events of the demonstration that are not serious, as the nurses enter them."""

from __future__ import annotations

import datetime as dt
from functools import partial

from outcomes.models import AdverseEvent
from trialsite.casebook.services import open_record
from trialsite.demo.one import Befalls, One

_USUAL = {
    "started_time": "07:30",
    "serious": "false",
    "related_cells": "NOT RELATED",
    "related_circuit": "NOT RELATED",
    "related_anticoagulant": "NOT RELATED",
    "related_procedure": "NOT RELATED",
    "related_disease": "PROBABLE",
    "special_interest": "NONE",
    "pattern": "CONTINUOUS",
    "action": "DOSE NOT CHANGED",
    "action_device": "NONE",
}


def enter_event(
    one: One,
    *,
    term: str,
    grade: str,
    lasted: int | None,
    said: str,
    **texts: str,
) -> None:
    """An event of this morning some days ago, entered whole; None where it has not ended."""
    with one.entering() as today:
        record = open_record(subject=one.subject, form_oid=AdverseEvent.form_oid, by=one.nurse)
        began = today - dt.timedelta(days=lasted or 0)
        over = {
            "ongoing": "false",
            "ended_on": today.isoformat(),
            "ended_time": "08:00",
            "outcome": "RECOVERED/RESOLVED",
        }
        told = {
            "term": f"{term} (SYNTHETIC)",
            "description": f"{said} (SYNTHETIC)",
            "started_on": began.isoformat(),
            "grade": grade,
            **(
                {"ongoing": "true", "outcome": "NOT RECOVERED/NOT RESOLVED"}
                if lasted is None
                else over
            ),
        }
        one.save(record, AdverseEvent, _USUAL | told | texts)


#: By participant, what was noted beside the sessions' complications.
EVENTS: dict[str, tuple[Befalls, ...]] = {
    "first": (
        Befalls(
            5,
            12,
            partial(
                enter_event,
                term="Platelet count decreased",
                grade="2",
                lasted=4,
                said="Platelets fell after the first session and rose again",
                related_circuit="PROBABLE",
            ),
        ),
    ),
    "grafted": (
        Befalls(
            5,
            12,
            partial(
                enter_event,
                term="Pyrexia",
                grade="1",
                lasted=2,
                said="38.4 °C in the evening, cultures without growth",
                related_procedure="POSSIBLE",
            ),
        ),
    ),
    "weary": (
        Befalls(
            3,
            17,
            partial(
                enter_event,
                term="Pruritus",
                grade="1",
                lasted=3,
                said="Itching of the arms, emollient",
            ),
        ),
    ),
    "fails": (
        Befalls(
            7,
            12,
            partial(
                enter_event,
                term="Hepatic encephalopathy",
                grade="3",
                lasted=None,
                said="Lethargic since this morning, ammonia higher",
            ),
        ),
    ),
}
