"""A death that others than its record tell of: a fatal event, an ending; nobody lives by it."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest

from outcomes.endpoints.course import Doubt, Span
from outcomes.endpoints.milestones import State, state_on
from outcomes.models import Disposition
from outcomes.selectors.courses import courses_of
from outcomes.selectors.endpoints import endpoints_of
from outcomes.selectors.survival import last_alive
from tests.factories import as_person, given, make_record, sign_in
from tests.outcomes.conftest import SERIOUS, save_death, save_event, treated
from tests.outcomes.test_courses import after, contact, course_of, enrolled, save, today
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of


@pytest.fixture
def zero(cast) -> dt.date:
    """Fifty days ago."""
    return today(cast.site) - dt.timedelta(days=50)


@pytest.fixture
def subject(cast, zero) -> Subject:
    """One who was treated then."""
    found = enrolled(cast.site, cast.nurse, zero)
    treated(found, cast.nurse, f"{zero}T10:00")
    return found


def fatal(cast, subject: Subject, zero: dt.date, **texts: Any) -> None:
    """A fatal event that began thirty days after day zero; nobody entered the death."""
    said: dict[str, Any] = SERIOUS | {
        "grade": "5", "outcome": "FATAL", "results_in_death": "true", "started_time": "",
        "started_on": after(zero, 30).isoformat(), "ended_on": "",
    }  # fmt: skip
    save_event(make_record(subject, form_oid="F.AE"), cast.nurse, complete="no", **said | texts)


def test_a_fatal_event_is_a_death_on_the_day_it_ended_and_no_sign_of_life(cast, subject, zero):
    fatal(cast, subject, zero, ended_on=after(zero, 33).isoformat())
    found = course_of(cast)
    assert found.died_on == Span(earliest=after(zero, 33), latest=after(zero, 33))
    assert found.doubts == {Doubt.DEATH_UNRECORDED}
    assert (found.last_alive_on, found.last_alive_by) == (after(zero, 30), "F.AE")
    assert [state_on(found, day) for day in (28, 32, 33, 50)] == [
        State.ALIVE_NATIVE, State.ALIVE_NATIVE, State.DEAD, State.DEAD,
    ]  # fmt: skip
    assert given(last_alive)([subject.pk])[subject.pk].proven == after(zero, 30)
    early = course_of(cast, on=after(zero, 32))
    assert (early.died_on, early.doubts) == (None, frozenset())


def test_a_fatal_event_without_an_end_is_a_death_after_the_last_evidence(cast, subject, zero):
    fatal(cast, subject, zero)
    found = course_of(cast)
    assert found.died_on == Span(earliest=after(zero, 30), latest=today(cast.site))
    assert found.doubts == {Doubt.DEATH_UNRECORDED, Doubt.DEATH_INEXACT}
    assert [state_on(found, day) for day in (29, 31)] == [State.ALIVE_NATIVE, State.UNKNOWN]
    contact(cast, subject, after(zero, 40), status="DEAD")
    assert course_of(cast).died_on == Span(earliest=after(zero, 30), latest=after(zero, 40))
    save_death(subject, cast.nurse, died_on=after(zero, 35).isoformat())
    found = course_of(cast)
    assert found.died_on == Span(earliest=after(zero, 35), latest=after(zero, 35))
    assert found.doubts == frozenset()


@pytest.mark.parametrize(("scope", "latest"), [("STUDY", 33), ("TREATMENT", 50)])
def test_an_ending_by_death_tells_of_a_death(cast, subject, zero, scope, latest):
    contact(cast, subject, after(zero, 10), last_alive_on=after(zero, 10).isoformat())
    texts = {"scope": scope, "reason": "DEATH", "ended_on": after(zero, 33).isoformat()}
    save(cast, subject, Disposition, texts)
    found = course_of(cast)
    assert found.died_on == Span(earliest=after(zero, 10), latest=after(zero, latest))
    assert found.doubts == {Doubt.DEATH_UNRECORDED, Doubt.DEATH_INEXACT}
    assert state_on(found, 28) is State.UNKNOWN
    assert course_of(cast, on=after(zero, 32)).died_on is None


def test_an_ending_by_death_that_says_no_day_tells_of_a_death(cast, subject, zero):
    save(cast, subject, Disposition, {"scope": "STUDY", "reason": "DEATH"})
    assert course_of(cast).died_on == Span(earliest=zero, latest=today(cast.site))


def test_a_death_that_only_a_fatal_event_tells_of_stands_in_every_figure(cast, subject, zero, api):
    fatal(cast, subject, zero, ended_on=after(zero, 33).isoformat())
    with as_person(cast.nurse):
        found = endpoints_of(courses_of(cast.nurse), protocol_of(subject.protocol_version_id))
    (step,) = found.overall.curve.steps
    assert (step.row.time, step.row.deaths, step.row.censored) == (33, (subject.pk,), ())
    said = api("nurse").get("endpoints/courses/").json()
    assert "death_unrecorded" in str(said)
    client = sign_in(cast.nurse)
    shown = client.get(f"/subjects/{subject.pk}/outcome/").content.decode()
    assert "This record tells of a death" in shown
    shown = client.get("/outcomes/endpoints/").content.decode()
    (listed,) = re.findall(r'href="([^"]*)" data-enrolled=', shown)
    shown = client.get(html.unescape(listed)).content.decode()
    assert "tells of the death; the form “Death” is missing" in shown
