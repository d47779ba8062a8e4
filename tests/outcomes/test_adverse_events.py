"""An adverse event: what is asked about it, what is impossible, what its list says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEvent
from outcomes.selectors.events import event_lines
from tests.factories import as_person, given, make_record, make_subject, sign_in
from tests.outcomes.conftest import SERIOUS, save_event, treated
from tests.screening.consenting import make_document, sign
from trialsite.casebook.models import Subject
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query

DEATH_TEXTS: dict[str, Any] = SERIOUS | {
    "grade": "5",
    "outcome": "FATAL",
    "results_in_death": "true",
}


@pytest.fixture
def record(subject):
    return make_record(subject, form_oid="F.AE")


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


def test_an_event_that_is_sound_asks_nothing(cast, record):
    assert save_event(record, cast.nurse).asked == {}


@pytest.mark.parametrize(
    ("texts", "check"),
    [
        ({"grade": "5"}, "AE.FATAL_GRADE"),
        ({"outcome": "FATAL", "serious": "true", "results_in_death": "true"}, "AE.FATAL_GRADE"),
        (DEATH_TEXTS | {"results_in_death": ""}, "AE.FATAL_CRITERION"),
        (DEATH_TEXTS, "AE.DEATH_FORM"),
        ({"serious": "true"}, "AE.CRITERION"),
        ({"life_threatening": "true"}, "AE.SERIOUS"),
        ({"grade": "4"}, "AE.GRADE_4"),
        ({"ended_on": ""}, "AE.END"),
        ({"ongoing": "true", "ended_on": ""}, "AE.ONGOING"),
        (SERIOUS | {"results_in_death": "true"}, "AE.DEATH_CRITERION"),
        (SERIOUS | {"hospitalisation": "true"}, "AE.HOSPITAL"),
        (SERIOUS | {"aware_at": ""}, "AE.AWARE"),
        (SERIOUS | {"aware_at": "2026-03-05T10:39"}, "AE.AWARE_BEFORE"),
        (SERIOUS | {"aware_at": "2026-03-04T23:59", "started_time": ""}, "AE.AWARE_BEFORE"),
        (SERIOUS | {"expectedness": ""}, "AE.EXPECTED_SAID"),
    ],
)
def test_what_does_not_fit_together_is_kept_and_asked_about(cast, record, texts, check):
    save_event(record, cast.nurse, **texts)
    assert check in asked(record)


@pytest.mark.parametrize(
    "texts",
    [
        SERIOUS,
        SERIOUS | {"hospitalisation": "true", "description": "Ten days more on the ward"},
        SERIOUS | {"prevented": "true", "aware_at": "2026-03-05T10:40"},
        SERIOUS | {"grade": "4", "life_threatening": "true"},
        SERIOUS | {"started_on": "2026-03", "started_time": "", "aware_at": "2026-03-01T00:00"},
        {"ongoing": "true", "ended_on": "", "outcome": "RECOVERING/RESOLVING"},
    ],
)
def test_what_fits_together_asks_nothing(cast, record, texts):
    save_event(record, cast.nurse, **texts)
    assert asked(record) == set()


def test_a_fatal_event_asks_no_more_once_the_death_is_recorded(cast, subject, record):
    given(Subject.objects.filter(pk=subject.pk).update)(died_on="2026-03-05")
    save_event(record, cast.nurse, **DEATH_TEXTS)
    assert asked(record) == set()


@pytest.mark.parametrize(
    ("texts", "item"),
    [
        ({"ended_on": "2026-03-04"}, "ended_on"),
        ({"ended_on": "2026-02"}, "ended_on"),
        ({"ended_time": "10:39"}, "ended_time"),
        ({"started_on": "2026-03", "ended_on": ""}, "started_on"),
        ({"ended_on": "2026-03", "ended_time": "12:00"}, "ended_on"),
        ({"ongoing": "true"}, "ongoing"),
        ({"started_on": "2027-01-01", "ended_on": "2027-01-01"}, "started_on"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_item(cast, record, texts, item):
    with pytest.raises(ImpossibleError) as refused:
        save_event(record, cast.nurse, **texts)
    assert item in refused.value.errors


def test_an_end_at_the_minute_of_the_start_stands(cast, record):
    assert save_event(record, cast.nurse, ended_time="10:40").asked == {}


def test_an_event_may_end_on_a_later_day_at_an_earlier_hour(cast, record):
    assert save_event(record, cast.nurse, ended_on="2026-03-06", ended_time="08:00").asked == {}


def test_an_event_does_not_begin_after_death_but_one_of_before_is_followed_up(
    cast, subject, record
):
    given(Subject.objects.filter(pk=subject.pk).update)(died_on="2026-03-05")
    save_event(record, cast.nurse, ended_time="11:00")
    late = make_record(subject, form_oid="F.AE", repeat_key=2)
    with pytest.raises(ImpossibleError) as refused:
        save_event(late, cast.nurse, started_on="2026-03-06", ended_on="2026-03-06")
    assert set(refused.value.errors) == {"started_on", "ended_on"}
    saved = save_event(
        record, cast.nurse, 1, ended_time="11:00", related_cells="POSSIBLE", reason="late autopsy"
    )
    assert saved.changed == {"related_cells"}


@pytest.mark.parametrize(
    ("on", "time", "asks"),
    [
        ("2026-03-04", "", False),
        ("2026-03-05", "", True),
        ("2026-03-05", "08:00", False),
        ("2026-03-06", "", True),
        ("2026-03-07", "", False),
        ("2026-03", "", False),
    ],
)
def test_on_the_days_of_a_session_the_time_of_the_onset_is_asked_for(
    cast, subject, record, on, time, asks
):
    treated(subject, cast.nurse, "2026-03-05T20:00")
    save_event(record, cast.nurse, started_on=on, started_time=time, ended_on="2026-03-08")
    assert asked(record) == ({"AE.ONSET_TIME"} if asks else set())


def test_a_reason_why_there_is_no_time_settles_it(cast, session, record):
    unknown: dict[str, Any] = {"started_time": "", "started_time.missing": "UNK"}
    save_event(record, cast.nurse, **unknown)
    assert asked(record) == set()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"serious": True}, (True, False, False)),
        ({"serious": True, "related_cells": "POSSIBLE"}, (True, True, False)),
        ({"serious": True, "related_circuit": "NOT ASSESSABLE", "expectedness": "UNEXPECTED"},
         (True, True, True)),
        ({"serious": True, "related_anticoagulant": "DEFINITE", "expectedness": "NOT_ASSESSED"},
         (True, True, False)),
        ({"serious": False, "related_cells": "PROBABLE", "expectedness": "UNEXPECTED"},
         (False, True, False)),
        ({"serious": True, "related_procedure": "DEFINITE", "expectedness": "UNEXPECTED"},
         (True, False, False)),
        ({"serious": True, "related_cells": "UNLIKELY", "expectedness": "UNEXPECTED"},
         (True, False, False)),
        ({}, (False, False, False)),
    ],
)  # fmt: skip
def test_serious_related_and_unexpected_together_are_what_is_reported_at_once(fields, said):
    event = AdverseEvent(**fields)
    assert (event.is_sae, event.is_related, event.is_suspected_unexpected) == said


@pytest.mark.parametrize(
    ("start", "hint"), [("2026-03-04", False), ("2026-03-05", True), ("2026-03", True)]
)
def test_the_list_asks_for_the_time_of_the_onset_only_where_that_decides(
    cast, subject, record, start, hint
):
    treated(subject, cast.nurse)
    going_on: dict[str, Any] = {
        "ongoing": "true",
        "ended_on": "",
        "outcome": "NOT RECOVERED/NOT RESOLVED",
    }
    save_event(record, cast.nurse, started_on=start, started_time="", **going_on, complete="no")
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/adverse-events/").content.decode()
    assert "Cannot be said" in shown
    assert ("The time of the onset decides." in shown) is hint


def test_the_list_reads_the_events_of_a_subject(cast, subject, record):
    treated(subject, cast.nurse)
    save_event(record, cast.nurse, serious="true", hospitalisation="true")
    make_record(subject, form_oid="F.AE", repeat_key=2)
    with as_person(cast.nurse):
        first, second = event_lines(subject)
    assert (first.onset, first.end, first.emergent) == ("2026-03-05 10:40", "2026-03-05", True)
    assert (second.event, second.emergent) == (None, None)
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/adverse-events/").content.decode()
    for word in ("Hypotension", "2 moderate", "Serious", "2026-03-05 10:40", "Recovered"):
        assert word in shown


def test_a_stranger_sees_no_events_of_another_site(cast, subject):
    assert sign_in(cast.stranger).get(f"/subjects/{subject.pk}/adverse-events/").status_code == 404


def test_the_monitor_reads_and_begins_nothing(cast, subject):
    page = sign_in(cast.monitor).get(f"/subjects/{subject.pk}/adverse-events/")
    assert page.status_code == 200
    assert "Record the death" not in page.content.decode()
    assert sign_in(cast.monitor).post(f"/subjects/{subject.pk}/death/").status_code == 403


def test_many_events_cost_no_more_queries_than_one(cast, subject):
    client, counts = sign_in(cast.nurse), []
    for number in range(1, 5):
        make_record(subject, form_oid="F.AE", repeat_key=number)
        with CaptureQueriesContext(connection) as seen:
            client.get(f"/subjects/{subject.pk}/adverse-events/")
        counts.append(len(seen))
    assert counts[1] == counts[3]


@pytest.mark.parametrize(
    ("days", "precision", "asks"),
    [(-1, 10, True), (0, 10, False), (1, 10, False), (-40, 7, True), (0, 7, False), (0, 4, False)],
)
def test_an_event_known_to_lie_before_the_first_consent_is_asked_about(
    cast, subject, record, days, precision, asks
):
    consent = sign(cast, subject, make_document(cast, cast.site), days=-20, by=cast.investigator)
    began = (consent.signed_at.date() + dt.timedelta(days=days)).isoformat()[:precision]
    save_event(record, cast.nurse, started_on=began, started_time="", ongoing="true", ended_on="",
               outcome="NOT RECOVERED/NOT RESOLVED")  # fmt: skip
    assert asked(record) == ({"AE.BEFORE_CONSENT"} if asks else set())


def test_other_subjects_are_left_alone(cast, subject, record):
    save_event(record, cast.nurse)
    with as_person(cast.nurse):
        assert event_lines(make_subject(cast.site)) == []
