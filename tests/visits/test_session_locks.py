"""People at one bed never wait for each other in a ring."""

from __future__ import annotations

import threading

from django.db import connections, transaction

from tests.factories import as_person, make_cast
from tests.screening.consenting import wall
from tests.visits.treating import ended, read, running, treatable
from tests.waiting import somebody_waits, until
from trialsite.casebook.models import CrfRecord
from trialsite.crf.entry import read_texts
from trialsite.crf.services import lock_record, save_crf
from visits.models import SessionEnd, SessionReading
from visits.models.session_codes import State
from visits.services.sessions import end_session, void_session


def test_a_reading_that_saves_itself_and_the_end_of_the_session(committed):
    """A save holds the record and then asks for the subject; an act must not come the other way."""
    cast = make_cast()
    session = running(cast, treatable(cast), hours=-6)
    at = wall(session.subject.site)
    ended = []

    def end() -> None:
        try:
            with as_person(cast.second_nurse):
                ended.append(
                    end_session(
                        session=session,
                        ended_at=at,
                        stop_reason="COMPLETED",
                        by=cast.second_nurse,
                    )
                )
        finally:
            connections.close_all()

    other = threading.Thread(target=end)
    with as_person(cast.nurse), transaction.atomic():
        lock_record(session.record, by=cast.nurse)
        other.start()
        until(somebody_waits, what="the end waits for the reading")
        said = {"observed_at": at.isoformat(timespec="minutes"), "systolic": "118"}
        read(session, cast.nurse, said)
    other.join()
    with as_person(cast.nurse):
        assert SessionReading.objects.get(record_id=session.pk).systolic == 118
    assert [each.state for each in ended] == [State.ENDED]


def test_a_form_of_the_session_that_is_saved_and_the_voiding_of_the_session(committed):
    """Voiding takes the session's forms too: all of them before the subject."""
    cast = make_cast()
    session = ended(cast, treatable(cast))
    voided = []

    def void() -> None:
        try:
            with as_person(cast.investigator):
                voided.append(
                    void_session(session=session, reason="Other patient", by=cast.investigator)
                )
        finally:
            connections.close_all()

    other = threading.Thread(target=void)
    with as_person(cast.nurse), transaction.atomic():
        form = CrfRecord.objects.get(visit=session.record.visit_id, form_oid=SessionEnd.form_oid)
        lock_record(form, by=cast.nurse)
        other.start()
        until(somebody_waits, what="the voiding waits for the form")
        entry = read_texts(SessionEnd, {"comment": "Blood returned"})
        save_crf(record=form, entry=entry, by=cast.nurse, base_version=0)
    other.join()
    assert [each.voided_at is not None for each in voided] == [True]
    with as_person(cast.nurse):
        form.refresh_from_db()
    assert (form.version, form.voided_at is not None) == (2, True)
