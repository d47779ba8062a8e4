"""The adverse events of a subject, a site, the study, as their lists read them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Exists, Min, OuterRef, QuerySet

from outcomes.models import AdverseEvent, AdverseEventGrade, AdverseEventOrigin
from outcomes.selectors.emergent import began_under, is_emergent
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.crf.items import items_of
from trialsite.crf.models import Coding, stored
from visits.models import TreatmentSession

__all__ = ["EventLine", "event_lines", "first_treatment", "first_treatments", "is_emergent"]

#: The item whose words are coded.
TERM = items_of(AdverseEvent)["term"].oid


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One adverse event with what its list says of it."""

    record: CrfRecord
    event: AdverseEvent | None
    origin: AdverseEventOrigin | None
    #: How its grade changed, in time.
    grades: Sequence[AdverseEventGrade]
    #: The code that stands for the words as they are now.
    coding: Coding | None = None
    #: Whether it came up under treatment; None where the dates do not tell.
    emergent: bool | None
    #: Whether it began under treatment, whatever its grade did afterwards.
    began_under: bool | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether it has an onset, and yet nobody can say if it is of the treatment."""
        return (
            self.event is not None and self.event.started_on is not None and self.emergent is None
        )

    @property
    def session(self) -> TreatmentSession | None:
        """The session it was made of."""
        return self.origin.session if self.origin else None

    @property
    def onset(self) -> str:
        """When it began, as far as it is known."""
        return _moment(self.event, "started") if self.event else ""

    @property
    def end(self) -> str:
        return _moment(self.event, "ended") if self.event else ""


def _moment(event: AdverseEvent, which: str) -> str:
    day, time = getattr(event, f"{which}_on"), getattr(event, f"{which}_time")
    return f"{day} {time:%H:%M}" if day and time else str(day or "")


def event_lines(subject: Subject) -> list[EventLine]:
    """A subject's standing adverse events in the order of their numbers."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=AdverseEvent.form_oid)
    return lines_of(records.order_by("repeat_key"))


def all_events(user: User) -> QuerySet[CrfRecord]:
    """The standing adverse events at the person's sites, subject after subject."""
    records = CrfRecord.objects.visible_to(user).filter(
        form_oid=AdverseEvent.form_oid, voided_at=None
    )
    return records.select_related("subject", "site").order_by(
        "site__code", "subject__screening_number", "repeat_key"
    )


def coded_events() -> QuerySet[Coding]:
    """The codes of events that stand for the words the events have now."""
    codes = Coding.objects.filter(item_oid=TERM, superseded_at=None)
    events = stored(AdverseEvent).filter(pk=OuterRef("record_id"), term=OuterRef("verbatim"))
    return codes.filter(Exists(events))


def lines_of(records: Collection[CrfRecord]) -> list[EventLine]:
    """What the list says of these records; a constant number of queries for any number."""
    keys = [record.pk for record in records]
    events: dict[uuid.UUID, AdverseEvent] = stored(AdverseEvent).in_bulk(keys)
    origins = AdverseEventOrigin.objects.select_related("session").in_bulk(keys)
    first = first_treatments({record.subject_id for record in records})
    codes = {each.record_id: each for each in coded_events().filter(record__in=keys)}
    grades: dict[uuid.UUID, list[AdverseEventGrade]] = {}
    for row in stored(AdverseEventGrade).filter(record__in=keys, voided_at=None):
        grades.setdefault(row.record_id, []).append(row)
    found = []
    for record in records:
        event, course = events.get(record.pk), sorted(grades.get(record.pk, []), key=_in_time)
        began = first.get(record.subject_id)
        found.append(
            EventLine(
                record=record,
                event=event,
                origin=origins.get(record.pk),
                grades=course,
                coding=codes.get(record.pk),
                emergent=is_emergent(event, began, course) if event else None,
                began_under=began_under(event, began) if event and began else None,
            )
        )
    return found


def _in_time(row: AdverseEventGrade) -> tuple[str, dt.time, int]:
    return str(row.changed_on or ""), row.changed_time or dt.time.min, row.number


def first_treatment(subject: Subject) -> dt.datetime | None:
    """When the subject's first session started, on the clock at the site."""
    return first_treatments({subject.pk}).get(subject.pk)


def first_treatments(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, dt.datetime]:
    """The same for many subjects; those never treated are not in it."""
    started = TreatmentSession.objects.started().filter(subject__in=subjects).order_by()
    return dict(started.values_list("subject").annotate(Min("started_at")))
