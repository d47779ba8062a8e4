"""The account of a lot at a site: it balances, it never goes below zero, nothing is erased."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import given as each_of
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import as_person, make_user
from tests.visits.products import here, load, make_treated, received, registered, released
from trialsite.access.capabilities import Role
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.violations import ImpossibleError
from visits.models import LotMovement
from visits.selectors.products import accounts, units_left
from visits.services.products import (
    MovementFacts,
    destroy_units,
    receive_units,
    return_units,
    void_load,
    void_movement,
)


def facts(units: int = 1, **changes) -> MovementFacts:
    said: dict[str, Any] = {"units": units, "happened_at": here(1), "reason": "freezer alarm"}
    return MovementFacts(**said | changes)


def destroy(cast, lot, units: int = 1, **changes):
    changes.setdefault("witness", cast.investigator)
    with as_person(cast.nurse):
        return destroy_units(lot=lot, site=cast.site, facts=facts(units, **changes), by=cast.nurse)


def void(cast, movement, reason: str = "typed twice"):
    with as_person(cast.nurse):
        return void_movement(movement=movement, reason=reason, by=cast.nurse)


def balance(cast, lot) -> tuple[int, ...]:
    with as_person(cast.nurse):
        (account,) = accounts(cast.nurse, lot)
    return (account.received, account.loaded, account.returned, account.destroyed, account.left)


def test_the_account_balances_after_a_destroyed_vial(cast):
    lot = released(cast)
    received(cast, lot, 3)
    load(cast, make_treated(cast.site), lot)
    destroy(cast, lot, reason="bag broken on thawing")
    assert balance(cast, lot) == (3, 1, 0, 1, 1)
    with as_person(cast.nurse):
        return_units(lot=lot, site=cast.site, facts=facts(1, reason="not needed"), by=cast.nurse)
    assert balance(cast, lot) == (3, 1, 1, 1, 0)


TOO_LATE = dt.datetime(2036, 1, 1)  # noqa: DTZ001  (the clock on the wall)
KINDS = st.sampled_from(["received", "returned", "destroyed", "loaded", "void", "unload"])


@pytest.mark.usefixtures("cast")
@hypothesis_settings(max_examples=25)
@each_of(acts=st.lists(st.tuples(KINDS, st.integers(1, 4), st.integers(0, 20)), max_size=14))
def test_whatever_happens_the_account_is_the_sum_of_what_stands(cast, acts):
    """Random work against a sum kept by hand; what would take more than there is, is refused."""
    with transaction.atomic():
        lot, session = released(cast, units_made=12), make_treated(cast.site)
        lines: list[tuple[str, int, object]] = []
        for kind, units, pick in acts:
            sign = {"received": 1, "returned": -1, "destroyed": -1, "loaded": -1}
            left = sum(sign[was] * n for was, n, _row in lines)
            out = sum(n * {"received": 1, "returned": -1}.get(was, 0) for was, n, _row in lines)
            try:
                if kind in {"void", "unload"}:
                    _void(cast, lines, kind, pick)
                    continue
                row = _act(cast, lot, session, kind, units)
            except (ImpossibleError, TransitionError):
                if kind == "received":
                    assert out + units > 12
                elif kind in sign:
                    assert units > left
            else:
                lines.append((kind, units, row))
                assert kind == "received" or units <= left
            expected = sum(sign[was] * n for was, n, _row in lines)
            with as_person(cast.nurse):
                assert units_left(lot, cast.site.pk) == expected >= 0
        transaction.set_rollback(True)


def _void(cast, lines, kind: str, pick: int) -> None:
    wanted = [each for each in lines if (each[0] == "loaded") == (kind == "unload")]
    if not wanted:
        return
    chosen = wanted[pick % len(wanted)]
    with as_person(cast.nurse):
        if kind == "unload":
            void_load(loaded=chosen[2], reason="wrong lot scanned", by=cast.nurse)
        else:
            void_movement(movement=chosen[2], reason="typed twice", by=cast.nurse)
    lines.remove(chosen)


def _act(cast, lot, session, kind: str, units: int):
    if kind == "loaded":
        return load(cast, session, lot, units=units)
    if kind == "destroyed":
        return destroy(cast, lot, units)
    act = receive_units if kind == "received" else return_units
    with as_person(cast.nurse):
        return act(lot=lot, site=cast.site, facts=facts(units), by=cast.nurse)


def test_a_voided_movement_keeps_its_number_and_says_why(cast):
    lot = released(cast)
    wrong = received(cast, lot, 3)
    void(cast, wrong, "another lot")
    again = received(cast, lot, 4)
    assert (wrong.number, again.number) == (1, 2)
    with as_person(cast.nurse):
        wrong.refresh_from_db()
    assert (wrong.units, wrong.void_reason, wrong.voided_by) == (3, "another lot", cast.nurse)
    with pytest.raises(TransitionError):
        void(cast, wrong)


def test_a_receipt_is_not_voided_from_under_what_was_used(cast):
    lot = released(cast)
    receipt = received(cast, lot, 1)
    load(cast, make_treated(cast.site), lot)
    with pytest.raises(ImpossibleError):
        void(cast, receipt)
    assert balance(cast, lot)[-1] == 0


def test_what_was_loaded_is_voided_at_its_session_only(cast):
    lot = released(cast)
    received(cast, lot, 1)
    loaded = load(cast, make_treated(cast.site), lot)
    with pytest.raises(TransitionError):
        void(cast, loaded.movement)
    with as_person(cast.nurse):
        void_load(loaded=loaded, reason="other lot", by=cast.nurse)
    assert balance(cast, lot) == (1, 0, 0, 0, 1)


def test_no_more_is_received_at_all_sites_together_than_was_made(cast):
    lot = registered(cast, units_made=5)
    received(cast, lot, 3)
    with pytest.raises(ImpossibleError, match="were made") as refused:
        received(cast, lot, 3, site=cast.other_site)
    assert "3" not in str(refused.value)
    received(cast, lot, 2, site=cast.other_site)


def test_returned_units_may_be_received_elsewhere(cast):
    lot = registered(cast, units_made=2)
    received(cast, lot, 2)
    with as_person(cast.nurse):
        return_units(lot=lot, site=cast.site, facts=facts(2), by=cast.nurse)
    received(cast, lot, 2, site=cast.other_site)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"witness": None}, "witness"),
        ({"reason": " "}, "reason"),
        ({"units": 6}, "units"),
        ({"units": 0}, "units"),
        ({"happened_at": TOO_LATE}, "happened_at"),
    ],
)
def test_destroying_needs_units_a_reason_a_witness_and_a_time_that_has_come(cast, changes, field):
    lot = released(cast)
    received(cast, lot, 5)
    with pytest.raises(ImpossibleError) as refused:
        destroy(cast, lot, **{"units": 1} | changes)
    assert field in refused.value.errors
    assert balance(cast, lot)[-1] == 5


def test_nobody_witnesses_what_they_destroy_themselves_or_from_another_site(cast):
    lot = released(cast)
    received(cast, lot, 5)
    for person in (cast.nurse, cast.stranger, cast.data_manager):
        with pytest.raises(ImpossibleError) as refused:
            destroy(cast, lot, witness=person)
        assert "witness" in refused.value.errors


def test_a_site_keeps_its_own_account_and_sees_no_other(cast):
    lot = released(cast)
    received(cast, lot, 2, site=cast.other_site)
    with as_person(cast.nurse):
        assert accounts(cast.nurse, lot) == []
        assert units_left(lot, cast.other_site.pk) == 0
        with pytest.raises(NotPermittedError):
            receive_units(lot=lot, site=cast.other_site, facts=facts(), by=cast.nurse)
    with as_person(cast.investigator):
        assert [each.left for each in accounts(cast.investigator)] == [2]


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor"])
def test_oversight_moves_nothing(cast, who):
    lot, person = released(cast), getattr(cast, who)
    with as_person(person), pytest.raises(NotPermittedError):
        receive_units(lot=lot, site=cast.site, facts=facts(), by=person)


def test_an_untrained_technician_moves_nothing(cast):
    lot = released(cast)
    novice = make_user(Role.SAMPLE_TECHNICIAN, cast.site, trained=False)
    with as_person(novice), pytest.raises(DomainError):
        receive_units(lot=lot, site=cast.site, facts=facts(), by=novice)


@pytest.mark.parametrize("kind", ["returned", "destroyed", "loaded"])
def test_plain_sql_takes_nothing_from_an_empty_stock(cast, kind):
    lot = released(cast)
    received(cast, lot, 1)
    with as_person(cast.nurse), pytest.raises(DatabaseError, match="not so many units"):
        LotMovement.objects.create(
            lot=lot,
            site=cast.site,
            number=9,
            kind=kind,
            units=2,
            happened_at=here(),
            time_zone="UTC",
            reason="x",
            entered_by=cast.nurse,
            entered_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            witness=cast.investigator,
        )
    assert balance(cast, lot)[-1] == 1


def test_a_movement_is_not_given_to_another_site(cast):
    lot = released(cast)
    movement = received(cast, lot, 1)
    with as_person(cast.investigator), pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(
            "UPDATE visits_lotmovement SET site_id = %s WHERE id = %s",
            [cast.other_site.pk, movement.pk],
        )
