"""When an observation can have been made: not before its time, and of a person who was alive.

One place for every form. An item that says `observed` tells something of the living person;
one that says `past` merely something that has happened (a death, a report).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Any

from django.db import connection

from trialsite.casebook.models import Subject
from trialsite.casebook.moments import after_death, not_yet
from trialsite.core.clock import trial_now
from trialsite.crf.items import items_of
from trialsite.crf.models import ItemData
from trialsite.crf.violations import ImpossibleError


def expect_possible(row: ItemData, changed: Collection[str]) -> None:
    """Refuse times that cannot be (decisions C1, C10), beside the item that says them.

    Only what changes is asked: after a death that came to light late, the other items of an
    earlier row can still be corrected.
    """
    times = {
        name: (item, value)
        for name, item in items_of(type(row)).items()
        if (item.past or item.observed)
        and name in changed
        and (value := getattr(row, name)) is not None
    }
    if not times:
        return
    now = trial_now()
    errors = {name: not_yet(value, row.time_zone, now) for name, (_item, value) in times.items()}
    observed = {name: value for name, (item, value) in times.items() if item.observed}
    if observed:
        died_on = _died_on(row.subject_id)
        for name, value in observed.items():
            errors[name] = errors[name] or after_death(died_on, _first_day(value))
    if any(errors.values()):
        raise ImpossibleError({name: [text] for name, text in errors.items() if text})


def _first_day(value: Any) -> dt.date:
    """The earliest day that a time, a date or a partial date leaves possible."""
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else value.earliest


def _died_on(subject_id: uuid.UUID) -> str:
    """The date of death as it stands until this transaction ends: a death waits for the save."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT died_on FROM {Subject._meta.db_table} WHERE id = %s FOR SHARE", [subject_id]
        )
        return str(cursor.fetchone()[0])
