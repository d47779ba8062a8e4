"""Guessing is slow, tells nothing, and is remembered."""

from __future__ import annotations

import re

import pytest
import time_machine
from allauth.account.forms import LoginForm
from django.contrib.auth import hashers
from django.core.cache import cache
from django.test import Client

from tests.access.browser import (
    acts,
    code_of,
    holds_session,
    is_signed_in,
    recovery_codes_of,
    sign_in_fully,
    type_code,
    type_password,
)
from tests.factories import PASSWORD, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.context import context_of
from trialsite.access.models import SignInAttempt
from trialsite.access.services import deactivate_person
from trialsite.audit.models import Event
from trialsite.core.context import Channel, acting

pytestmark = pytest.mark.requirement("SA5")


def _fail(email: str, times: int, client: Client | None = None) -> None:
    for _each in range(times):
        type_password(client or Client(), email, "wrong")


def test_five_wrong_passwords_lock_the_account_for_fifteen_minutes(cast):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False) as clock:
        _fail(cast.nurse.email, 5)
        client = Client()
        assert (
            "Too many failed attempts" in type_password(client, cast.nurse.email).content.decode()
        )
        assert not holds_session(client)
        clock.shift(15 * 60 - 1)
        assert type_password(client, cast.nurse.email).status_code == 200
        clock.shift(2)
        type_password(client, cast.nurse.email)
        type_code(client, code_of(cast.nurse))
        assert is_signed_in(client)


def test_four_wrong_passwords_do_not_lock(cast):
    _fail(cast.nurse.email, 4)
    assert is_signed_in(sign_in_fully(cast.nurse))


def test_the_lock_follows_the_account_not_the_way_its_address_is_written(cast):
    for spelling in ("{}", " {}", "{} "):
        _fail(spelling.format(cast.nurse.email.upper()), 2)
    assert type_password(Client(), cast.nurse.email).status_code == 200


def test_somebody_else_is_not_locked(cast):
    _fail(cast.nurse.email, 5)
    assert is_signed_in(sign_in_fully(cast.second_nurse))


def test_wrong_codes_lock_too_and_the_right_password_does_not_forgive_them(cast):
    for _each in range(5):
        client = Client()
        assert type_password(client, cast.nurse.email).status_code == 302
        type_code(client, "000000")
    assert type_password(Client(), cast.nurse.email).status_code == 200
    assert type_code(client, code_of(cast.nurse)).status_code == 200
    assert not holds_session(client)


def test_a_recovery_code_does_not_open_a_locked_account(cast):
    code = recovery_codes_of(cast.nurse)[0]
    client = Client()
    type_password(client, cast.nurse.email)
    for _each in range(5):
        type_code(client, "00000000")
    assert type_code(client, code).status_code == 200
    assert not holds_session(client)


def test_a_whole_sign_in_begins_the_count_anew(cast):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False) as clock:
        _fail(cast.nurse.email, 4)
        clock.shift(1)
        assert is_signed_in(sign_in_fully(cast.nurse))
        clock.shift(60)
        _fail(cast.nurse.email, 4)
        assert is_signed_in(sign_in_fully(cast.nurse))


def test_an_address_that_fails_with_many_accounts_is_locked(cast):
    for n in range(50):
        _fail(f"nobody{n}@example.org", 1)
    assert type_password(Client(), cast.nurse.email).status_code == 200
    elsewhere = Client(REMOTE_ADDR="203.0.113.7")
    assert type_password(elsewhere, cast.nurse.email).status_code == 302


def test_an_invented_forwarded_address_is_not_believed(cast):
    for n in range(50):
        _fail(f"nobody{n}@example.org", 1, Client(HTTP_X_FORWARDED_FOR=f"198.51.100.{n}"))
    client = Client(HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert type_password(client, cast.nurse.email).status_code == 200


def test_emptying_the_cache_opens_no_door(cast):
    _fail(cast.nurse.email, 5)
    cache.clear()
    assert type_password(Client(), cast.nurse.email).status_code == 200


def test_the_password_asked_for_again_is_under_the_same_lock(cast):
    client = sign_in(cast.nurse)
    for _each in range(5):
        client.post("/account/reauthenticate/", {"password": "wrong"})
    response = client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert "Too many failed attempts" in response.content.decode()


def _user(event: Event) -> int | None:
    assert event.new
    return event.new["user"]  # type: ignore[no-any-return]


@pytest.mark.requirement("AT7")
def test_failures_and_the_lock_stand_in_the_trail_without_what_was_typed(cast):
    _fail(cast.nurse.email, 5)
    _fail("my-password-typed-into-the-wrong-field", 1)
    _fail("nobody@example.org", 1)
    failed, locked = acts("sign_in_failed"), acts("locked_out")
    assert [_user(event) for event in failed] == [cast.nurse.pk] * 5 + [None]
    assert [_user(event) for event in locked] == [cast.nurse.pk]
    assert {event.system for event in failed} == {"anonymous"}
    assert "nobody" not in str([event.new for event in failed])


@pytest.mark.requirement("AT7")
def test_a_failure_is_remembered_although_its_request_is_rolled_back(cast, monkeypatch):
    def breaks(self, *args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(LoginForm, "add_error", breaks)
    client = Client(raise_request_exception=False)
    assert type_password(client, cast.nurse.email, "wrong").status_code == 500
    assert SignInAttempt.objects.filter(succeeded=False).count() == 1
    assert len(acts("sign_in_failed")) == 1


def _masked(response) -> str:
    text = response.content.decode()
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", text)
    text = re.sub(r'nonce="[^"]*"', "", text)
    return re.sub(r"[\w.]+@example\.org|\d\d:\d\d", "-", text)


@pytest.fixture
def kinds(cast):
    """An active account, an unknown one, a deactivated one, an invited one."""
    gone = make_user(Role.RESEARCH_NURSE)
    with acting(context_of(cast.administrator, Channel.UI)):
        deactivate_person(by=cast.administrator, user=gone, reason="left")
    waiting = make_user(Role.RESEARCH_NURSE, password=None)
    return [cast.nurse.email, "nobody@example.org", gone.email, waiting.email]


def test_a_wrong_password_tells_nothing_about_the_account(kinds):
    answers = [type_password(Client(), email, "wrong") for email in kinds]
    assert {answer.status_code for answer in answers} == {200}
    assert len({_masked(answer) for answer in answers}) == 1


def test_the_right_password_of_a_deactivated_account_is_wrong(kinds):
    right, unknown = type_password(Client(), kinds[2]), type_password(Client(), kinds[1])
    assert _masked(right) == _masked(unknown)


def test_a_locked_stranger_looks_like_a_locked_person(kinds):
    for email in kinds[:2]:
        _fail(email, 5)
    answers = [type_password(Client(), email) for email in kinds[:2]]
    assert len({_masked(answer) for answer in answers}) == 1


def test_a_reset_tells_nothing_about_the_account(kinds, mailoutbox):
    answers = [Client().post("/account/reset/", {"email": email}) for email in kinds]
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {
        (302, "/account/reset/sent/")
    }
    assert [message.to for message in mailoutbox] == [[kinds[0]]]


def test_every_kind_of_account_costs_one_password_hash(kinds, monkeypatch):
    hasher = type(hashers.get_hasher())
    counted: list[str] = []

    def counting(name: str) -> None:
        original = getattr(hasher, name)

        def count(*args, **kwargs):
            counted.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(hasher, name, count)

    counting("encode")
    counting("verify")
    costs = set()
    for email in kinds:
        counted.clear()
        type_password(Client(), email, "wrong")
        costs.add(len(counted))
    assert costs == {1}
