"""What may go into a reactor, what may not, and what is asked about what went in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import as_person, given, make_cast, make_subject
from tests.screening.test_enrolment import at_once
from tests.visits.products import (
    examined,
    here,
    load,
    load_facts,
    make_session,
    make_treated,
    received,
    registered,
    released,
    released_long_ago,
)
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus, Subject
from trialsite.conduct.models import Deviation
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.violations import ImpossibleError
from visits.models import LoadedProduct, LotMovement, MovementKind, TreatmentSession
from visits.selectors.products import (
    connect_by,
    load_problems,
    lot_problem,
    recall,
    unconfirmed_loads,
    units_left,
)
from visits.services.products import (
    confirm_load,
    judge_thawing,
    load_product,
    quarantine_lot,
    recall_lot,
    void_load,
    void_loads,
)


@pytest.fixture
def lot(cast):
    lot = released(cast)
    received(cast, lot)
    return lot


@pytest.fixture
def session(cast) -> TreatmentSession:
    return make_treated(cast.site)


def refused(cast, session, lot, **changes) -> dict[str, list[str]]:
    with pytest.raises(ImpossibleError) as error:
        load(cast, session, lot, **changes)
    return error.value.errors


def stop(cast, lot, act) -> None:
    by = cast.investigator
    with as_person(by):
        act(lot=lot, reason="letter", by=by)


def test_loaded_cells_leave_the_stock_and_name_two_people(cast, session, lot):
    loaded = load(cast, session, f" {lot.code.lower()} ", units=2)
    assert (loaded.lot, loaded.movement.units, loaded.movement.kind) == (lot, 2, "loaded")
    assert (loaded.loaded_by, loaded.checked_by) == (cast.nurse, cast.investigator)
    with as_person(cast.nurse):
        assert units_left(lot, cast.site.pk) == 3
        record = TreatmentSession.objects.get(pk=session.pk).record
    assert (record.version, record.status) == (1, RecordStatus.IN_PROGRESS)


@pytest.mark.parametrize("act", [quarantine_lot, recall_lot])
def test_a_stopped_lot_is_not_loaded(cast, session, lot, act):
    stop(cast, lot, act)
    assert "lot_code" in refused(cast, session, lot)


def test_an_unreleased_lot_is_not_loaded(cast, session):
    lot = examined(cast, registered(cast))
    received(cast, lot)
    assert refused(cast, session, lot) == {"lot_code": ["This lot is not released."]}


def test_an_unknown_lot_is_not_loaded(cast, session):
    assert "lot_code" in refused(cast, session, "MSC-UNKNOWN")


def test_a_lot_that_is_not_at_this_site_is_not_loaded(cast, session):
    lot = released(cast)
    received(cast, lot, site=cast.other_site)
    assert refused(cast, session, lot) == {"lot_code": ["This site has 0 units of this lot."]}


def test_expiry_is_judged_to_the_minute_at_which_the_cells_were_loaded(cast, session):
    now = here()
    lot = released(cast, expires_at=moment(now) + dt.timedelta(minutes=1))
    received(cast, lot)
    assert lot_problem(lot, moment(now)) == ""
    assert lot_problem(lot, lot.expires_at) == "This lot is expired."
    assert lot_problem(lot, lot.expires_at - dt.timedelta(seconds=1)) == ""


def moment(wall: dt.datetime) -> dt.datetime:
    return wall.replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def raw_load(cast, session, lot, **changes) -> None:
    """The row as plain SQL would write it, past every service."""
    movement = LotMovement.objects.create(
        lot=lot, site=cast.site, number=77, kind=MovementKind.LOADED, units=1, happened_at=here(),
        time_zone="Asia/Shanghai", entered_by=cast.nurse, entered_at=moment(here()),
    )  # fmt: skip
    fields = {
        "site_id": session.site_id, "subject_id": session.subject_id, "session": session,
        "lot": lot, "movement": movement, "units": 1, "viable_cells": 45,
        "thaw_started_at": here(), "thaw_ended_at": here(), "loaded_at": here(),
        "time_zone": "Asia/Shanghai", "reactor_serial": "R-RAW", "loaded_by": cast.nurse,
        "checked_by": cast.investigator, "entered_by": cast.nurse, "entered_at": moment(here()),
    }  # fmt: skip
    LoadedProduct.objects.create(**fields | changes)


def test_the_database_itself_refuses_a_lot_that_may_not_be_used(cast, session, lot):
    unreleased = examined(cast, registered(cast))
    received(cast, unreleased)
    expired = released(cast, expires_at=moment(here()) + dt.timedelta(minutes=1))
    received(cast, expired)
    stop(cast, lot, quarantine_lot)
    for other in (lot, unreleased):
        with as_person(cast.nurse), pytest.raises(DatabaseError, match="may not be loaded"):
            raw_load(cast, session, other)
    late = {name: expired.expires_at.replace(tzinfo=None) + dt.timedelta(hours=8)
            for name in ("thaw_started_at", "thaw_ended_at", "loaded_at")}  # fmt: skip
    with as_person(cast.nurse), pytest.raises(DatabaseError, match="may not be loaded"):
        raw_load(cast, session, expired, **late)


def test_the_database_itself_refuses_cells_that_never_left_the_stock(cast, session, lot):
    with as_person(cast.nurse), pytest.raises(DatabaseError, match="leaves the stock"):
        raw_load(cast, session, lot, units=2)


def test_plain_sql_does_not_rewrite_what_was_loaded(cast, session, lot):
    loaded = load(cast, session, lot)
    for change in ("units = 2", "loaded_at = now()", "reactor_serial = 'X'", "site_id = site_id+1"):
        with as_person(cast.investigator), pytest.raises(DatabaseError), transaction.atomic():
            connection.cursor().execute(
                f"UPDATE visits_loadedproduct SET {change} WHERE id = %s", [loaded.pk]
            )


def test_what_was_loaded_before_the_lot_was_stopped_is_entered_with_its_reason(cast, session):
    lot = released_long_ago(cast)
    stop(cast, lot, quarantine_lot)
    before = {name: here(30) for name in ("thaw_started_at", "thaw_ended_at", "loaded_at")}
    assert set(refused(cast, session, lot, **before)) == {"lot_code", "late_reason"}
    now = {name: here() for name in before}
    assert "lot_code" in refused(cast, session, lot, late_reason="forgot", **now)
    loaded = load(cast, session, lot, late_reason="entered after the session", **before)
    with as_person(cast.nurse):
        assert recall(lot, cast.nurse).loads == [loaded]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"thaw_started_at": here, "thaw_ended_at": partial(here, 5)}, "thaw_ended_at"),
        ({"thaw_ended_at": here, "loaded_at": partial(here, 5)}, "loaded_at"),
        ({"loaded_at": partial(here, -10)}, "loaded_at"),
        ({"units": lambda: 6}, "lot_code"),
        ({"units": lambda: 0}, "units"),
        ({"viable_cells": lambda: Decimal(0)}, "viable_cells"),
        ({"viability_thawed": lambda: Decimal("100.1")}, "viability_loaded"),
        ({"viability_loaded": lambda: Decimal(-1)}, "viability_loaded"),
    ],
)
def test_impossible_loads_are_refused_beside_their_field(cast, session, lot, changes, field):
    said = refused(cast, session, lot, **{name: make() for name, make in changes.items()})
    assert field in said
    with as_person(cast.nurse):
        assert units_left(lot, cast.site.pk) == 5


def test_nobody_checks_what_they_load_themselves(cast, session, lot):
    assert "checked_by" in refused(cast, session, lot, checked_by=cast.nurse)
    assert "checked_by" in refused(cast, session, lot, checked_by=cast.stranger)
    assert "loaded_by" in refused(cast, session, lot, loaded_by=cast.monitor)


@pytest.mark.parametrize("who", ["monitor", "data_manager", "stranger"])
def test_who_enters_no_data_at_the_site_loads_nothing(cast, session, lot, who):
    person = getattr(cast, who)
    facts = load_facts(cast.nurse, cast.investigator)
    with as_person(person), pytest.raises((NotPermittedError, Subject.DoesNotExist)):
        load_product(session=session, lot_code=lot.code, facts=facts, by=person)


def test_a_reactor_serves_one_session_even_at_another_site(cast, session, lot):
    received(cast, lot, site=cast.other_site)
    first = load(cast, session, lot, reactor_serial="r-7")
    other, foreign = make_treated(cast.site), make_treated(cast.other_site)
    second = make_session(session.subject)
    for each in (other, foreign, second):
        assert "reactor_serial" in refused(cast, each, lot, reactor_serial="R-7")
    load(cast, session, lot, reactor_serial="R-7")
    with as_person(cast.nurse):
        void_loads(session=session, reason="wrong subject", by=cast.nurse)
    assert load(cast, foreign, lot, reactor_serial="R-7").reactor_serial == first.reactor_serial


def test_one_lot_serves_two_subjects(cast, lot):
    loads = [load(cast, make_treated(cast.site), lot) for _ in range(2)]
    with as_person(cast.nurse):
        assert len(recall(lot, cast.nurse).subjects) == len(loads)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"viability_loaded": Decimal(70)}, False),
        ({"viability_loaded": Decimal("69.9")}, True),
        ({"viability_thawed": Decimal("12.0")}, True),
        ({"prescribed_cells": Decimal(50)}, False),
        ({"prescribed_cells": Decimal("50.1")}, True),
        ({"prescribed_cells": Decimal("40.9")}, True),
        ({"prescribed_cells": Decimal(41)}, False),
        ({"viable_cells": Decimal("0.5")}, True),
    ],
)
def test_unusual_cells_are_kept_and_confirmed_before_completion(cast, session, lot, changes, asked):
    loaded = load(cast, session, lot, **changes)
    with as_person(cast.nurse):
        assert bool(load_problems(loaded)) is asked
        assert bool(unconfirmed_loads(session)) is asked
        if asked:
            with pytest.raises(ImpossibleError):
                confirm_load(loaded=loaded, comment=" ", by=cast.nurse)
            confirm_load(loaded=loaded, comment="counted twice", by=cast.nurse)
            assert unconfirmed_loads(session) == []


def test_a_voided_load_gives_its_units_back_and_is_voided_once(cast, session, lot):
    loaded = load(cast, session, lot, units=5)
    with as_person(cast.nurse):
        with pytest.raises(ImpossibleError):
            void_load(loaded=loaded, reason="", by=cast.nurse)
        void_load(loaded=loaded, reason="wrong lot", by=cast.nurse)
        assert units_left(lot, cast.site.pk) == 5
        assert unconfirmed_loads(session) == []
        with pytest.raises(DomainError):
            void_load(loaded=loaded, reason="wrong lot", by=cast.nurse)


def test_a_locked_or_completed_session_is_not_changed_in_passing(cast, session, lot):
    set_record(session, status=RecordStatus.COMPLETE)
    assert "late_reason" in refused(cast, session, lot)
    assert load(cast, session, lot, late_reason="forgotten at the bedside")
    set_record(session, lock_state=LockState.LOCKED)
    with pytest.raises(DomainError, match="locked"):
        load(cast, session, lot, late_reason="forgotten")


@given
def set_record(session, **fields) -> None:
    CrfRecord.objects.filter(pk=session.pk).update(**fields)


@pytest.mark.parametrize(("waited", "proposed"), [(359, 0), (360, 0), (361, 1)])
def test_cells_connected_too_late_after_thawing_are_proposed_as_a_deviation(cast, waited, proposed):
    thawed = here(400)
    lot = released_long_ago(cast)
    session = make_session(
        make_subject(cast.site),
        started_at=thawed,
        cells_on_at=thawed + dt.timedelta(minutes=waited),
        operator=cast.nurse,
        second_checker=cast.second_nurse,
        physician=cast.investigator,
    )
    times = dict.fromkeys(("thaw_started_at", "thaw_ended_at", "loaded_at"), thawed)
    loaded = load(cast, session, lot, **times)
    with as_person(cast.nurse):
        assert connect_by(loaded) == thawed + dt.timedelta(hours=6)
        judge_thawing(session=session)
        found = Deviation.objects.filter(kind="cells_too_long")
        assert found.count() == proposed
        if proposed:
            assert lot.code in found.get().description
            assert "361 minutes" in found.get().description


def test_two_nurses_take_the_last_unit_and_one_of_them_gets_it(committed):
    cast = make_cast()
    lot = released(cast)
    received(cast, lot, 1)
    sessions = [make_treated(cast.site) for _ in range(4)]

    def tried(session) -> bool:
        try:
            load(cast, session, lot)
        except ImpossibleError:
            return False
        return True

    outcomes = at_once(*(partial(tried, each) for each in sessions))
    assert sorted(outcomes) == [False, False, False, True]
    with as_person(cast.nurse):
        assert units_left(lot, cast.site.pk) == 0
        assert LoadedProduct.objects.filter(voided_at=None).count() == 1


def test_a_quarantine_and_a_load_at_the_same_moment_leave_no_load_after_it(committed):
    cast = make_cast()
    lot = released(cast)
    received(cast, lot, 5)
    sessions = [make_treated(cast.site) for _ in range(3)]

    def tried(session) -> bool:
        try:
            load(cast, session, lot)
        except ImpossibleError:
            return False
        return True

    outcomes = at_once(
        *(partial(tried, each) for each in sessions), partial(stop, cast, lot, quarantine_lot)
    )
    with as_person(cast.nurse):
        assert LoadedProduct.objects.count() == outcomes.count(True)
    assert "lot_code" in refused(cast, sessions[0], lot)
