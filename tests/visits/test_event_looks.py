"""The look for adverse events a day after a session: stated by a person, and then not asked."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import Error

from tests.api.conftest import api
from tests.factories import as_person, given, sign_in
from tests.visits.treating import ended, fresh, running, treatable
from trialsite.audit.models import Event
from trialsite.casebook.services import record_death
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, planner_of
from visits.models import EventLook, TreatmentSession
from visits.reminders.planning import SESSION_KIND
from visits.selectors.reminders import ahead
from visits.services.event_looks import look_for_events, void_look

__all__ = ["api"]


@pytest.fixture
def subject(cast):
    return treatable(cast)


@pytest.fixture
def session(cast, subject) -> TreatmentSession:
    """Ended a day and an hour ago: the look is due."""
    return ended(cast, subject, hours=-31)


def look(cast, session, finding: str = "nothing", by=None, **said) -> EventLook:
    by = by or cast.nurse
    with as_person(by):
        return look_for_events(session=session, finding=finding, by=by, **said)


def planned() -> list[Notice]:
    plan_notices(trial_now(), kind=SESSION_KIND)
    rows = Notice.objects.filter(kind=SESSION_KIND).select_related("recipient")
    return given(lambda: list(rows))()


@given
def still_due(found: list[Notice]) -> int:
    return len(planner_of(SESSION_KIND).still_due(found))


def sheet(person, session) -> str:
    answer = sign_in(person).get(f"/sessions/{session.pk}/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.requirement("RM1")
@pytest.mark.parametrize("finding", ["nothing", "entered"])
def test_a_look_that_is_stated_ends_its_reminder(cast, session, finding):
    notices = planned()
    assert still_due(notices) == len(notices) > 0
    look(cast, session, finding, comment="Ward round")
    assert still_due(notices) == 0


def test_a_look_is_in_the_trail_with_who_stated_it(cast, session):
    stated = look(cast, session, comment="Ward round")
    with as_person(cast.auditor):
        event = Event.objects.get(table_name="visits_eventlook")
        assert (event.actor_id, event.operation) == (cast.nurse.pk, "I")
        assert (event.reason, str(event.row_id)) == ("Ward round", str(stated.pk))


def test_a_look_before_the_protocol_asks_for_it_ends_nothing_and_is_refused(cast, subject):
    """Twenty hours after the end it may be stated, in the round before; not sooner."""
    early = ended(cast, subject, hours=-25.5, lasting=6)
    with pytest.raises(TransitionError, match="up to 4 hours before"):
        look(cast, early)
    with as_person(cast.nurse):
        assert [each for each in ahead(fresh(subject)) if "Adverse event" in each.name]


def test_just_before_it_is_due_a_look_ends_the_reminder_to_come(cast, subject):
    session = ended(cast, subject, hours=-27, lasting=6)
    look(cast, session)
    with as_person(cast.nurse):
        assert not [each for each in ahead(fresh(subject)) if "Adverse event" in each.name]


def test_a_session_that_runs_is_not_looked_after_yet(cast, subject):
    session = running(cast, subject, hours=-2)
    with pytest.raises(TransitionError):
        look(cast, session)


def test_a_look_says_what_it_came_to(cast, session):
    with pytest.raises(DomainError):
        look(cast, session, "")


@pytest.mark.parametrize("who", ["monitor", "data_manager", "stranger"])
def test_only_who_enters_data_at_the_site_states_a_look(cast, session, who):
    with pytest.raises(NotPermittedError):
        look(cast, session, by=getattr(cast, who))


def test_the_sheet_asks_for_the_look_takes_it_and_shows_it(cast, session):
    assert "I have looked" in sheet(cast.nurse, session)
    assert "I have looked" not in sheet(cast.monitor, session)
    client = sign_in(cast.nurse)
    empty = client.post(f"/sessions/{session.pk}/look/", {"finding": "", "comment": "typed words"})
    assert empty.status_code == 422
    assert "typed words" in empty.content.decode()
    done = client.post(f"/sessions/{session.pk}/look/", {"finding": "nothing", "comment": "round"})
    assert done.status_code == 302
    page = sheet(cast.nurse, session)
    assert "Looked: no adverse event" in page
    assert "Nora Nurse" in page
    assert "I have looked" not in page
    assert sign_in(cast.stranger).post(f"/sessions/{session.pk}/look/").status_code == 404


def test_the_api_states_and_lists_looks(cast, session, api):
    address = f"treatment-sessions/{session.pk}/looks/"
    made = api("nurse").post(address, {"finding": "nothing", "comment": ""})
    assert made.status_code == 201
    (row,) = api("monitor").get(address).json()["results"]
    assert (row["finding"], row["looked_by"]) == ("nothing", "Nora Nurse")
    assert api("monitor").post(address, {"finding": "nothing"}).status_code == 403
    assert api("stranger").get(address).status_code == 404


def void(cast, stated, reason: str = "another participant", by=None) -> EventLook:
    by = by or cast.nurse
    with as_person(by):
        return void_look(look=stated, reason=reason, by=by)


@pytest.mark.requirement("RM1")
def test_a_look_that_was_stated_wrongly_is_voided_and_asked_for_again(cast, session):
    notices = planned()
    stated = look(cast, session)
    assert still_due(notices) == 0
    gone = void(cast, stated)
    assert (gone.void_reason, gone.voided_by) == ("another participant", cast.nurse)
    assert still_due(notices) == len(notices) > 0
    with pytest.raises(TransitionError):
        void(cast, stated)
    look(cast, session, "entered")
    assert still_due(notices) == 0


def test_voiding_a_look_needs_its_reason_and_the_right(cast, session):
    stated = look(cast, session)
    with pytest.raises(DomainError, match="reason"):
        void(cast, stated, " ")
    with pytest.raises(NotPermittedError):
        void(cast, stated, by=cast.monitor)


def test_a_look_at_somebody_who_had_died_is_refused(cast, session):
    """A day and seven hours after its start it is another day, whatever hour it is."""
    died_on = session.started_at.date().isoformat()
    with as_person(cast.nurse):
        record_death(subject=session.subject, died_on=died_on, by=cast.nurse)
    with pytest.raises(TransitionError, match="died"):
        look(cast, session)


@pytest.mark.parametrize("hours", [-200, 1])
def test_the_database_refuses_a_look_before_the_end_of_its_session_and_one_to_come(
    cast, session, hours
):
    with as_person(cast.nurse), pytest.raises(Error, match="can have looked"):
        EventLook.objects.create(
            site_id=session.site_id,
            subject_id=session.subject_id,
            session=session,
            finding="nothing",
            looked_by=cast.nurse,
            looked_at=trial_now() + dt.timedelta(hours=hours),
        )


def test_the_database_refuses_a_look_after_a_session_that_has_not_ended(cast, subject):
    session = running(cast, subject, hours=-2)
    with as_person(cast.nurse), pytest.raises(Error, match="can have looked"):
        EventLook.objects.create(
            site_id=session.site_id,
            subject_id=session.subject_id,
            session=session,
            finding="nothing",
            looked_by=cast.nurse,
            looked_at=trial_now(),
        )


@pytest.mark.parametrize(
    "change",
    [
        {"finding": "entered"},
        {"comment": "later words"},
        {"voided_at": dt.datetime(2026, 3, 6, tzinfo=dt.UTC)},
    ],
)
def test_the_database_changes_no_look_and_voids_none_without_its_reason(cast, session, change):
    stated = look(cast, session)
    with as_person(cast.nurse), pytest.raises(Error):
        EventLook.objects.filter(pk=stated.pk).update(**change)


def test_the_sheet_voids_a_look_keeps_it_visible_and_asks_again(cast, session):
    stated = look(cast, session, comment="Ward round")
    client = sign_in(cast.nurse)
    address = f"/sessions/{session.pk}/look/void/"
    refused = client.post(address, {"look": str(stated.pk), "reason": ""})
    assert refused.status_code == 422
    done = client.post(address, {"look": str(stated.pk), "reason": "another participant"})
    assert done.status_code == 302
    page = sheet(cast.nurse, session)
    assert "Ward round" in page
    assert "another participant" in page
    assert "I have looked" in page
    assert sign_in(cast.stranger).post(address).status_code == 404


def test_the_api_voids_a_look(cast, session, api):
    stated = look(cast, session)
    address = f"treatment-sessions/{session.pk}/looks/{stated.pk}/void/"
    assert api("monitor").post(address, {"reason": "x"}).status_code == 403
    done = api("nurse").post(address, {"reason": "another participant"})
    assert done.status_code == 200, done.content
    assert (done.json()["void_reason"], done.json()["voided_by"]) == (
        "another participant", "Nora Nurse",
    )  # fmt: skip
