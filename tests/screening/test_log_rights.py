"""Who acts on the log of a site, what is answered, and acts that meet each other."""

from __future__ import annotations

import datetime as dt
import threading
from functools import partial

import pytest
from django.db import connection, connections, transaction

from screening.models.consent import CapacityOutcome, ConsentKind, Signer
from screening.models.log import Outcome
from screening.selectors import enrolment as conditions
from screening.services.consent import give_consent
from screening.services.log import (
    EntryError,
    close_entry,
    held,
    state_same_person,
    void_entry,
)
from tests.api.conftest import ApiClient
from tests.factories import (
    as_person,
    given,
    make_cast,
    make_entry,
    make_protocol,
    make_user,
    sign_in,
)
from tests.screening.conftest import Conditions, entry_of, make_screened
from tests.screening.consenting import an_act, assess, make_document, sign
from tests.screening.test_enrolment import enrol, reasons
from tests.waiting import somebody_waits, until
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.core.clock import trial_today

DAY = dt.date(2026, 1, 1)


@pytest.fixture
def entry(cast):
    make_protocol(cast.site, cast.other_site)
    return make_entry(cast.site, cast.nurse)


@pytest.mark.parametrize("act", ["close", "reopen", "void", "same-person", "unenrol", "enrol"])
def test_who_keeps_the_log_elsewhere_only_is_refused_here_and_the_refusal_is_kept(cast, entry, act):
    subject = make_screened(cast.site, cast.nurse)
    about = entry_of(subject) if act in {"unenrol", "enrol"} else entry
    person = make_user(Role.RESEARCH_NURSE, cast.other_site)
    given(Membership.objects.create)(
        user=person, site=cast.other_site, role=Role.SUB_INVESTIGATOR, valid_from=DAY
    )
    given(Membership.objects.create)(
        user=person, site=cast.site, role=Role.SAMPLE_TECHNICIAN, valid_from=DAY
    )
    given(Membership.objects.create)(user=person, site=cast.site, role=Role.MONITOR, valid_from=DAY)
    said = {
        "close": {
            "close-outcome": "declined",
            "close-on": trial_today("Asia/Shanghai").isoformat(),
        },
        "reopen": {"reopen-reason": "x"},
        "void": {"void-reason": "x"},
        "same-person": {"same-reason": "x"},
        "unenrol": {"unenrol-reason": "x"},
        "enrol": {},
    }
    answer = sign_in(person).post(f"/screening/{about.pk}/{act}/", said[act])
    assert answer.status_code == 403
    with as_person(cast.auditor):
        assert Event.objects.filter(act="refused", actor_id=person.pk).exists()


def test_an_end_after_consent_is_not_dated_before_the_consent(cast, entry):
    day = dt.timedelta(days=1)
    today = trial_today("Asia/Shanghai")
    document = make_document(cast, cast.site)
    with as_person(cast.nurse):
        entry = make_entry(cast.site, cast.nurse, first_contact_on=today - 10 * day)
        give_consent(entry=entry, act=an_act(cast, cast.site, document, days=-4), by=cast.nurse)
        end = partial(close_entry, entry=entry, outcome=Outcome.WITHDREW, by=cast.nurse)
        with pytest.raises(EntryError) as refused:
            end(on=today - 5 * day)
        assert set(refused.value.errors) == {"on"}
        assert end(on=today - 4 * day).outcome == Outcome.WITHDREW


def test_nobody_is_said_to_be_a_person_of_a_voided_entry(cast, entry):
    other = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        void_entry(entry=other, reason="twice", by=cast.nurse)
        other.refresh_from_db()
        with pytest.raises(EntryError) as refused:
            state_same_person(entry=entry, other=other, reason="same ward", by=cast.nurse)
    assert set(refused.value.errors) == {"other"}


@pytest.fixture
def decided(monkeypatch):
    """An investigator has signed that the subject is eligible."""
    monkeypatch.setattr(conditions, "signed_decision", lambda _s: Conditions())


def test_who_lost_capacity_is_enrolled_only_when_a_representative_continues(cast, decided):
    make_protocol(cast.site, cast.other_site)
    document = make_document(cast, cast.site)
    subject = make_screened(cast.site, cast.nurse)
    sign(cast, subject, document, days=-2)
    assess(cast, subject, CapacityOutcome.LOST, grade="IV", days=-1)
    (reason,) = reasons(subject, cast.nurse)
    assert "Capacity to consent was lost" in reason
    sign(
        cast,
        subject,
        document,
        hours=-1,
        kind=ConsentKind.REPRESENTATIVE,
        signer=Signer.REPRESENTATIVE,
    )
    assert enrol(subject, cast.nurse).number == "001-001"


@pytest.mark.parametrize("act", ["enrol", "void-enrolment"])
def test_enrolling_at_the_api_and_on_the_page_never_wait_for_each_other_in_a_ring(committed, act):
    cast = make_cast()
    make_protocol(cast.site, cast.other_site)
    entry = entry_of(make_screened(cast.site, cast.nurse))
    answers = []
    who = cast.nurse if act == "enrol" else cast.sub_investigator
    body = {} if act == "enrol" else {"reason": "typed wrongly"}

    def at_the_api() -> None:
        try:
            client = ApiClient(who)
            path = f"screenings/{entry.pk}/{act}/"
            answers.append(client.post(path, body, version=entry.version))
        finally:
            connections.close_all()

    other = threading.Thread(target=at_the_api)
    with as_person(cast.nurse), transaction.atomic():
        connection.cursor().execute("SELECT trialsite.hold_places()")
        other.start()
        until(somebody_waits, what="the API waits for the count")
        held(entry)
    other.join()
    (answer,) = answers
    assert answer.status_code == 409
