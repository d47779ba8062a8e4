"""The text of a reminder: the subject's number, the visit, its days, and where to read on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.casebook.models import Subject, Visit
from trialsite.casebook.protocols import visit_name
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail
from trialsite.protocol.reminders import ReminderRule
from visits.models import TreatmentSession
from visits.reminders.standing import Key, rules_of, session_rule


@dataclass(frozen=True, slots=True)
class Reminded:
    """What a notice is about, as far as its text may tell."""

    subject: Subject
    rule: ReminderRule
    #: The day it was planned for, and today, both at the site.
    day: dt.date
    today: dt.date
    visit: Visit | None = None
    session: TreatmentSession | None = None


def of_visits(notices: list[Notice]) -> Mapping[uuid.UUID, object]:
    """The visits these notices are about; two queries for all of them."""
    now = trial_now()
    found = Visit.objects.select_related("subject__site").in_bulk(
        [notice.object_id for notice in notices if notice.object_id]
    )
    about: dict[uuid.UUID, object] = {}
    for notice in notices:
        key = Key.of(notice)
        visit = found.get(key.about)  # moved to a site that this reader does not see: no text
        rules = rules_of(visit) if visit else ()
        rule = next((each for each in rules if each.key == key.rule), None)
        if visit is None or rule is None:
            continue
        about[notice.pk] = Reminded(visit.subject, rule, *_days(visit.subject, notice, now), visit)
    return about


def of_sessions(notices: list[Notice]) -> Mapping[uuid.UUID, object]:
    """The sessions these notices are about; two queries for all of them."""
    now = trial_now()
    found = TreatmentSession.objects.select_related("subject__site", "record").in_bulk(
        [notice.object_id for notice in notices if notice.object_id]
    )
    about: dict[uuid.UUID, object] = {}
    for notice in notices:
        session = found.get(Key.of(notice).about)
        rule = session_rule(session, Key.of(notice).rule) if session else None
        if session is None or rule is None:
            continue
        days = _days(session.subject, notice, now)
        about[notice.pk] = Reminded(session.subject, rule, *days, session=session)
    return about


def _days(subject: Subject, notice: Notice, now: dt.datetime) -> tuple[dt.date, dt.date]:
    planned_for = dt.date.fromisoformat(notice.dedupe_key.rsplit(":", 1)[1])
    return planned_for, now.astimezone(ZoneInfo(subject.site.time_zone)).date()


def days_of(visit: Visit) -> str:
    """The days a visit may take place, as dates: they stay true when a mail is read late."""
    ends = visit.window_ends
    if ends is None or ends[0] == ends[1]:
        return visit.target_on.isoformat() if visit.target_on else ""
    return _("%(target)s, window %(first)s to %(last)s") % {
        "target": visit.target_on,
        "first": ends[0],
        "last": ends[1],
    }


def visit_reminder(notice: Notice, user: User) -> Mail:
    """One reminder of one visit."""
    about = cast("Reminded", notice.about)
    assert about.visit is not None
    what, visit = _what(about), visit_name(about.visit)
    number, days = about.subject.label, days_of(about.visit)
    return Mail(
        subject=f"{what}: {number}, {visit}",
        body=_("%(person)s,\n\n%(what)s.\n\nSubject: %(number)s\nVisit: %(visit)s\nDays: %(days)s")
        % {
            "person": user.full_name,
            "what": what,
            "number": number,
            "visit": visit,
            "days": days,
        },
        path=reverse("visits:visit", args=[about.visit.pk]),
        line=f"{number} · {visit} · {what} · {days}",
    )


def session_reminder(notice: Notice, user: User) -> Mail:
    """The reminder to look for adverse events after one session."""
    about = cast("Reminded", notice.about)
    session, what, number = about.session, _what(about), about.subject.label
    assert session is not None
    assert session.ended_at is not None
    ended = f"{session.ended_at:%Y-%m-%d %H:%M}"
    return Mail(
        subject=f"{what}: {number}",
        body=_(
            "%(person)s,\n\n%(what)s.\n\nSubject: %(number)s\nSession: %(session)s, ended "
            "%(ended)s\n\nRecord what you find, also where there was none."
        )
        % {
            "person": user.full_name,
            "what": what,
            "number": number,
            "session": session.number,
            "ended": ended,
        },
        path=reverse("visits:visit", args=[session.record.visit_id]),
        line=f"{number} · {what} · {ended}",
    )


def _what(about: Reminded) -> str:
    """The rule's name; one that is read on a later day says of which day it is."""
    name = about.rule.name.in_language(get_language() or "")
    if about.today <= about.day:
        return name
    return _("%(name)s (of %(day)s)") % {"name": name, "day": about.day.isoformat()}
