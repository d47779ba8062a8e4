"""When participants were last known alive, how often they were looked for, whose survival is
unknown. Queries are constant in number, however many subjects there are."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from outcomes.models import (
    UNANSWERED,
    AliveSource,
    ContactAttempt,
    Disposition,
    EndReason,
    Scope,
    SurvivalContact,
)
from trialsite.access.models import User
from trialsite.casebook.evidence import evidence
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    ScheduleClosing,
    Subject,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import event_of, protocol_of, visit_name
from trialsite.casebook.services.participation import TAKING_PART
from trialsite.casebook.windows import STANDING
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import stored
from trialsite.protocol import EventRole
from trialsite.protocol.follow_up import FollowUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The latest day on which a participant is proven to have been alive (decisions C11)."""

    #: As far as it is known; what it proves is its earliest day.
    day: PartialDate
    record: CrfRecord

    @property
    def proven(self) -> dt.date:
        return self.day.earliest


#: An incomplete date proves the first day it leaves possible.
_WHOLE = "seen.day || substr('0000-01-01', length(seen.day) + 1)"


def last_alive(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, Sighting]:
    """The latest standing evidence of life of each subject, by whatever app keeps it."""
    if not subjects:
        return {}
    union = " UNION ALL ".join(each.select for each in evidence())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT ON (seen.subject_id) seen.subject_id, seen.day, seen.record_id "
            f"FROM ({union}) seen WHERE seen.subject_id = ANY(%s) "
            f'ORDER BY seen.subject_id, ({_WHOLE}) COLLATE "C" DESC, seen.record_id',
            [list(subjects)],
        )
        found = cursor.fetchall()
    records = CrfRecord.objects.select_related("visit").in_bulk([row[2] for row in found])
    return {
        subject: Sighting(day=PartialDate.parse(day), record=records[record])
        for subject, day, record in found
        if record in records
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """The attempts at contact since the participant was last known alive, against the rule."""

    rows: tuple[Any, ...]
    rule: FollowUp | None

    @property
    def made(self) -> int:
        return len(self.rows)

    @property
    def days(self) -> int:
        """On how many different days."""
        return len({row.attempted_at.date() for row in self.rows})

    @property
    def over(self) -> int:
        """Days from the first to the last."""
        known = [row.attempted_at.date() for row in self.rows]
        return (max(known) - min(known)).days if known else 0

    @property
    def last_on(self) -> dt.date | None:
        return max((row.attempted_at.date() for row in self.rows), default=None)

    @property
    def met(self) -> bool:
        """Whether the rule of loss to follow-up is met; without a rule nobody is lost by it."""
        rule = self.rule
        return (
            rule is not None
            and self.made >= rule.attempts_at_least
            and self.days >= rule.attempt_days
            and self.over >= rule.attempts_over_days
        )


def attempts_of(subject: Subject, sighting: Sighting | None) -> Attempts:
    """The standing attempts that reached nobody, after which no evidence of life is dated."""
    rows = stored(ContactAttempt).filter(
        subject=subject,
        voided_at=None,
        record__voided_at=None,
        attempted_at__isnull=False,
        result__in=[each.value for each in UNANSWERED],
    )
    if sighting is not None:
        rows = rows.filter(attempted_at__gte=dt.datetime.combine(sighting.proven, dt.time()))
    rule = protocol_of(subject.protocol_version_id).follow_up
    return Attempts(rows=tuple(rows.order_by("attempted_at", "number")), rule=rule)


def attempt_log(subject: Subject) -> list[Any]:
    """Every standing attempt, answered or not, the latest first."""
    rows = stored(ContactAttempt).filter(subject=subject, voided_at=None, record__voided_at=None)
    return list(rows.select_related("record").order_by("-attempted_at", "-number"))


def contacts_of(subject: Subject) -> list[SurvivalContact]:
    """The standing contacts about a subject's survival, the latest first."""
    rows = stored(SurvivalContact).filter(subject=subject, record__voided_at=None)
    return list(rows.select_related("record__visit").order_by("-contact_on", "-record__repeat_key"))


def source_said(contact: SurvivalContact | None) -> str:
    """From what a contact knows the day on which the participant was alive."""
    if contact is None or not contact.last_alive_source:
        return ""
    return str(AliveSource(contact.last_alive_source).label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A participant of whom nobody knows whether they were alive at a milestone."""

    visit: Visit
    milestone: dt.date
    sighting: Sighting | None

    @property
    def subject(self) -> Subject:
        return self.visit.subject

    @property
    def name(self) -> str:
        return visit_name(self.visit)


#: Longer than this is no list for a day.
MOST = 100


#: Closings that end survival contacts too, by the scope of what was withdrawn.
_NOT_ASKED_AFTER = ScheduleClosing.objects.filter(
    subject=OuterRef("subject"), revoked_at=None
).exclude(kept__contains=[EventRole.SURVIVAL_CONTACT])

#: Ends of the study that say where the participant is: with the lost, or with the dead.
_SAID_TO_BE_GONE = stored(Disposition).filter(
    subject=OuterRef("subject"),
    record__voided_at=None,
    scope=Scope.STUDY,
    reason__in=[EndReason.LOST, EndReason.DEATH],
)


def unknown_survival(
    user: User, *, now: dt.datetime, sites: Collection[int] | None = None
) -> list[Unknown]:
    """Participants whose survival at a milestone that is past is proven by nothing.

    A milestone is looked at once its visit was missed or its window has gone by, also after
    an early end that leaves survival; of each subject the latest one counts. Who has died or
    is lost, does not want to be contacted, or whose data are closed or withdrawn, is not
    looked for. Three queries.
    """
    visits = Visit.objects.visible_to(user).filter(
        subject__status__in=TAKING_PART,
        subject__lock_state=LockState.OPEN,
        subject__day_zero__isnull=False,
        target_on__isnull=False,
    )
    visits = visits if sites is None else visits.at(sites)
    visits = visits.exclude(subject__consent_state=ConsentState.WITHDRAWN)
    visits = visits.exclude(Exists(_NOT_ASKED_AFTER)).exclude(Exists(_SAID_TO_BE_GONE))
    past = Q(status__in=(*STANDING, VisitStatus.NOT_REQUIRED)) & Q(
        last_day__lt=now.date() + dt.timedelta(days=1)
    )
    over = visits.filter(Q(status=VisitStatus.MISSED) | past)
    latest: dict[uuid.UUID, Visit] = {}
    for visit in over.select_related("subject", "site").order_by("target_on"):
        if _is_due(visit, now.astimezone(ZoneInfo(visit.site.time_zone)).date()):
            latest[visit.subject_id] = visit
    seen = last_alive(list(latest))
    found = [
        Unknown(visit=visit, milestone=visit.target_on, sighting=seen.get(subject))
        for subject, visit in latest.items()
        if visit.target_on is not None and not _proven(seen.get(subject), visit.target_on)
    ]
    return sorted(found, key=lambda line: (line.milestone, line.subject.label))[:MOST]


def _is_due(visit: Visit, today: dt.date) -> bool:
    """Whether the milestone itself is past, on the calendar of its site."""
    event = event_of(visit)
    milestones = protocol_of(visit.protocol_version_id).outcomes.survival_days
    if event.role is not EventRole.FOLLOW_UP or event.target_day not in milestones:
        return False
    ends = visit.window_ends
    over = ends is not None and ends[1] < today
    assert visit.target_on is not None
    return visit.target_on < today and (over or visit.status == VisitStatus.MISSED)


def _proven(sighting: Sighting | None, day: dt.date) -> bool:
    return sighting is not None and sighting.proven >= day
