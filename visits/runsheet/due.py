"""Which readings the protocol expects when, and which reading answers which of them."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from trialsite.protocol.sessions import ReadingSchedule
from visits.models import SessionReading, TreatmentSession

MINUTE = dt.timedelta(minutes=1)
#: `s30` thirty minutes from the start, `e120` two hours after the end, `x7-0` one more.
_SLOT = re.compile(r"(s|e)(-?\d{1,5})(\.\d{1,3})?|x\d{1,10}-\d{1,4}")


@dataclass(frozen=True, slots=True)
class Due:
    """One expected reading."""

    slot: str
    #: Minutes from the start of the circuit.
    minute: int
    word: str
    at: dt.datetime | None

    @property
    def is_named(self) -> bool:
        """Whether its word says more than its time: the start, the end and after it."""
        return self.slot == "s0" or self.slot.startswith("e")


def duration_of(session: TreatmentSession) -> int:
    """Minutes from start to end: as it was, before that as prescribed."""
    if session.started_at is None or session.ended_at is None:
        return session.planned_minutes
    return int((session.ended_at - session.started_at) // MINUTE)


def due_readings(session: TreatmentSession, schedule: ReadingSchedule) -> list[Due]:
    """What the protocol expects of this session, in order."""
    duration = duration_of(session)
    after = {duration + minute: minute for minute in (0, *schedule.after_end)}
    return [
        _due(session, minute, after.get(minute) if minute >= duration else None)
        for minute in schedule.due_minutes(duration)
    ]


def _due(session: TreatmentSession, minute: int, after_end: int | None) -> Due:
    at = session.started_at + minute * MINUTE if session.started_at else None
    if after_end is not None:
        word = _("end") if after_end == 0 else _("end + %(time)s") % {"time": _spell(after_end)}
        return Due(f"e{after_end}", minute, word, at)
    word = _("start") if minute == 0 else _spell(minute)
    return Due(f"s{minute}", minute, word, at)


def _spell(minutes: int) -> str:
    """`−15 min`, `1 h 30`, `24 h`."""
    if abs(minutes) < 60:
        return _("%(n)s min") % {"n": f"−{-minutes}" if minutes < 0 else minutes}
    hours, rest = divmod(minutes, 60)
    return _("%(n)d h") % {"n": hours} + (f" {rest:02d}" if rest else "")


def id_of(session: TreatmentSession, slot: str) -> uuid.UUID:
    """The key a reading of this slot is stored under, whoever enters it first: a save that
    is repeated after a lost answer, or made by two people at once, makes one row."""
    return uuid.uuid5(session.pk, f"{SessionReading.group_oid}/{slot}")


def is_slot(text: str) -> bool:
    """Whether a posted text can name a slot."""
    return bool(_SLOT.fullmatch(text))


def minute_of(session: TreatmentSession, slot: str) -> int | None:
    """The planned minute of a slot; an additional reading has none."""
    found = _SLOT.fullmatch(slot)
    if found is None or found[1] is None:
        return None
    return int(found[2]) + (duration_of(session) if found[1] == "e" else 0)


def free_slot(session: TreatmentSession, slot: str, taken: set[uuid.UUID]) -> str:
    """The slot, or its next edition where a voided reading holds the key."""
    edition, name = 0, slot
    while id_of(session, name) in taken:
        edition += 1
        name = f"{slot}.{edition}"
    return name


def spare_slots(
    session: TreatmentSession, person: int, taken: set[uuid.UUID], count: int
) -> list[str]:
    """Slots for additional readings of one person; another person's never collide with them."""
    found: list[str] = []
    n = 0
    while len(found) < count:
        slot = f"x{person}-{n}"
        if id_of(session, slot) not in taken:
            found.append(slot)
        n += 1
    return found


def paired(
    due: Sequence[Due], rows: Iterable[SessionReading], within: int
) -> tuple[dict[str, SessionReading], list[SessionReading]]:
    """Slot -> the reading that answers it, and the readings nobody expected.

    A reading answers the minute it was entered for; one entered otherwise answers the
    nearest free minute, no further away than `within`.
    """
    free = {each.minute: each for each in due}
    answers: dict[str, SessionReading] = {}
    others: list[SessionReading] = []
    for row in rows:
        found = free.pop(row.planned_minute, None) if row.planned_minute is not None else None
        if found is None:
            others.append(row)
        else:
            answers[found.slot] = row
    extra: list[SessionReading] = []
    for row in others:
        near = _nearest(row, free.values(), within)
        if near is None:
            extra.append(row)
        else:
            answers[near.slot] = row
            del free[near.minute]
    return answers, extra


def _nearest(row: SessionReading, due: Iterable[Due], within: int) -> Due | None:
    at = row.observed_at
    if at is None:
        return None
    near = [each for each in due if each.at and abs(each.at - at) <= within * MINUTE]
    return min(near, key=lambda each: abs(each.at - at), default=None)
