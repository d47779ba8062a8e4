"""Subjects who may be treated, and sessions as the tests of treatment need them."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from screening.models import ConsentDocument
from tests.factories import Cast, as_person, given, make_site, make_subject
from tests.screening.consenting import make_document, sign, wall
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.casebook.services import lay_out_visits
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfRow
from trialsite.crf.services import Saved, save_row
from visits.models import SessionReading, TreatmentSession
from visits.services.checklist import questions_of
from visits.services.sessions import (
    Answer,
    Times,
    answer_checklist,
    end_session,
    enter_session,
    plan_session,
    start_session,
)

_numbers = itertools.count(1)

#: A session without cells needs no lot: what is tested is not the product.
WITHOUT_CELLS = {"modality": ["PE"], "no_cells_reason": "Exchange alone, before the first cells"}


def treatable(cast: Cast, document: ConsentDocument | None = None, **fields: Any) -> Subject:
    """An enrolled subject of the site who has consented and whose visits are laid out."""
    subject = make_subject(
        fields.pop("site", cast.site),
        status=SubjectStatus.ENROLLED,
        number=f"T-{next(_numbers):03d}",
        **fields,
    )
    paper = document or make_document(cast, subject.site)
    sign(cast, subject, paper, days=-20, by=cast.investigator)
    with as_person(cast.investigator):
        lay_out_visits(subject=subject, by=cast.investigator)
    return fresh(subject)


@given
def fresh(subject: Subject) -> Subject:
    return Subject.objects.select_related("site").get(pk=subject.pk)


def site_in(zone: str) -> Site:
    """A site whose clocks show this zone."""
    site: Site = make_site(time_zone=zone)
    return site


def planned(cast: Cast, subject: Subject, *, minutes: int = 360, **said: Any) -> TreatmentSession:
    by = said.pop("by", cast.investigator)
    with as_person(by):
        return plan_session(
            subject=subject, by=by, planned_minutes=minutes, **(WITHOUT_CELLS | said)
        )


def answered(cast: Cast, session: TreatmentSession, *, no: tuple[str, ...] = ()) -> None:
    """The whole checklist with yes, but for what is named."""
    by = cast.investigator
    with as_person(by):
        answers = {each.key: Answer(answer=each.key not in no) for each in questions_of(session)}
        answer_checklist(session=session, answers=answers, by=by)


def prepared(cast: Cast, subject: Subject, **said: Any) -> TreatmentSession:
    """A session that may start."""
    session = planned(cast, subject, **said)
    answered(cast, session)
    return session


def start(
    cast: Cast, session: TreatmentSession, at: dt.datetime, *, by: User | None = None, **said: Any
) -> TreatmentSession:
    by = by or cast.investigator
    team = {
        "operator": cast.investigator,
        "second_checker": cast.nurse if session.site_id == cast.site.pk else cast.stranger,
        "physician": cast.investigator,
    }
    with as_person(by):
        return start_session(session=session, started_at=at, by=by, **(team | said))


def end(
    cast: Cast, session: TreatmentSession, at: dt.datetime, *, why: str = "COMPLETED", **said: Any
) -> TreatmentSession:
    by = said.pop("by", cast.investigator)
    with as_person(by):
        return end_session(session=session, ended_at=at, stop_reason=why, by=by, **said)


def running(cast: Cast, subject: Subject, *, hours: float = -7, **said: Any) -> TreatmentSession:
    """A session that started so many hours from now."""
    return start(cast, prepared(cast, subject, **said), wall(subject.site, hours=hours))


def ended(
    cast: Cast, subject: Subject, *, hours: float = -7, lasting: float = 6, **said: Any
) -> TreatmentSession:
    """A session that is over."""
    session = running(cast, subject, hours=hours, **said)
    return end(cast, session, wall(subject.site, hours=hours + lasting))


def entered(
    cast: Cast,
    session: TreatmentSession,
    *,
    hours: float,
    lasting: float = 6,
    by: User | None = None,
    **said: Any,
) -> TreatmentSession:
    """A prepared session whose whole course is entered afterwards."""
    by, site = by or cast.investigator, session.subject.site
    times = Times(started_at=wall(site, hours=hours), ended_at=wall(site, hours=hours + lasting))
    with as_person(by):
        return enter_session(
            session=session,
            times=times,
            stop_reason="COMPLETED",
            operator=cast.investigator,
            second_checker=cast.nurse,
            physician=cast.investigator,
            by=by,
            **said,
        )


def read(
    session: TreatmentSession,
    by: User,
    texts: dict[str, str],
    *,
    group: type[CrfRow] = SessionReading,
    **options: Any,
) -> Saved:
    """Enter a row of the run sheet, as a page does."""
    with as_person(by):
        entry = read_texts(group, texts)
        assert not entry.errors, entry.errors
        return save_row(record=session.record, group=group, entry=entry, by=by, **options)
