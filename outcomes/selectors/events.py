"""The adverse events of a subject as a list reads them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from outcomes.models import AdverseEvent, AdverseEventOrigin
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.crf.models import stored
from visits.models import TreatmentSession


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One adverse event with what its list says of it."""

    record: CrfRecord
    event: AdverseEvent | None
    session: TreatmentSession | None
    #: Whether it began under treatment; None where the dates do not tell.
    emergent: bool | None

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
    """A subject's standing adverse events in the order of their numbers; four queries."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=AdverseEvent.form_oid)
    events = {row.pk: row for row in stored(AdverseEvent).filter(subject=subject)}
    origins = AdverseEventOrigin.objects.filter(subject=subject).select_related("session")
    sessions = {origin.record_id: origin.session for origin in origins}
    first = first_treatment(subject)
    return [
        EventLine(
            record=record,
            event=event,
            session=sessions.get(record.pk),
            emergent=treatment_emergent(event, first) if event else None,
        )
        for record in records.order_by("repeat_key")
        for event in [events.get(record.pk)]
    ]


def first_treatment(subject: Subject) -> dt.datetime | None:
    """When the subject's first session started, on the clock at the site."""
    started = TreatmentSession.objects.started().filter(subject=subject)
    return started.order_by("started_at").values_list("started_at", flat=True).first()


def treatment_emergent(event: AdverseEvent, first: dt.datetime | None) -> bool | None:
    """Whether an event began at or after the first treatment (ICH E9: treatment emergent).

    None where nothing has been treated, or the onset's precision does not decide; a session's
    own day counts only with a time.
    """
    began = event.started_on
    if first is None or began is None:
        return None
    if event.started_time is not None and began.day is not None:
        return dt.datetime.combine(began.earliest, event.started_time) >= first
    if began.earliest > first.date():
        return True
    return False if began.latest < first.date() else None
