"""A lot from its register to its release, and everything that stops it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import as_person, make_user
from tests.signing import proof_of
from tests.visits.products import (
    examined,
    facts_of_test,
    here,
    load,
    lot_facts,
    make_treated,
    received,
    registered,
    released,
)
from trialsite.access.capabilities import Role
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Signature
from trialsite.review.signatures import stands
from visits.models import LotDecision, LotState, ProductLot
from visits.selectors.products import loadable_lots, lot_problem
from visits.services.products import (
    MovementFacts,
    close_lot,
    correct_lot,
    destroy_units,
    quarantine_lot,
    recall_lot,
    record_test,
    register_lot,
    release_lot,
    release_problems,
    void_test,
)
from visits.services.products.lots import REQUIRED_ASSAYS, content_of_release


def release(cast, lot, by=None):
    by = by or cast.investigator
    with as_person(by):
        return release_lot(lot=lot, reason="complete", by=by, proof=proof_of(by))


def quarantine(cast, lot, by=None):
    by = by or cast.investigator
    with as_person(by):
        return quarantine_lot(lot=lot, reason="freezer alarm", by=by)


def test_a_scanned_code_is_kept_in_one_way_and_once(cast):
    lot = registered(cast, "  msc-２６a ")
    assert lot.code == "MSC-26A"
    with pytest.raises(ImpossibleError) as refused:
        registered(cast, "MSC-26A")
    assert "code" in refused.value.errors


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"passage": None}, "passage or the population doublings"),
        ({"viability": Decimal("100.1")}, "percentage from 0"),
        ({"units_made": 0}, "at least one unit"),
        ({"cells_per_unit": Decimal(0)}, "at least one unit"),
        ({"expires_at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC)}, "expires after it was made"),
        ({"donor_code": "Wang Li"}, "never a donor’s name"),
        ({"manufactured_on": dt.date(2036, 1, 1)}, "lies in the future"),
        ({"certificate_sha256": "abc"}, "SHA-256"),
    ],
)
def test_impossible_facts_of_a_lot_are_refused(cast, changes, said):
    with pytest.raises(ImpossibleError, match=said):
        registered(cast, **changes)


def test_an_immortalised_line_has_doublings_and_no_passage(cast):
    lot = registered(cast, source="LINE", passage=None, doublings=Decimal("63.5"))
    assert lot.doublings == Decimal("63.5")


@pytest.mark.parametrize("who", ["data_manager", "monitor", "auditor", "administrator"])
def test_oversight_registers_no_lot(cast, who):
    person = getattr(cast, who)
    with as_person(person), pytest.raises(NotPermittedError):
        register_lot(code="MSC-1", facts=lot_facts(), by=person)


def test_the_sample_technician_keeps_lots_and_enters_no_participants_data(cast):
    technician = make_user(Role.SAMPLE_TECHNICIAN, cast.site)
    with as_person(technician):
        lot = register_lot(code="MSC-77", facts=lot_facts(), by=technician)
    received(cast, examined(cast, lot))
    release(cast, lot)
    session = make_treated(cast.site)
    with pytest.raises(ImpossibleError):
        load(cast, session, lot, checked_by=make_user(Role.MONITOR, cast.site))
    assert load(cast, session, lot, checked_by=technician)


@pytest.mark.requirement("ES1")
def test_a_release_is_signed_by_the_studys_principal_investigator(cast):
    lot = examined(cast, registered(cast))
    local = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    for person in (cast.nurse, cast.sub_investigator, cast.data_manager, local):
        with pytest.raises(NotPermittedError):
            release(cast, lot, by=person)
    lot = release(cast, lot)
    assert lot.state == LotState.RELEASED
    decision = LotDecision.objects.get(lot=lot)
    with as_person(cast.investigator):
        signature = Signature.objects.get()
    assert decision.signature_id == signature.pk
    assert stands(signature, content_of_release(lot, decision))
    lot.units_made += 1
    assert not stands(signature, content_of_release(lot, decision))


@pytest.mark.parametrize("lacking", REQUIRED_ASSAYS)
def test_a_lot_without_one_of_its_tests_is_not_released(cast, lacking):
    lot = registered(cast)
    with as_person(cast.nurse):
        for kind in REQUIRED_ASSAYS:
            if kind != lacking:
                record_test(lot=lot, facts=facts_of_test(kind), by=cast.nurse)
    assert release_problems(lot) == [f"{lacking.label} has no result that meets its limit."]
    with pytest.raises(DomainError):
        release(cast, lot)
    assert ProductLot.objects.get(pk=lot.pk).state == LotState.REGISTERED


@pytest.mark.parametrize(
    "changes",
    [
        {"donor_screening": "pending"},
        {"donor_screening": "not_cleared"},
        {"certificate": ""},
        {"expires_at": dt.datetime(2026, 1, 6, tzinfo=dt.UTC)},
    ],
)
def test_a_lot_is_not_released_without_donor_certificate_and_time_left(cast, changes):
    lot = examined(cast, registered(cast, **changes))
    assert len(release_problems(lot)) == 1
    with pytest.raises(DomainError):
        release(cast, lot)


def test_a_positive_final_sterility_result_stops_a_released_lot_at_once(cast):
    lot = released(cast)
    with as_person(cast.nurse):
        facts = facts_of_test(stage="final", result="Cutibacterium acnes", verdict="fail")
        test = record_test(lot=lot, facts=facts, by=cast.nurse)
    lot.refresh_from_db()
    assert lot.state == LotState.QUARANTINED
    decision = LotDecision.objects.get(lot=lot, act="quarantine")
    assert decision.test == test
    assert "Cutibacterium acnes" in decision.reason
    with pytest.raises(DomainError, match="fails the limit"):
        release(cast, lot)


def test_taking_back_a_result_that_the_release_stood_on_stops_the_lot(cast):
    lot = released(cast)
    test = lot.tests.get(kind="mycoplasma")
    with as_person(cast.nurse):
        void_test(test=test, reason="of another lot", by=cast.nurse)
    lot.refresh_from_db()
    assert lot.state == LotState.QUARANTINED
    with as_person(cast.nurse), pytest.raises(TransitionError):
        void_test(test=test, reason="again", by=cast.nurse)


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("investigator", True),
        ("officer", True),
        ("nurse", False),
        ("sub_investigator", False),
        ("data_manager", False),
        ("monitor", False),
    ],
)
def test_who_may_quarantine(cast, who, may):
    lot = released(cast)
    officer = make_user(Role.SAFETY_OFFICER, cast.site)
    person = officer if who == "officer" else getattr(cast, who)
    if may:
        assert quarantine(cast, lot, by=person).state == LotState.QUARANTINED
    else:
        with pytest.raises(NotPermittedError):
            quarantine(cast, lot, by=person)


def test_a_quarantine_is_known_at_every_site_and_lifted_by_a_signed_release_only(cast):
    lot = released(cast)
    received(cast, lot, site=cast.other_site)
    officer = make_user(Role.SAFETY_OFFICER, cast.site)
    quarantine(cast, lot, by=officer)
    with as_person(cast.stranger):
        assert lot_problem(ProductLot.objects.get(pk=lot.pk)) == "This lot is in quarantine."
        assert loadable_lots(cast.other_site.pk) == []
    lot = release(cast, ProductLot.objects.get(pk=lot.pk))
    with as_person(cast.stranger):
        assert [vars(each)["left"] for each in loadable_lots(cast.other_site.pk)] == [5]


def test_a_recall_is_for_good_and_belongs_to_the_whole_study(cast):
    lot = released(cast)
    local = make_user(Role.SAFETY_OFFICER, cast.site)
    with as_person(local), pytest.raises(NotPermittedError):
        recall_lot(lot=lot, reason="letter", by=local)
    with as_person(cast.investigator):
        recall_lot(lot=lot, reason="letter of the maker", by=cast.investigator)
    for act in (release, quarantine):
        with pytest.raises(TransitionError):
            act(cast, lot)


def test_a_lot_is_closed_when_nothing_is_left_at_any_site(cast):
    lot = released(cast)
    received(cast, lot, 2)
    received(cast, lot, 1, site=cast.other_site)
    for site, by, units in ((cast.site, cast.nurse, 2), (cast.other_site, cast.stranger, 1)):
        with as_person(cast.investigator), pytest.raises(TransitionError, match="still in stock"):
            close_lot(lot=lot, reason="done", by=cast.investigator)
        facts = MovementFacts(
            units=units, happened_at=here(), reason="not used", witness=cast.investigator
        )
        with as_person(by):
            destroy_units(lot=lot, site=site, facts=facts, by=by)
    with as_person(cast.investigator):
        assert close_lot(lot=lot, reason="done", by=cast.investigator).state == LotState.CLOSED
    with as_person(cast.nurse):
        record_test(lot=lot, facts=facts_of_test(verdict="fail", result="positive"), by=cast.nurse)
    lot.refresh_from_db()
    assert lot.state == LotState.QUARANTINED


def test_what_was_signed_is_not_changed_while_the_lot_is_in_use(cast):
    lot = released(cast)
    later = lot_facts(expires_at=dt.datetime(2037, 1, 1, tzinfo=dt.UTC))
    with as_person(cast.nurse), pytest.raises(TransitionError):
        correct_lot(lot=lot, facts=later, reason="misread", by=cast.nurse)
    quarantine(cast, lot)
    with as_person(cast.nurse):
        lot = correct_lot(lot=lot, facts=later, reason="misread", by=cast.nurse)
    assert lot.expires_at == later.expires_at


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE visits_productlot SET state = 'released' WHERE id = %s",
        "UPDATE visits_productlot SET expires_at = '2040-01-01' WHERE id = %s",
        "UPDATE visits_releasetest SET verdict = 'fail' WHERE lot_id = %s",
        "UPDATE visits_lotmovement SET units = 1 WHERE lot_id = %s",
        "UPDATE visits_lotdecision SET act = 'close' WHERE lot_id = %s",
        "DELETE FROM visits_lotmovement WHERE lot_id = %s",
    ],
)
def test_plain_sql_neither_moves_a_lot_nor_rewrites_its_history(cast, statement):
    lot = released(cast)
    received(cast, lot)
    if "'released'" in statement:
        quarantine(cast, lot)
    with as_person(cast.investigator), pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(statement, [lot.pk])
