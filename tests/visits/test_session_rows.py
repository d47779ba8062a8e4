"""The rows of a run sheet: what happened at the bedside is kept as it was (decisions C1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from tests.factories import as_person, given
from tests.screening.consenting import wall
from tests.visits.treating import end, ended, fresh, read, running, treatable
from trialsite.casebook.models import VisitStatus
from trialsite.casebook.services import record_death
from trialsite.core.exceptions import StaleError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query
from visits.models import Complication, IntegrityTest, SessionReading
from visits.models.session_codes import State
from visits.services.sessions import cells_off, cells_on, complete_session, void_session


@pytest.fixture
def session(cast):
    return running(cast, treatable(cast), hours=-6)


def clock(session, hours: float) -> str:
    return wall(session.subject.site, hours=hours).isoformat(timespec="minutes")


def texts(session, hours: Any = -5, **changes: Any) -> dict[str, str]:
    said = {
        "observed_at": clock(session, hours),
        "systolic": "118",
        "diastolic": "70",
        "heart_rate": "80",
    }
    return said | changes


def row_of(saved) -> SessionReading:
    found: SessionReading = given(SessionReading.objects.get)(pk=saved.row.pk)
    return found


def test_pressures_are_derived_by_the_database(cast, session):
    said = {
        "prefilter_pressure": "180",
        "return_pressure": "90",
        "effluent_pressure": "85",
        "access_pressure": "-150",
    }
    row = row_of(read(session, cast.nurse, texts(session, **said)))
    assert row.mean_arterial == Decimal("86.0")
    assert (row.transmembrane, row.filter_drop) == (Decimal("50.0"), 90)
    assert row_of(read(session, cast.nurse, texts(session))).transmembrane is None


@pytest.mark.parametrize(
    ("gcs", "total"), [("15", 15), ("3", 3), ("10T", None), ("2T", None), ("9", 9)]
)
def test_gcs_may_be_untestable_in_words(cast, session, gcs, total):
    row = row_of(read(session, cast.nurse, texts(session, gcs=gcs)))
    assert (row.gcs, row.gcs_total) == (gcs, total)


@pytest.mark.parametrize("gcs", ["2", "16", "11T", "T", "1T", "x"])
def test_gcs_off_the_scale_is_refused(cast, session, gcs):
    with pytest.raises(ImpossibleError) as refused:
        read(session, cast.nurse, texts(session, gcs=gcs))
    assert list(refused.value.errors) == ["gcs"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"systolic": "60", "diastolic": "90"}, {"systolic", "diastolic"}),
        ({"heart_rate": "-1"}, {"heart_rate"}),
        ({"respiratory_rate": "-1"}, {"respiratory_rate"}),
        ({"oxygen_saturation": "101"}, {"oxygen_saturation"}),
        ({"oxygen_saturation": "-1"}, {"oxygen_saturation"}),
        ({"blood_flow": "-1"}, {"blood_flow"}),
        ({"plasma_flow": "-0.5"}, {"plasma_flow"}),
        ({"reactor_flow": "-2"}, {"reactor_flow"}),
    ],
)
def test_only_the_impossible_is_refused(cast, session, changes, fields):
    with pytest.raises(ImpossibleError) as refused:
        read(session, cast.nurse, texts(session, **changes))
    assert set(refused.value.errors) == fields


@pytest.mark.parametrize(
    "changes",
    [
        {"heart_rate": "0"},
        {"heart_rate": "260"},
        {"systolic": "0", "diastolic": "0"},
        {"systolic": "300", "diastolic": "0"},
        {"oxygen_saturation": "0"},
        {"temperature": "27.5"},
        {"access_pressure": "-400", "return_pressure": "-50"},
        {"blood_flow": "0", "plasma_flow": "0", "reactor_flow": "0"},
        {"west_haven": "IV", "gcs": "3T"},
        {"planned_minute": "-15"},
    ],
)
def test_the_extreme_is_kept(cast, session, changes):
    row = row_of(read(session, cast.nurse, texts(session, **changes)))
    for name, said in changes.items():
        assert str(getattr(row, name)).removesuffix(".0") == said


def test_an_arrest_at_the_bedside_is_kept_to_the_end(cast):
    """HR 0, 0/0, GCS T, cells off, the end, and death 40 minutes later."""
    subject = treatable(cast)
    session, by = running(cast, subject, hours=-2), cast.nurse
    site = subject.site
    with as_person(by):
        cells_on(session=session, at=wall(site, hours=-1.5), by=by)
    arrest = {"systolic": "0", "diastolic": "0", "heart_rate": "0", "gcs": "3T"}
    zero = {"respiratory_rate": "0", "oxygen_saturation": "0", "west_haven": "IV"}
    row = row_of(read(session, by, texts(session, -1, **arrest, **zero)))
    assert (row.systolic, row.heart_rate, row.gcs, row.mean_arterial) == (0, 0, "3T", 0)
    with as_person(by):
        cells_off(session=fresh_session(session), at=wall(site, hours=-0.9), by=by)
    end(cast, fresh_session(session), wall(site, hours=-0.8), why="ARREST", by=by)
    said = {"code": "ARREST", "onset_at": clock(session, -1), "severity": "SEVERE"}
    read(session, by, said, group=Complication)
    with as_person(by):
        record_death(subject=fresh(subject), died_on=wall(site).date().isoformat(), by=by)
    read(session, by, texts(session, -0.4, **arrest))
    assert fresh_session(session).state is State.ENDED
    left = given(lambda: set(subject.visits.values_list("status", flat=True)))()
    assert left <= {VisitStatus.ATTENDED, VisitStatus.NOT_REQUIRED}
    assert VisitStatus.NOT_REQUIRED in left


def fresh_session(session):
    query = type(session).objects.select_related("record", "subject__site", "site")
    return given(query.get)(pk=session.pk)


def test_rows_are_kept_even_by_sql_within_what_is_possible(cast, session):
    row = row_of(read(session, cast.nurse, texts(session)))
    sql = "UPDATE visits_sessionreading SET {} WHERE id = %s"
    with as_person(cast.nurse), connection.cursor() as cursor:
        cursor.execute(sql.format("systolic = 0, diastolic = 0, heart_rate = 0"), [row.pk])
        with pytest.raises(IntegrityError, match="systolic_not_below"), transaction.atomic():
            cursor.execute(sql.format("systolic = 10, diastolic = 20"), [row.pk])


def test_two_people_on_two_rows_do_not_meet(cast, session):
    mine = row_of(read(session, cast.nurse, texts(session)))
    theirs = row_of(read(session, cast.second_nurse, texts(session, -4)))
    assert [mine.number, theirs.number] == [1, 2]
    for person, row in ((cast.nurse, mine), (cast.second_nurse, theirs)):
        again = read(
            session,
            person,
            texts(session, systolic="120"),
            row_id=row.pk,
            base_version=1,
        )
        assert row_of(again).version == 2


def test_two_people_on_one_row_are_told_of_each_other(cast, session):
    saved = read(session, cast.nurse, texts(session))
    options = {"row_id": saved.row.pk, "base_version": 1}
    read(session, cast.second_nurse, texts(session, systolic="90"), **options)
    with pytest.raises(StaleError) as stale:
        read(session, cast.nurse, texts(session, systolic="95"), **options)
    assert stale.value.current["systolic"] == "90"


def test_what_is_worth_asking_is_asked_once_the_sheet_is_complete(cast):
    session = ended(cast, treatable(cast), hours=-7)
    said = {"plasma_colour": "2", "west_haven": "III"}
    asked = read(session, cast.nurse, texts(session, -6, **said)).asked
    assert set(asked) == {"plasma_colour", "west_haven"}
    with as_person(cast.nurse):
        complete_session(session=session, by=cast.nurse)
    rows = Query.objects.filter(record=session.pk, row_id__isnull=False)
    oids = given(lambda: set(rows.values_list("check_oid", flat=True)))()
    assert oids == {"TXR.HAEMOLYSIS", "TXR.HE_WORSE"}


COUNT = {"method": "RETURN_COUNT", "value_unit": "10*3/mL"}


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"method": "RETURN_COUNT", "value": "0.2", "value_unit": "10*3/mL"}, {"result"}),
        ({"method": "RETURN_COUNT", "value": "0", "value_unit": "10*3/mL"}, set()),
        ({"method": "PRESSURE_HOLD", "value": "0.2"}, {"value_unit"}),
        (
            {"method": "RETURN_COUNT", "value": "3", "result": "FAIL", "value_unit": "10*3/mL"},
            set(),
        ),
    ],
)
def test_cells_in_the_return_line_do_not_pass_in_silence(cast, session, changes, asked):
    said = {"stage": "AFTER", "tested_at": clock(session, -1), "result": "PASS"}
    assert set(read(session, cast.nurse, said | changes, group=IntegrityTest).asked) == asked


def test_a_negative_count_of_cells_is_impossible(cast, session):
    said = {"stage": "AFTER", "tested_at": clock(session, -1), "result": "PASS"}
    count = {"method": "RETURN_COUNT", "value": "-1"}
    with pytest.raises(ImpossibleError):
        read(session, cast.nurse, said | count, group=IntegrityTest)


def test_a_row_of_a_voided_session_is_not_entered(cast, session):
    with as_person(cast.nurse):
        void_session(session=session, reason="Entered twice", by=cast.nurse)
        entry = read_texts(SessionReading, texts(session))
        with pytest.raises(TransitionError):
            save_row(record=session.record, group=SessionReading, entry=entry, by=cast.nurse)
