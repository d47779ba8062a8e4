"""Reads over sessions: those of a subject, their minutes, what one still lacks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import QuerySet

from trialsite.access.models import User
from trialsite.casebook.models import Subject
from visits.effective import Minutes, Pause, minutes_between
from visits.models import Interruption, TreatmentSession

_People = ("operator", "second_checker", "physician")


def sessions_of(user: User) -> QuerySet[TreatmentSession]:
    """The sessions this person may see, voided ones too, with what heads them."""
    return (
        TreatmentSession.objects.visible_to(user)
        .select_related("site", "subject__site", "record__visit", *_People)
        .order_by("site__code", "subject__screening_number", "number", "pk")
    )


def pauses_of(sessions: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Pause]]:
    """The standing interruptions of sessions; one query however many they are."""
    found: dict[uuid.UUID, list[Pause]] = defaultdict(list)
    rows = Interruption.objects.filter(
        record_id__in=sessions, voided_at=None, off_at__isnull=False
    ).values_list("record_id", "off_at", "on_at")
    for record_id, off_at, on_at in rows:
        found[record_id].append((off_at, on_at))
    return found


def minutes_of(session: TreatmentSession, pauses: Iterable[Pause] | None = None) -> Minutes:
    """Circuit, effective and contact minutes of a session; those that have not ended: None."""
    if pauses is None:
        pauses = pauses_of([session.pk])[session.pk]
    return minutes_between(
        zone=session.time_zone,
        started_at=session.started_at,
        cells_on_at=session.cells_on_at,
        cells_off_at=session.cells_off_at,
        ended_at=session.ended_at,
        interruptions=pauses,
    )


def last_ended(subject: Subject, *, before: dt.datetime | None = None) -> TreatmentSession | None:
    """The standing session that ended last, of those started before a time on the clock."""
    ended = TreatmentSession.objects.started().filter(subject=subject, ended_at__isnull=False)
    if before is not None:
        ended = ended.filter(started_at__lt=before)
    return ended.order_by("-ended_at").first()


def prepared_session(subject: Subject) -> TreatmentSession | None:
    """The session that is prepared next, if there is one."""
    waiting = TreatmentSession.objects.standing().filter(subject=subject, started_at=None)
    return waiting.select_related("record", "subject__site").order_by("number").first()


def running_session(subject: Subject) -> TreatmentSession | None:
    """The session that runs now."""
    return TreatmentSession.objects.running().filter(subject=subject).first()
