"""After a death: nothing of the living person is dated later, in any form there is; what
becomes of tubes, results and follow-up goes on (decisions C10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from screening.models.consent import Scope
from tests.api.filling import texts_for
from tests.factories import as_person, given, make_record, make_subject
from tests.outcomes.conftest import save_death
from tests.outcomes.following import day
from tests.outcomes.test_deaths import asked, proposed, vital_signs
from tests.screening.consenting import wall, withdraw
from tests.visits.treating import end, entered, prepared, running, treatable
from trialsite.casebook.models import Subject
from trialsite.casebook.services import record_death
from trialsite.core.exceptions import DomainError
from trialsite.core.partial_dates import PartialDateField
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.models import CrfRow
from trialsite.crf.registry import forms
from trialsite.crf.services import save_crf, save_row
from trialsite.crf.violations import ImpossibleError
from visits.models.session_codes import State
from visits.services.sessions import Times, cells_on, correct_times

DIED = "2026-03-06"

OBSERVED = [
    pytest.param(table, name, id=item.oid)
    for form in forms().values()
    for table in form.tables
    for name, item in items_of(table).items()
    if item.observed
]


def test_there_are_observations_to_refuse():
    oids = {param.id for param in OBSERVED}
    assert {"I.VS.VSDTC", "I.TXR.AT", "I.AE.AESTDAT", "I.SS.LKADAT", "I.LT.LTDAT"} <= oids


def late(column, later: str) -> str:
    return f"{later}T09:00" if isinstance(column, WallTimeField) else later


def save_one(cast, table, texts):
    record = make_record(make_died(cast), form_oid=table.form_oid)
    with as_person(cast.nurse):
        entry = read_texts(table, texts)
        if issubclass(table, CrfRow):
            return save_row(record=record, group=table, entry=entry, by=cast.nurse)
        return save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)


def make_died(cast) -> Subject:
    subject = make_subject(cast.site, status="enrolled")
    with as_person(cast.nurse):
        return record_death(subject=subject, died_on=DIED, by=cast.nurse)


@pytest.mark.parametrize(("table", "name"), OBSERVED)
def test_whatever_is_observed_is_refused_after_the_death_with_the_reason(cast, table, name):
    column = items_of(table)[name].field
    texts = {name: late(column, "2026-03-07")}
    if name == "last_alive_on":
        texts["contact_on"] = "2026-03-08"
    with pytest.raises(ImpossibleError) as refused:
        save_one(cast, table, texts)
    assert refused.value.errors[name] == ["The participant died on 2026-03-06: this is later."]


@pytest.mark.parametrize(("table", "name"), OBSERVED)
def test_on_the_day_of_death_it_is_kept(cast, table, name):
    column = items_of(table)[name].field
    others = {other for other, item in items_of(table).items() if item.observed and other != name}
    texts = {
        other: text
        for other, text in texts_for(table).items()
        if other not in others and not _dated(table, other)
    }
    assert save_one(cast, table, texts | {name: late(column, DIED)} | _beside(name))


def _dated(table, name) -> bool:
    kinds = (WallTimeField, PartialDateField)
    return isinstance(items_of(table)[name].field, kinds) or name.endswith(("_time", "_date"))


def _beside(name) -> dict[str, str]:
    return {"contact_on": DIED} if name == "last_alive_on" else {}


@pytest.mark.parametrize(
    ("seen", "died_time", "asks"),
    [
        ("2026-03-06T16:41", "16:40", True),
        ("2026-03-06T16:40", "16:40", False),
        ("2026-03-06T18:00", "", False),
        ("2026-03-05T23:59", "00:01", False),
    ],
)
def test_an_observation_later_on_the_day_of_death_is_asked_about(cast, seen, died_time, asks):
    subject = make_subject(cast.site, status="enrolled")
    vital_signs(subject, cast.nurse, seen)
    saved = save_death(subject, cast.nurse, died_on=DIED, died_time=died_time)
    assert ("DTH.SEEN_LATER_THAT_DAY" in asked(saved.record)) is asks


class TestHold:
    """A death and a session, in whatever order they are entered."""

    def test_a_session_entered_after_the_death_proposes_the_hold(self, cast):
        subject = treatable(cast)
        session = prepared(cast, subject)
        died = wall(subject.site, hours=-2)
        texts: Any = {"died_on": died.date().isoformat(), "died_time": died.strftime("%H:%M")}
        save_death(subject, cast.nurse, **texts)
        assert proposed(subject) == []
        entered(cast, session, hours=-10, late_reason="From paper")
        assert [each[0] for each in proposed(subject)] == ["death_after_session"]

    def test_a_session_long_before_proposes_none(self, cast):
        subject = treatable(cast)
        session = prepared(cast, subject)
        save_death(subject, cast.nurse, died_on=day(subject, 0).isoformat())
        entered(cast, session, hours=-80, late_reason="From paper")
        assert proposed(subject) == []


def test_a_circuit_that_runs_when_all_data_are_withdrawn_is_ended_and_its_end_kept(cast):
    subject = treatable(cast)
    session = running(cast, subject, hours=-5)
    withdraw(cast, subject, Scope.ALL_DATA)
    done = end(cast, session, wall(subject.site), why="REQUEST")
    assert done.state is State.ENDED
    assert given(type(session).objects.get)(pk=session.pk).ended_at is not None


def test_after_a_withdrawal_of_all_data_nothing_else_of_the_session_is_entered(cast):
    subject = treatable(cast)
    session = running(cast, subject, hours=-5)
    withdraw(cast, subject, Scope.ALL_DATA)
    with pytest.raises(DomainError, match="withdrawn"), as_person(cast.investigator):
        cells_on(session=session, at=wall(subject.site, hours=-1), by=cast.investigator)
    done = end(cast, session, wall(subject.site), why="REQUEST")
    times = replace(Times.of(done), ended_at=wall(subject.site, hours=-1))
    with pytest.raises(DomainError, match="withdrawn"), as_person(cast.investigator):
        correct_times(session=done, times=times, reason="slip", by=cast.investigator)
