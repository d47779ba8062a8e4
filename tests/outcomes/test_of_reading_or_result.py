"""One click from a bedside reading or a laboratory result to its adverse event."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEvent, AdverseEventOrigin
from outcomes.services.adverse_events import record_from_reading, record_from_result
from tests.factories import as_person, given, make_record, sign_in
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row, void_row
from trialsite.labs.models import LabPanel, LabResult
from visits.models import SessionReading

LOW = {
    "observed_at": "2026-03-05T11:20",
    "systolic": "70",
    "diastolic": "40",
    "heart_rate": "132",
    "temperature": "36.8",
}


def read(session, by, **texts) -> SessionReading:
    with as_person(by):
        saved = save_row(
            record=CrfRecord.objects.get(pk=session.pk), group=SessionReading,
            entry=read_texts(SessionReading, LOW | texts), by=by,
        )  # fmt: skip
    assert isinstance(saved.row, SessionReading)
    return saved.row


@given
def resulted(subject, at="2026-03-05T12:00", **facts: Any) -> LabResult:
    number = CrfRecord.objects.filter(subject=subject, form_oid="F.LB").count() + 1
    record = make_record(subject, form_oid="F.LB", repeat_key=number)
    panel = LabPanel.objects.create(
        record=record, site_id=subject.site_id, subject=subject, time_zone="Asia/Shanghai",
        collected_at=dt.datetime.fromisoformat(at), specimen="SERUM",
    )  # fmt: skip
    value = Decimal(str(facts.pop("value", "2.4")))
    usual: dict[str, Any] = {
        "analyte": "K", "unit": "mmol/L", "flag": "low", "range_low": Decimal("3.5"),
        "range_high": Decimal("5.3"), "range_unit": "mmol/L",
    }  # fmt: skip
    facts = usual | facts
    return LabResult.objects.create(
        panel=panel, site_id=subject.site_id, subject=subject, text=str(value), value=value,
        canonical=value, canonical_unit=facts["unit"], factor=Decimal(1),
        range_factor=Decimal(1), **facts,
    )  # fmt: skip


@given
def event(record) -> AdverseEvent:
    return AdverseEvent.objects.get(pk=record.pk)


@given
def origin(record) -> AdverseEventOrigin:
    return AdverseEventOrigin.objects.get(pk=record.pk)


def begin(by, **source: Any) -> CrfRecord:
    with as_person(by):
        if "reading" in source:
            return record_from_reading(reading=source["reading"], by=by)
        return record_from_result(result=source["result"], by=by)


def test_a_reading_out_of_range_begins_an_event_that_is_not_judged(cast, session):
    found = read(session, cast.nurse)
    record = begin(cast.nurse, reading=found)
    made, of = event(record), origin(record)
    assert (made.term, str(made.started_on), made.started_time) == (
        "Hypotension", "2026-03-05", dt.time(11, 20),
    )  # fmt: skip
    assert "132 /min" in made.description
    assert "Systolic blood pressure 70" in made.description
    assert "36.8" not in made.description
    assert {made.grade, made.serious, made.related_cells, made.outcome} == {None}
    assert (of.session_id, of.reading_id) == (session.pk, found.pk)


@pytest.mark.parametrize(
    ("texts", "term"),
    [
        ({"systolic": "200", "diastolic": "130"}, "Hypertension"),
        ({"systolic": "118", "diastolic": "70", "heart_rate": "30"}, "Bradycardia"),
        ({"systolic": "118", "diastolic": "70", "heart_rate": "80", "temperature": "39.2"},
         "Fever"),
        ({"systolic": "118", "diastolic": "70", "heart_rate": "80", "oxygen_saturation": "80"},
         "Hypoxia"),
        ({"systolic": "118", "diastolic": "70", "heart_rate": "80", "gcs": "8"},
         "Depressed level of consciousness"),
    ],
)  # fmt: skip
def test_the_value_that_is_out_of_range_names_the_event(cast, session, texts, term):
    assert event(begin(cast.nurse, reading=read(session, cast.nurse, **texts))).term == term


def test_a_result_begins_an_event_with_the_grade_of_its_value(cast, subject, session):
    record = begin(cast.nurse, result=resulted(subject))
    made, of = event(record), origin(record)
    assert (made.term.endswith("decreased"), made.grade) == (True, 4)
    assert (str(made.started_on), made.started_time) == ("2026-03-05", dt.time(12, 0))
    assert "2.4 mmol/L (3.5–5.3)" in made.description
    assert of.session_id == session.pk


@pytest.mark.parametrize(
    ("at", "linked"),
    [("2026-03-05T09:59", False), ("2026-03-05T10:00", True), ("2026-03-06T16:00", True),
     ("2026-03-06T16:01", False)],
)  # fmt: skip
def test_a_result_belongs_to_the_session_until_a_day_after_its_end(
    cast, subject, session, at, linked
):
    of = origin(begin(cast.nurse, result=resulted(subject, at)))
    assert of.session_id == (session.pk if linked else None)


def test_one_source_has_one_standing_event(cast, subject, session):
    sources = ({"reading": read(session, cast.nurse)}, {"result": resulted(subject)})
    for source in sources:
        first = begin(cast.nurse, **source)
        assert begin(cast.second_nurse, **source).pk == first.pk
        with as_person(cast.nurse):
            void_record(record=first, reason="wrong subject", by=cast.nurse)
        assert begin(cast.nurse, **source).pk != first.pk


def test_of_what_was_voided_no_event_is_made(cast, subject, session):
    found, result = read(session, cast.nurse), resulted(subject)
    with as_person(cast.nurse):
        void_row(record=session.record, group=SessionReading, row_id=found.pk, reason="no",
                 by=cast.nurse)  # fmt: skip
        void_record(record=result.panel.record, reason="no", by=cast.nurse)
    for source in ({"reading": found}, {"result": result}):
        with pytest.raises(TransitionError):
            begin(cast.nurse, **source)


def test_the_sheet_offers_the_button_where_the_patient_is_out_of_range(cast, session):
    sound = read(session, cast.nurse, systolic="118", diastolic="70", heart_rate="80")
    found = read(session, cast.nurse, observed_at="2026-03-05T11:50")
    address = f"/sessions/{session.pk}/"
    client = sign_in(cast.nurse)
    page = client.get(f"/records/{session.pk}/", follow=True).content.decode()
    assert 'id="make-event"' in page
    assert f'name="reading" value="{found.pk}"' in page
    assert f'value="{sound.pk}"' not in page
    made = client.post("/adverse-events/of/", {"reading": str(found.pk)})
    page = client.get(f"/records/{session.pk}/", follow=True).content.decode()
    assert f'href="{made.headers["Location"]}"' in page
    assert f'name="reading" value="{found.pk}"' not in page
    watched = sign_in(cast.monitor).get(f"/records/{session.pk}/", follow=True).content.decode()
    assert "make-event" not in watched
    assert address


def test_many_readings_cost_no_more_queries_than_one(cast, session):
    client, counts = sign_in(cast.nurse), []
    for minute in range(10, 50, 10):
        read(session, cast.nurse, observed_at=f"2026-03-05T11:{minute}")
        with CaptureQueriesContext(connection) as seen:
            client.get(f"/records/{session.pk}/", follow=True)
        counts.append(len(seen))
    assert counts[1] == counts[3]


def test_the_panel_offers_the_button_beside_what_is_abnormal(cast, subject, session):
    result = resulted(subject)
    client = sign_in(cast.nurse)
    page = client.get(f"/records/{result.panel_id}/", follow=True).content.decode()
    assert f'name="result" value="{result.pk}"' in page
    made = client.post("/adverse-events/of/", {"result": str(result.pk)}).headers["Location"]
    page = client.get(f"/records/{result.panel_id}/", follow=True).content.decode()
    assert f'href="{made}"' in page
    sound = resulted(subject, flag="normal", value="4.1")
    page = client.get(f"/records/{sound.panel_id}/", follow=True).content.decode()
    assert f'value="{sound.pk}"' not in page


def test_foreign_sources_are_not_found(cast, subject, session):
    found, result = read(session, cast.nurse), resulted(subject)
    client = sign_in(cast.stranger)
    for body in ({"reading": str(found.pk)}, {"result": str(result.pk)}, {"reading": "x"}, {}):
        assert client.post("/adverse-events/of/", body).status_code == 404
    assert sign_in(cast.monitor).post("/adverse-events/of/", {}).status_code == 403
    with pytest.raises(NotPermittedError):
        begin(cast.monitor, reading=found)


def test_a_client_begins_both_once(cast, api, subject, session):
    found, result = read(session, cast.nurse), resulted(subject)
    nurse = api("nurse")
    for path in (
        f"session-readings/{found.pk}/adverse-event/", f"lab-results/{result.pk}/adverse-event/",
    ):  # fmt: skip
        first, second = nurse.post(path), nurse.post(path)
        assert first.status_code == second.status_code == 200
        assert first.json()["id"] == second.json()["id"]
