"""An adverse event: what is asked about it, what is impossible, what its list says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEvent
from outcomes.selectors.events import event_lines, treatment_emergent
from tests.factories import as_person, given, make_record, make_subject, sign_in
from tests.outcomes.conftest import save_event, treated
from tests.screening.consenting import make_document, sign
from trialsite.casebook.models import Subject
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query

DEATH_TEXTS: dict[str, Any] = {
    "grade": "5",
    "outcome": "FATAL",
    "serious": "true",
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
    ],
)
def test_what_does_not_fit_together_is_kept_and_asked_about(cast, record, texts, check):
    save_event(record, cast.nurse, **texts)
    assert check in asked(record)


@pytest.mark.parametrize(
    "texts",
    [
        {"serious": "true", "hospitalisation": "true"},
        {"serious": "true", "prevented": "true"},
        {"grade": "4", "serious": "true", "life_threatening": "true"},
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


FIRST = dt.datetime.fromisoformat("2026-03-05T10:00")


@pytest.mark.parametrize(
    ("on", "time", "emergent"),
    [
        ("2026-03-04", None, False),
        ("2026-03-05", dt.time(9, 59), False),
        ("2026-03-05", dt.time(10, 0), True),
        ("2026-03-05", None, None),
        ("2026-03-06", None, True),
        ("2026-03", None, None),
        ("2026-02", None, False),
        ("2026-04", None, True),
        ("2026", None, None),
    ],
)
def test_an_event_is_under_treatment_as_far_as_its_dates_tell(on, time, emergent):
    event = AdverseEvent(started_time=time)
    event.started_on = PartialDate.parse(on)
    assert treatment_emergent(event, FIRST) is emergent
    assert treatment_emergent(event, None) is None


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
