"""Signing asks for both factors at that very moment, each time, from that very person."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django import forms
from django.core import mail
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from tests.access.browser import acts, code_of, recovery_codes_of
from tests.factories import PASSWORD, as_person, make_user
from trialsite.access.capabilities import Role
from trialsite.access.keeping import kept
from trialsite.access.models import SignInAttempt, User
from trialsite.access.signing import (
    SigningForm,
    SigningProof,
    SigningRefusedError,
    prove,
    statement,
)
from trialsite.core.exceptions import NotPermittedError


@pytest.fixture
def investigator(cast) -> User:
    user: User = cast.investigator
    return user


def request_of(user: User, rf) -> HttpRequest:
    request: HttpRequest = rf.post("/", REMOTE_ADDR="192.0.2.1")
    request.user = user
    return request


def sign_as(user: User, rf, *, password: str = PASSWORD, code: str | None = None) -> SigningProof:
    with as_person(user):
        code = code_of(user) if code is None else code
        return prove(request_of(user, rf), password=password, code=code)


def remember(request: HttpRequest) -> None:
    """What Guardrail does after it has taken a refused request back."""
    assert isinstance(request.user, User)
    with as_person(request.user):
        for act in kept(request):
            act()


def fail(request: HttpRequest, password: str, code: str) -> None:
    """One refused signing, as a whole request."""
    assert isinstance(request.user, User)
    with pytest.raises(SigningRefusedError), as_person(request.user):
        prove(request, password=password, code=code)
    remember(request)


@pytest.mark.requirement("ES1")
def test_password_and_code_prove_the_person(investigator, rf):
    proof = sign_as(investigator, rf)
    assert (proof.user_id, proof.method) == (investigator.pk, "totp")
    proof.expect(investigator)


@pytest.mark.requirement("ES1")
@pytest.mark.parametrize(
    ("password", "code", "at"),
    [
        ("", None, "password"),
        (PASSWORD, "", "code"),
        ("wrong", None, "password"),
        (PASSWORD, "000000", "code"),
        (PASSWORD + " ", None, "password"),
    ],
)
def test_one_factor_is_not_enough_and_the_error_stands_at_its_field(
    investigator, rf, password, code, at
):
    with pytest.raises(SigningRefusedError) as refused:
        sign_as(investigator, rf, password=password, code=code)
    assert list(refused.value.errors) == [at]


@pytest.mark.requirement("ES1")
def test_a_code_signs_once(investigator, rf):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False) as clock:
        code = code_of(investigator)
        sign_as(investigator, rf, code=code)
        with pytest.raises(SigningRefusedError):
            sign_as(investigator, rf, code=code)
        clock.shift(31)
        assert sign_as(investigator, rf).user_id == investigator.pk


@pytest.mark.requirement("ES1")
def test_a_code_is_spent_although_its_request_was_rolled_back(investigator, rf):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False):
        request, code = request_of(investigator, rf), code_of(investigator)
        with as_person(investigator):
            prove(request, password=PASSWORD, code=code)
            transaction.set_rollback(True)
        remember(request)
        with pytest.raises(SigningRefusedError):
            sign_as(investigator, rf, code=code)


def test_a_recovery_code_signs_once_too(investigator, rf):
    code = recovery_codes_of(investigator)[0]
    assert sign_as(investigator, rf, code=code).method == "recovery_codes"
    with pytest.raises(SigningRefusedError):
        sign_as(investigator, rf, code=code)


def test_another_persons_code_proves_nothing(cast, investigator, rf):
    with pytest.raises(SigningRefusedError):
        sign_as(investigator, rf, code=code_of(cast.nurse))


@pytest.mark.requirement("ES1")
def test_a_proof_is_worth_nothing_for_another_person(cast, investigator):
    proof = SigningProof(user_id=cast.nurse.pk, at=timezone.now(), method="command")
    with pytest.raises(NotPermittedError):
        proof.expect(investigator)


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (-299, True), (-301, False), (1, False), (3600, False)]
)
def test_a_proof_lasts_five_minutes_and_never_lies_ahead(investigator, seconds, fresh):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False):
        at = timezone.now() + dt.timedelta(seconds=seconds)
        proof = SigningProof(user_id=investigator.pk, at=at, method="command")
        if fresh:
            proof.expect(investigator)
        else:
            with pytest.raises(NotPermittedError):
                proof.expect(investigator)


@pytest.mark.requirement("ES6")
def test_five_failures_lock_are_in_the_trail_and_the_person_hears_of_it(investigator, rf):
    for password, code in [("wrong", "000000")] * 3 + [(PASSWORD, "000000")] * 2:
        fail(request_of(investigator, rf), password, code)
    assert len(acts("signing_failed")) == 5
    assert {event.actor_id for event in acts("signing_failed")} == {investigator.pk}
    assert len(acts("locked_out")) == 1
    assert {message.to[0] for message in mail.outbox} == {investigator.email}
    assert "Signing was tried too often" in str(mail.outbox[-1].body)
    with pytest.raises(SigningRefusedError, match="Too many failed attempts"):
        sign_as(investigator, rf)


def test_a_failure_leaves_neither_password_nor_code_behind(investigator, rf):
    fail(request_of(investigator, rf), "my-secret-word", "918273")
    kept_text = str([event.new for event in acts("signing_failed")])
    assert "my-secret-word" not in kept_text
    assert "918273" not in kept_text
    assert SignInAttempt.objects.filter(succeeded=False).count() == 1


def test_signing_is_no_sign_in(investigator, rf):
    sign_as(investigator, rf)
    assert not SignInAttempt.objects.exists()


def test_who_has_only_a_passkey_is_told_what_signing_needs(rf, db):
    user = make_user(Role.PRINCIPAL_INVESTIGATOR, second_factor=False)
    with pytest.raises(SigningRefusedError, match="needs an authenticator app"):
        sign_as(user, rf, code="123456")


class ReasonedForm(SigningForm):
    reason = forms.CharField()


def test_a_forgotten_field_costs_no_code_and_no_attempt(investigator, rf):
    typed = {"password": PASSWORD, "code": code_of(investigator), "reason": ""}
    with as_person(investigator):
        refused = ReasonedForm(typed, request=request_of(investigator, rf))
        assert list(refused.errors) == ["reason"]
        form = ReasonedForm(typed | {"reason": "why"}, request=request_of(investigator, rf))
        assert form.is_valid()
    assert form.proof.user_id == investigator.pk
    assert list(form.fields) == ["reason", "password", "code"]


def test_the_password_is_never_sent_back_to_the_page(investigator, rf):
    with as_person(investigator):
        form = SigningForm(
            {"password": "typed-secret", "code": "000000"}, request=request_of(investigator, rf)
        )
        assert not form.is_valid()
    assert "typed-secret" not in form.as_p()


@pytest.mark.requirement("ES2")
def test_before_signing_the_person_reads_name_meaning_and_both_times(cast, investigator):
    with as_person(investigator):
        said = statement(by=investigator, meaning="I stand for it.", site=cast.site)
    assert (said.printed_name, said.meaning, said.zone) == (
        "Petra Principal",
        "I stand for it.",
        "Asia/Shanghai",
    )
    assert said.local == said.at
    assert said.local.utcoffset() == dt.timedelta(hours=8)
