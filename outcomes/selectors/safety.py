"""What the protocol's safety rules look at, counted over every site."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max

from outcomes.models import AdverseEvent, AdverseEventGrade
from trialsite.casebook.models import Subject
from trialsite.conduct.toxicity import Toxicity
from trialsite.crf.models import stored
from trialsite.protocol.proposals import HoldProposal, MonitorProposal
from visits.models import TreatmentSession


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedSerious:
    """Related serious events among the first treated subjects."""

    treated: int
    events: int
    #: Whether the subject asked about is one of these first.
    among: bool = False


def related_serious(rule: HoldProposal, subject: Subject | None = None) -> RelatedSerious:
    """The count that a rule on related serious events compares; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.related_serious(%s, %s, %s::uuid)",
            [rule.among_first, rule.grade_at_least or 0, subject.pk if subject else None],
        )
        treated, events, among = cursor.fetchone()[0]
    return RelatedSerious(treated=treated, events=events, among=among > 0)


def judged_grades(events: Collection[AdverseEvent]) -> dict[uuid.UUID, int]:
    """The grade of each event that a safety rule compares; one query.

    What the event says or implies, or the worst of its standing rows of grades: whichever is
    worse. A rule does not wait until the two agree. The database counts by the same rule.
    """
    rows = stored(AdverseEventGrade).filter(
        record__in=[event.record_id for event in events], voided_at=None, grade__isnull=False
    )
    worst = dict(rows.order_by().values_list("record").annotate(Max("grade")))
    return {
        event.record_id: max(event.judged_grade, worst.get(event.record_id, 0)) for event in events
    }


def standing_events(subject: Subject) -> list[AdverseEvent]:
    """A subject's standing adverse events, whether complete or not."""
    rows = stored(AdverseEvent).filter(subject=subject, record__voided_at=None)
    return list(rows.order_by("record__repeat_key"))


def within_days(event: AdverseEvent, monitor: MonitorProposal) -> bool:
    """Whether an event may have begun within a monitor's days of a session of its subject.

    By the same rule as the database counts it: what the dates leave open counts.
    """
    assert monitor.within_days is not None
    began = event.started_on
    for session in TreatmentSession.objects.started().filter(subject_id=event.subject_id):
        assert session.started_at is not None
        day = session.started_at.date()
        last = day + dt.timedelta(days=monitor.within_days)
        if began is None or (began.latest >= day and began.earliest <= last):
            return True
    return False


def toxicity_of(monitor: MonitorProposal) -> Toxicity:
    """The study as a monitor sees it; one statement. Its events must be defined."""
    assert monitor.is_defined
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.toxicities(%s, %s, %s)",
            [monitor.grade_at_least, monitor.related, monitor.within_days],
        )
        treated, evaluable, with_event = cursor.fetchone()[0]
    return Toxicity(treated=treated, evaluable=evaluable, with_event=with_event)
