"""Acts of consent in their true order: corrected, taken back, recorded beside each other."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction

from screening.models.consent import CapacityOutcome, ConsentKind, Scope
from screening.selectors.consent import standing_of, withdrawn_scopes
from screening.services.consent import give_consent
from screening.services.consent_records import FieldsError, sync_site, void_part
from screening.services.log import EntryError, correct_first_contact
from tests.factories import (
    as_person,
    given,
    make_cast,
    make_entry,
    make_protocol,
    make_subject,
    sign_in,
)
from tests.screening.consenting import (
    an_act,
    assess,
    consented,
    make_document,
    resume,
    sign,
    wall,
    withdraw,
)
from tests.waiting import somebody_waits, until
from trialsite.casebook.models import ConsentState, Subject


@pytest.fixture
def document(cast):
    make_protocol(cast.site, cast.other_site)
    return make_document(cast, cast.site, cast.other_site)


def standing(cast, subject):
    with as_person(cast.nurse):
        return standing_of(Subject.objects.select_related("site").get(pk=subject.pk))


def test_a_first_consent_entered_wrongly_is_entered_anew_though_a_later_act_stands(cast, document):
    subject = make_subject(cast.site)
    wrong = sign(cast, subject, document, days=-20)
    later = make_document(cast, cast.site, version="2.0", days=-10)
    sign(cast, subject, later, days=-5, kind=ConsentKind.RECONSENT)
    with as_person(cast.nurse):
        void_part(part=wrong, reason="another day", by=cast.nurse)
    # After the later act it would be no first consent.
    with pytest.raises(FieldsError) as refused:
        sign(cast, subject, later, days=-4)
    assert set(refused.value.errors) == {"signed_at"}
    right = sign(cast, subject, document, days=-21)
    assert standing(cast, subject).consents[0].pk == right.pk
    with pytest.raises(FieldsError) as refused:
        sign(cast, subject, document, days=-22)
    assert set(refused.value.errors) == {"kind"}


def test_the_page_offers_the_first_consent_again_after_it_was_voided(cast, document):
    subject = make_subject(cast.site)
    wrong = sign(cast, subject, document, days=-20)
    later = make_document(cast, cast.site, version="2.0", days=-10)
    sign(cast, subject, later, days=-5, kind=ConsentKind.RECONSENT)
    with as_person(cast.nurse):
        void_part(part=wrong, reason="another day", by=cast.nurse)
    answer = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/consent/new/")
    assert answer.status_code == 200
    assert 'value="initial"' in answer.content.decode()


@pytest.mark.parametrize("scope", [Scope.ALL_DATA, Scope.SAMPLES])
def test_a_consent_signed_before_a_withdrawal_takes_nothing_of_it_back(cast, document, scope):
    subject = consented(cast, document)
    withdraw(cast, subject, scope, days=-5)
    with pytest.raises(FieldsError) as refused:
        resume(cast, subject, document, scope, days=-6)
    assert set(refused.value.errors) == {"resumes"}
    resume(cast, subject, document, scope, days=-4)
    with as_person(cast.nurse):
        found = withdrawn_scopes(Subject.objects.select_related("site").get(pk=subject.pk))
    assert scope not in found


def test_nobody_consents_before_the_first_contact(cast, document):
    entry = make_entry(cast.site, cast.nurse)
    days = (entry.first_contact_on - wall(cast.site).date()).days - 1
    with as_person(cast.nurse), pytest.raises(FieldsError) as refused:
        give_consent(entry=entry, act=an_act(cast, cast.site, document, days=days), by=cast.nurse)
    assert set(refused.value.errors) == {"signed_at"}


def test_a_first_contact_typed_too_late_is_corrected_and_consent_then_follows_it(cast, document):
    entry = make_entry(cast.site, cast.nurse)
    signed = an_act(cast, cast.site, document, days=-2)
    days = {"met": wall(cast.site, days=-3).date(), "today": wall(cast.site).date()}
    with as_person(cast.nurse):
        with pytest.raises(FieldsError):
            give_consent(entry=entry, act=signed, by=cast.nurse)
        said = {"entry": entry, "reason": "met on the ward", "by": cast.nurse}
        corrected = correct_first_contact(first_contact_on=days["met"], **said)
        give_consent(entry=corrected, act=signed, by=cast.nurse)
        with pytest.raises(EntryError) as refused:
            correct_first_contact(first_contact_on=days["today"], **said)
    assert set(refused.value.errors) == {"first_contact_on"}


def test_nobody_consents_or_is_assessed_after_death(cast, document):
    subject = consented(cast, document)
    day = wall(cast.site, days=-3).date().isoformat()
    given(Subject.objects.filter(pk=subject.pk).update)(died_on=day)
    with pytest.raises(FieldsError) as refused:
        sign(cast, subject, document, days=-1, kind=ConsentKind.RECONSENT)
    assert set(refused.value.errors) == {"signed_at"}
    with pytest.raises(FieldsError) as refused:
        assess(cast, subject, CapacityOutcome.LOST, days=-1)
    assert set(refused.value.errors) == {"assessed_at"}
    # What was said before and is recorded late is kept; the family may still withdraw.
    assert withdraw(cast, subject, Scope.SAMPLES).pk
    assert assess(cast, subject, CapacityOutcome.LOST, days=-4).pk


def test_a_withdrawal_in_flight_is_not_overwritten_by_whoever_brings_states_in_step(committed):
    cast = make_cast()
    make_protocol(cast.site, cast.other_site)
    first = make_document(cast, cast.site)
    subject = consented(cast, first)
    make_document(cast, cast.site, version="2.0", days=-2, reconsent=True)
    given(Subject.objects.filter(pk=subject.pk).update)(consent_state=ConsentState.GIVEN)
    done: list[int] = []

    def sync() -> None:
        try:
            with as_person(cast.nurse):
                done.append(sync_site(cast.site))
        finally:
            connections.close_all()

    thread = threading.Thread(target=sync)
    with as_person(cast.nurse), transaction.atomic():
        withdraw(cast, subject, Scope.ALL_DATA)
        thread.start()
        until(somebody_waits, what="the other one waits for the subject")
    thread.join()
    state = given(lambda: Subject.objects.get(pk=subject.pk).consent_state)()
    assert state == ConsentState.WITHDRAWN
