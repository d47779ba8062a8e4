"""Whether a reminder still holds when it is about to leave; nobody tells it of a death or a
withdrawal, it is asked (decisions C5, C17)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Max, Q

from screening.models.consent import Scope
from screening.selectors.consent import standings_of
from trialsite.access.models import Membership, Site
from trialsite.casebook.models import ConsentState, LockState, Subject, Visit
from trialsite.casebook.models.visits import WAITING
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.protocol.reminders import ReminderMoment, ReminderRule
from visits.models import EventLook, TreatmentSession
from visits.reminders.moments import Dates, Step, said_now, steps_of, wall_clock
from visits.reminders.planning import LEFT

#: What ends the reminders of a subject; a withdrawal of treatment alone does not.
ENDS = frozenset({Scope.CONTACT, Scope.ALL_DATA})

#: So long before its moment a look after a session may be stated: the round of the same shift.
EARLY = dt.timedelta(hours=4)

#: The key of a person and a site.
Place = tuple[int | None, int]


@dataclass(frozen=True, slots=True)
class Key:
    """What a notice was planned for, as its dedupe key tells."""

    about: uuid.UUID
    rule: str
    anchor_version: int

    @classmethod
    def of(cls, notice: Notice) -> Key:
        _kind, about, rule, _reader, version, _day = notice.dedupe_key.split(":")
        return cls(uuid.UUID(about), rule, int(version))


def rules_of(visit: Visit) -> tuple[ReminderRule, ...]:
    """The reminder rules under which a visit was laid out."""
    return protocol_of(visit.protocol_version_id).reminders.rules


def steps_of_visit(visit: Visit) -> list[Step]:
    """What its rules say of a visit, whoever hears it; nothing of one that is over."""
    if visit.status not in WAITING or visit.dated_at is None or visit.lock_state != LockState.OPEN:
        return []
    first, last = visit.window_ends or (None, None)
    dates = Dates(first=first, target=visit.target_on, last=last)
    zone = ZoneInfo(visit.subject.site.time_zone)
    return steps_of(rules_of(visit), dates, zone=zone, since=visit.dated_at)


def steps_of_session(session: TreatmentSession, looked: dt.datetime | None) -> list[Step]:
    """The looks after one session that the protocol asks for and nobody has stated yet."""
    return [step for step in all_steps_of_session(session) if not _is_done(step, looked)]


def looked_at(sessions: Collection[uuid.UUID]) -> dict[uuid.UUID, dt.datetime]:
    """When sessions were last looked after for adverse events; others are not in it."""
    looks = EventLook.objects.standing().filter(session__in=sessions).order_by()
    return dict(looks.values_list("session").annotate(Max("looked_at")))


def _is_done(step: Step, looked: dt.datetime | None) -> bool:
    return looked is not None and looked >= step.at - EARLY


def all_steps_of_session(session: TreatmentSession) -> list[Step]:
    """The looks after one session that the protocol asks for."""
    if session.ended_at is None or session.voided_at is not None:
        return []
    rules = protocol_of(session.record.protocol_version_id).reminders.rules
    steps = []
    for rule in rules:
        if rule.moment is ReminderMoment.SESSION_ENDS:
            ended = session.ended_at + dt.timedelta(days=rule.days)
            wall = ended if rule.at is None else dt.datetime.combine(ended, rule.at)
            due = wall_clock(wall.date(), wall.time(), ZoneInfo(session.time_zone))
            due += dt.timedelta(hours=rule.hours)
            steps.append(Step(due, due, rule))
    return sorted(steps, key=lambda step: step.order)


def followed(subjects: Collection[Subject], *, now: dt.datetime) -> set[uuid.UUID]:
    """Those still waited for: alive, in the trial, open, and not withdrawn from contact."""
    present = [
        subject
        for subject in subjects
        if not subject.died_on
        and subject.status not in LEFT
        and subject.consent_state != ConsentState.WITHDRAWN
        and subject.lock_state == LockState.OPEN
    ]
    standings = standings_of(present, now=now) if present else {}
    return {key for key, standing in standings.items() if not standing.scopes & ENDS}


def visits_still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """The notices whose visit still waits on the dates they were planned for, and of which
    nothing later is due to be said."""
    now = trial_now()
    keys = {notice.pk: Key.of(notice) for notice in notices}
    wanted = {key.about for key in keys.values()}
    visits = {
        visit.pk: visit
        for visit in Visit.objects.filter(pk__in=wanted).select_related("subject__site")
    }
    waiting = followed_of(visits.values(), now=now)
    roles = roles_today(notices, now=now)
    due = set()
    for notice in notices:
        key = keys[notice.pk]
        visit = visits.get(key.about)
        if visit is None or visit.subject_id not in waiting:
            continue
        if visit.anchor_version == key.anchor_version and key.rule == _said(
            visit, notice, roles, now
        ):
            due.add(notice.pk)
    return due


def _said(
    visit: Visit, notice: Notice, roles: dict[Place, set[str]], now: dt.datetime
) -> str | None:
    """The rule by which this reader would hear of the visit now."""
    held = roles[notice.recipient_id, visit.site_id]
    if notice.recipient_id is None:
        rule = Key.of(notice).rule
        held = {role for each in rules_of(visit) if each.key == rule for role in each.roles}
    step = said_now(steps_of_visit(visit), held, now)
    return step.rule.key if step else None


def sessions_still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """The notices whose session stands, whose subject lives, and whose look nobody has stated.

    An adverse event already entered ends no look for others: what was seen during a session
    says nothing of the day after it.
    """
    now = trial_now()
    about = {notice.object_id for notice in notices}
    ended = TreatmentSession.objects.standing().filter(pk__in=about, ended_at__isnull=False)
    sessions = {each.pk: each for each in ended.select_related("subject__site", "record")}
    waiting = followed_of(sessions.values(), now=now)
    roles = roles_today(notices, now=now)
    looked = looked_at(sessions.keys())
    due = set()
    for notice in notices:
        session = sessions.get(notice.object_id) if notice.object_id else None
        if session is None or session.subject_id not in waiting:
            continue
        rule = session_rule(session, Key.of(notice).rule)
        asked = {step.rule.key for step in steps_of_session(session, looked.get(session.pk))}
        held = roles[notice.recipient_id, session.site_id]
        if rule is None or rule.key not in asked:
            continue
        if notice.recipient_id is None or held.intersection(rule.roles):
            due.add(notice.pk)
    return due


def session_rule(session: TreatmentSession, key: str) -> ReminderRule | None:
    """The rule of this key about sessions, as of the session's protocol."""
    for rule in protocol_of(session.record.protocol_version_id).reminders.rules:
        if rule.moment is ReminderMoment.SESSION_ENDS and rule.key == key:
            return rule
    return None


