"""One click from a complication to its adverse event, and never two events of one."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.test import RequestFactory
from django.utils import translation

from outcomes.models import AdverseEvent, AdverseEventOrigin
from outcomes.services.adverse_events import record_from_complication
from tests.factories import as_person, given, make_cast, make_subject, sign_in
from tests.outcomes.conftest import complicated, save_event, treated
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.casebook.services import void_record
from trialsite.core import slots
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.crf.services import void_row
from visits.models import Complication
from visits.models.session_rows import COMPLICATION_ACTIONS


def address(complication) -> str:
    return f"/complications/{complication.pk}/adverse-event/"


@given
def events(complication) -> list[AdverseEvent]:
    origins = AdverseEventOrigin.objects.filter(complication=complication)
    return list(AdverseEvent.objects.filter(pk__in=origins.values("record")))


def shown(complication, by) -> str:
    """What the run sheet shows beside the complication."""
    request = RequestFactory().get("/")
    request.user = by
    with as_person(by):
        return "".join(slots.fillings(COMPLICATION_ACTIONS, request, complication))


def test_one_click_begins_the_event_with_what_is_known(cast, session, complication):
    answer = sign_in(cast.nurse).post(address(complication))
    [event] = events(complication)
    assert answer.headers["Location"] == f"/records/{event.pk}/"
    assert (event.term, str(event.started_on), event.started_time.isoformat("minutes")) == (
        "Hypotension", "2026-03-05", "10:40",
    )  # fmt: skip
    assert event.description == "SBP 70, fluids"
    assert {event.grade, event.serious, event.outcome, event.related_cells} == {None}
    with as_person(cast.nurse):
        origin = AdverseEventOrigin.objects.get(record=event.pk)
        record = CrfRecord.objects.get(pk=event.pk)
    assert (origin.session_id, record.status) == (session.pk, RecordStatus.IN_PROGRESS)
    page = sign_in(cast.nurse).get(f"/records/{event.pk}/").content.decode()
    assert f'href="/records/{session.pk}/"' in page
    assert 'value="Hypotension"' in page


def test_the_term_is_in_the_persons_language(cast, complication):
    with translation.override("zh-hans"), as_person(cast.nurse):
        record_from_complication(complication=complication, by=cast.nurse)
        named = complication.get_code_display()
    assert [event.term for event in events(complication)] == [str(named)]


def test_another_complication_is_named_by_its_comment(cast, session):
    other = complicated(session, cast.nurse, code="OTHER", comment="Seizure\nfor a minute")
    sign_in(cast.nurse).post(address(other))
    assert [event.term for event in events(other)] == ["Seizure for a minute"]


def test_a_second_click_opens_the_same_event(cast, complication):
    client = sign_in(cast.nurse)
    first, second = (client.post(address(complication)) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert len(events(complication)) == 1


def test_a_double_click_makes_one_event(committed):
    cast = given(make_cast)()
    session = treated(make_subject(cast.site), cast.nurse)
    complication = complicated(session, cast.nurse)
    gate, made = threading.Barrier(4), []

    def click() -> None:
        try:
            gate.wait()
            with as_person(cast.nurse):
                record = record_from_complication(complication=complication, by=cast.nurse)
                made.append(record.pk)
        finally:
            connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(events(complication)) == 1


def test_a_voided_event_gives_its_complication_free(cast, complication):
    with as_person(cast.nurse):
        first = record_from_complication(complication=complication, by=cast.nurse)
        void_record(record=first, reason="wrong subject", by=cast.nurse)
        second = record_from_complication(complication=complication, by=cast.nurse)
    assert (first.pk != second.pk, second.repeat_key) == (True, 2)


def test_nothing_is_made_of_a_voided_complication_but_its_event_stays(cast, session, complication):
    other = complicated(session, cast.nurse, code="ALKALOSIS")
    with as_person(cast.nurse):
        made = record_from_complication(complication=complication, by=cast.nurse)
        for each in (complication, other):
            void_row(record=session.record, group=Complication, row_id=each.pk, reason="no",
                     by=cast.nurse)  # fmt: skip
        again = record_from_complication(complication=complication, by=cast.nurse)
        with pytest.raises(TransitionError):
            record_from_complication(complication=other, by=cast.nurse)
    assert made.pk == again.pk


def test_the_run_sheet_offers_the_button_and_then_the_event_with_its_state(cast, complication):
    before = shown(complication, cast.nurse)
    assert f'action="{address(complication)}"' in before
    assert "csrfmiddlewaretoken" in before
    assert shown(complication, cast.monitor) == ""
    with as_person(cast.nurse):
        record = record_from_complication(complication=complication, by=cast.nurse)
    for person in (cast.nurse, cast.monitor):
        after = shown(complication, person)
        assert f'href="/records/{record.pk}/"' in after
        assert "In progress" in after
        assert "<form" not in after
    save_event(record, cast.nurse, 1)
    assert "Complete" in shown(complication, cast.nurse)


def test_a_stranger_finds_no_complication_of_another_site(cast, complication):
    assert sign_in(cast.stranger).post(address(complication)).status_code == 404
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        record_from_complication(complication=complication, by=cast.monitor)
    assert events(complication) == []


def test_a_client_makes_it_once_too(api, complication):
    path = f"complications/{complication.pk}/adverse-event/"
    first, second = (api("nurse").post(path) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["ETag"] == '"1"'
