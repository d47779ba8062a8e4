"""An arrest in a running session, and a death forty minutes later: everything is kept."""

from __future__ import annotations

import datetime as dt

from outcomes.services.adverse_events import record_from_complication
from tests.factories import as_person, given
from tests.outcomes.conftest import complicated, save_death
from tests.screening.consenting import wall
from tests.visits.treating import end, read, running, treatable
from trialsite.casebook.models import Subject, SubjectStatus, Visit, VisitStatus
from trialsite.conduct.models import ProposedHold
from visits.models import Complication, SessionReading

READING = {
    "systolic": "0",
    "diastolic": "0",
    "heart_rate": "0",
    "respiratory_rate": "0",
    "gcs": "2T",
}


def minute(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="minutes")


@given
def fresh(subject: Subject) -> Subject:
    return Subject.objects.get(pk=subject.pk)


def test_every_value_of_an_arrest_saves_and_the_schedule_closes(cast):
    subject = treatable(cast)
    session = running(cast, subject, hours=-3)
    arrest = wall(cast.site, hours=-1)
    died = arrest + dt.timedelta(minutes=40)
    saved = read(session, cast.nurse, READING | {"observed_at": minute(arrest)})
    assert isinstance(saved.row, SessionReading)
    assert (saved.row.systolic, saved.row.heart_rate, saved.row.gcs) == (0, 0, "2T")
    complication = complicated(
        session, cast.nurse, code="ARREST", onset_at=minute(arrest), severity="SEVERE"
    )
    end(cast, session, died, why="ARREST", stop_comment="Resuscitation without success")
    with as_person(cast.nurse):
        event = record_from_complication(complication=complication, by=cast.nurse)
    save_death(
        fresh(subject), cast.nurse, died_on=died.date().isoformat(),
        died_time=died.strftime("%H:%M"), cause="MULTI-ORGAN FAILURE",
    )  # fmt: skip
    assert fresh(subject).status == SubjectStatus.DIED
    assert fresh(subject).died_on == died.date().isoformat()
    with as_person(cast.nurse):
        waiting = Visit.objects.filter(subject=subject, status=VisitStatus.PLANNED)
        future = waiting.filter(target_on__gt=died.date())
        assert not future.exists()
        assert ProposedHold.objects.get(subject=subject).trigger == "death_after_session"
        assert Complication.objects.get(pk=complication.pk).stands
        assert event.subject_id == subject.pk
    late = read(session, cast.nurse, READING | {"observed_at": minute(arrest)})
    assert isinstance(late.row, SessionReading)
    assert late.row.number == 2
