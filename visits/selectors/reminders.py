"""What will be said of a visit, to whom and when, and what was said.

The forecast is computed by the same functions by which reminders leave; nothing of it is
kept. A visit that moves, a death or a withdrawal changes it at once.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import get_language

from trialsite.access.capabilities import Role
from trialsite.casebook.models import Subject, Visit
from trialsite.casebook.models.visits import WAITING
from trialsite.casebook.protocols import protocol_of, visit_name
from trialsite.core.clock import trial_now
from trialsite.notify.models import By, Notice
from trialsite.protocol.reminders import ReminderRule
from visits.models import TreatmentSession
from visits.reminders.moments import Step, heard_by
from visits.reminders.planning import SESSION_KIND, VISIT_KIND
from visits.reminders.standing import (
    Key,
    followed,
    looked_at,
    steps_of_session,
    steps_of_visit,
)


@dataclass(frozen=True, slots=True)
class Ahead:
    """One reminder to come."""

    at: dt.datetime
    visit: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One reminder as it went to one person, or did not."""

    at: dt.datetime
    name: str
    reader: str
    state: str
    sent_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reminders:
    """Everything about the reminders of one visit."""

    ahead: list[Ahead]
    said: list[Said]


def reminders_of(visit: Visit, *, now: dt.datetime | None = None) -> Reminders:
    """What will be said and what was said of one visit; its sessions included."""
    return Reminders(ahead(visit, now=now), said(visit))


def ahead(about: Visit | Subject, *, now: dt.datetime | None = None) -> list[Ahead]:
    """The reminders still to come of a visit, or of all visits of a subject, in order."""
    moment = now or trial_now()
    subject = about if isinstance(about, Subject) else about.subject
    if not followed([subject], now=moment):
        return []
    visits = _visits_of(about)
    lines = [line for visit in visits for line in _lines(visit, steps_of_visit(visit), moment)]
    sessions = list(_sessions_of(about))
    looked = looked_at([session.pk for session in sessions])
    for session in sessions:
        found = session.record.visit
        if found is not None:
            lines += _lines(found, steps_of_session(session, looked.get(session.pk)), moment)
    return sorted(lines, key=lambda line: (line.at, line.visit))


def _visits_of(about: Visit | Subject) -> Iterable[Visit]:
    if isinstance(about, Visit):
        return [about]
    return about.visits.filter(status__in=WAITING).select_related("subject__site")


def _sessions_of(about: Visit | Subject) -> Iterable[TreatmentSession]:
    ended = TreatmentSession.objects.standing().filter(ended_at__isnull=False)
    mine = (
        ended.filter(record__visit=about)
        if isinstance(about, Visit)
        else ended.filter(subject=about)
    )
    return mine.select_related("record__visit", "subject__site")


def _lines(visit: Visit, steps: list[Step], now: dt.datetime) -> list[Ahead]:
    """One line for each reminder, with all who hear it."""
    hearers: dict[tuple[dt.datetime, str], list[str]] = defaultdict(list)
    rules: dict[str, ReminderRule] = {}
    for role in dict.fromkeys(role for step in steps for role in step.rule.roles):
        for step in heard_by(steps, [role]):
            if step.at > now:
                hearers[step.at, step.rule.key].append(role)
                rules[step.rule.key] = step.rule
    language = get_language() or ""
    return [
        Ahead(
            at=at,
            visit=visit_name(visit),
            name=rules[key].name.in_language(language),
            roles=tuple(str(Role(role).label) for role in roles),
        )
        for (at, key), roles in hearers.items()
    ]


def said(visit: Visit) -> list[Said]:
    """The log of a visit's reminders, person by person."""
    names = {
        rule.key: rule.name.in_language(get_language() or "")
        for rule in protocol_of(visit.protocol_version_id).reminders.rules
    }
    sessions = TreatmentSession.objects.filter(record__visit=visit).values("pk")
    known = Notice.objects.filter(
        kind__in=(VISIT_KIND, SESSION_KIND),
        object_id__in=[visit.pk, *(each["pk"] for each in sessions)],
        channel=By.MAIL,
    )
    return [
        Said(
            at=notice.due_at,
            name=names.get(Key.of(notice).rule, notice.kind),
            reader=notice.recipient.full_name if notice.recipient else "",
            state=notice.get_state_display(),
            sent_at=notice.sent_at,
        )
        for notice in known.select_related("recipient").order_by("due_at", "recipient__full_name")
    ]
