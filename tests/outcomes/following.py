"""Participants who are followed up, and what is entered of them, as pages save it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from outcomes.models import ContactAttempt, Disposition, SurvivalContact, Transplantation
from outcomes.services.dispositions import open_disposition
from outcomes.services.survival import start_contact
from outcomes.services.transplants import open_transplantation
from tests.factories import as_person, given
from tests.visits.scheduling import consenting, today
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import Saved, save_crf, save_row
from visits.services.visits import miss

TABLES: dict[str, type[CrfData]] = {
    each.form_oid: each for each in (SurvivalContact, Transplantation, Disposition)
}


def followed(cast: Any, *, since: int = 40) -> Subject:
    """An enrolled participant, consenting, so many days after day zero."""
    subject = consenting(cast, since=since, days=-since - 20)
    given(Subject.objects.filter(pk=subject.pk).update)(number="001-001")
    return fresh(subject)


@given
def fresh(subject: Subject) -> Subject:
    return Subject.objects.select_related("site").get(pk=subject.pk)


def day(subject: Subject, ago: int) -> dt.date:
    """The day so many days ago at the site."""
    return today(subject.site) - dt.timedelta(days=ago)


def save(
    record: CrfRecord, by: User, *, why: str = "", complete: bool = False, **texts: str
) -> Saved:
    """One save of a form's page, from what stands now."""
    table = TABLES[record.form_oid]
    entry = read_texts(table, texts)
    assert not entry.errors, entry.errors
    with as_person(by):
        stands = CrfRecord.objects.get(pk=record.pk)
        return save_crf(
            record=stands, entry=entry, by=by, base_version=stands.version, complete=complete,
            reason=why,
        )  # fmt: skip


def begin(cast: Any, subject: Subject, visit: Visit | None = None) -> CrfRecord:
    with as_person(cast.nurse):
        record = start_contact(subject=subject, stands_for=visit, by=cast.nurse)
        return CrfRecord.objects.select_related("subject__site").get(pk=record.pk)


def contact(
    cast: Any, subject: Subject, ago: int = 0, *, visit: Visit | None = None, **texts: str
) -> Saved:
    """A contact so many days ago; alive on that day unless said otherwise."""
    on = day(subject, ago).isoformat()
    said = {"contact_on": on, "mode": "TELEPHONE CALL", "informant": "FAMILY", "status": "ALIVE"}
    said |= {"last_alive_on": on, "last_alive_source": "FAMILY", "transplanted_since": "false"}
    entered: dict[str, Any] = said | texts
    return save(begin(cast, subject, visit), cast.nurse, **entered)


def attempt(
    cast: Any, record: CrfRecord, ago: int, *, result: str = "NO ANSWER", hour: int = 9
) -> Saved:
    """An attempt at contact so many days ago, in the morning."""
    on = dt.datetime.combine(day(record.subject, ago), dt.time(hour))
    texts = {
        "attempted_at": on.isoformat(timespec="minutes"),
        "way": "TELEPHONE CALL",
        "result": result,
        "made_by": "Nurse (SYNTHETIC)",
    }
    with as_person(cast.nurse):
        return save_row(
            record=record, group=ContactAttempt, entry=read_texts(ContactAttempt, texts),
            by=cast.nurse,
        )  # fmt: skip


def transplant(cast: Any, subject: Subject, **texts: Any) -> Saved:
    with as_person(cast.nurse):
        record = open_transplantation(subject=subject, by=cast.nurse)
    return save(record, cast.nurse, **texts)


def end_of(cast: Any, subject: Subject, scope: str, **texts: str) -> Saved:
    """The end of treatment or study, entered."""
    with as_person(cast.nurse):
        record = open_disposition(subject=subject, scope=scope, by=cast.nurse)
    said = {"ended_on": day(subject, 1).isoformat(), "reason": "PHYSICIAN DECISION"}
    complete = texts.pop("complete", "") == "yes"
    return save(
        record,
        cast.nurse,
        complete=complete,
        why=texts.pop("why", ""),
        scope=scope,
        **(said | texts),
    )


def missed(cast: Any, visit: Visit) -> Visit:
    with as_person(cast.nurse):
        return miss(visit=visit, reason="At home (SYNTHETIC)", by=cast.nurse)