def followed_of(spoken: Iterable[Visit | TreatmentSession], *, now: dt.datetime) -> set[uuid.UUID]:
    """The subjects of these visits or sessions that are still waited for."""
    return followed({each.subject.pk: each.subject for each in spoken}.values(), now=now)


def roles_today(notices: Collection[Notice], *, now: dt.datetime) -> dict[Place, set[str]]:
    """The roles each reader holds at the site of their notice today, study-wide ones too."""
    readers = {notice.recipient_id for notice in notices if notice.recipient_id}
    sites = Site.objects.in_bulk({notice.site_id for notice in notices if notice.site_id})
    lines = Membership.objects.filter(user__in=readers, user__is_active=True)
    held: dict[Place, set[str]] = defaultdict(set)
    for line in lines.filter(Q(site=None) | Q(site__in=sites)):
        for site in sites.values() if line.site_id is None else [sites[line.site_id]]:
            if _holds(line, now.astimezone(ZoneInfo(site.time_zone)).date()):
                held[line.user_id, site.pk].add(line.role)
    return held


def _holds(line: Membership, day: dt.date) -> bool:
    """`Membership.objects.on`, for a line already read."""
    ended = line.ended_on is not None and line.ended_on <= day
    past = line.valid_until is not None and line.valid_until < day
    return line.valid_from <= day and not ended and not past
