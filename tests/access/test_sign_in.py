"""Both factors or nothing: no page, no API, no reset and no invitation goes round them."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, format_hotp_value, hotp_value
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.access.browser import (
    LOGIN,
    SECOND_FACTOR,
    acts,
    code_of,
    holds_session,
    is_signed_in,
    link_in_mail,
    recovery_codes_of,
    sign_in_fully,
    type_code,
    type_password,
)
from tests.factories import PASSWORD, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import SignInAttempt, User

pytestmark = pytest.mark.requirement("SA1")
TODAY = "/"


def test_password_and_code_open_the_study(cast):
    client = sign_in_fully(cast.nurse)
    assert is_signed_in(client)
    assert [event.actor_id for event in acts("signed_in")] == [cast.nurse.pk]


def test_the_password_alone_opens_nothing(cast):
    client = Client()
    response = type_password(client, cast.nurse.email)
    assert response.status_code == 302
    assert response["Location"] == SECOND_FACTOR
    assert not holds_session(client)
    for path in (TODAY, "/account/profile/", "/account/second-factor/", "/people/"):
        assert client.get(path)["Location"].startswith(LOGIN)


def test_the_code_page_opens_only_after_the_password(cast):
    assert Client().get(SECOND_FACTOR)["Location"] == LOGIN
    assert type_code(Client(), code_of(cast.nurse))["Location"] == LOGIN


def test_the_api_knows_no_session_without_the_second_factor(cast, rf):
    client = Client()
    type_password(client, cast.nurse.email)
    response = client.get("/api/v1/subjects/")
    assert response.status_code in {401, 404}
    assert not holds_session(client)


def test_a_person_without_a_second_factor_reaches_only_enrolment(db):
    newcomer = make_user(Role.RESEARCH_NURSE, second_factor=False)
    client = Client()
    assert type_password(client, newcomer.email).status_code == 302
    for path in (TODAY, "/account/profile/", "/account/second-factor/", "/account/password/"):
        assert client.get(path)["Location"] == reverse("mfa_activate_totp")
    page = client.get(reverse("mfa_activate_totp"))
    assert page.status_code == 200


def _enrol(client: Client) -> None:
    client.get(reverse("mfa_activate_totp"))
    secret = client.session[SECRET_SESSION_KEY]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    response = client.post(reverse("mfa_activate_totp"), {"code": code})
    assert response["Location"] == reverse("mfa_view_recovery_codes"), response.content


def test_enrolment_leads_to_recovery_codes_shown_once(db, django_capture_on_commit_callbacks):
    newcomer = make_user(Role.RESEARCH_NURSE, second_factor=False)
    client = Client()
    type_password(client, newcomer.email)
    before = client.session.session_key
    _enrol(client)
    assert client.session.session_key != before
    codes = recovery_codes_of(newcomer)
    first = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert all(code in first for code in codes)
    second = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert not any(code in second for code in codes)
    assert is_signed_in(client)


@pytest.mark.requirement("SA4")
def test_enrolment_ends_a_session_that_was_begun_elsewhere_without_a_factor(db):
    newcomer = make_user(Role.RESEARCH_NURSE, second_factor=False)
    thief, owner = Client(), Client()
    type_password(thief, newcomer.email)
    type_password(owner, newcomer.email)
    _enrol(owner)
    assert is_signed_in(owner)
    assert not is_signed_in(thief)
    assert thief.get(reverse("mfa_activate_totp")).status_code == 302


@time_machine.travel("2026-11-20 10:00:05Z", tick=False)
def test_a_code_is_accepted_once(cast):
    code = code_of(cast.nurse)
    first, second = Client(), Client()
    type_password(first, cast.nurse.email)
    type_password(second, cast.nurse.email)
    assert type_code(first, code).status_code == 302
    assert type_code(second, code).status_code == 200
    assert not holds_session(second)


def test_a_spent_code_stays_spent_when_the_cache_is_emptied_and_time_goes_on(cast):
    with time_machine.travel("2026-11-20 10:00:05Z", tick=False) as clock:
        code = code_of(cast.nurse)
        sign_in_fully(cast.nurse)
        cache.clear()
        clock.shift(30)
        again = Client()
        type_password(again, cast.nurse.email)
        assert type_code(again, code).status_code == 200
        assert not holds_session(again)


@time_machine.travel("2026-11-20 10:00:05Z", tick=False)
def test_a_code_just_run_out_is_accepted_an_older_one_is_not(cast):
    client = Client()
    type_password(client, cast.nurse.email)
    assert type_code(client, code_of(cast.nurse, later=-2)).status_code == 200
    assert type_code(client, code_of(cast.nurse, later=-1)).status_code == 302
    assert is_signed_in(client)


def test_a_recovery_code_works_once(cast):
    code = recovery_codes_of(cast.nurse)[3]
    first, second = Client(), Client()
    type_password(first, cast.nurse.email)
    assert type_code(first, code).status_code == 302
    assert is_signed_in(first)
    type_password(second, cast.nurse.email)
    assert type_code(second, code).status_code == 200
    assert not holds_session(second)


def test_somebody_elses_code_is_wrong(cast):
    client = Client()
    type_password(client, cast.nurse.email)
    assert type_code(client, code_of(cast.second_nurse)).status_code == 200
    assert not holds_session(client)


def test_a_forged_passkey_answer_is_refused_and_counted(cast):
    client = Client()
    type_password(client, cast.nurse.email)
    response = client.post(SECOND_FACTOR, {"credential": '{"id": "x"}'})
    assert response.status_code == 200
    assert not holds_session(client)
    assert SignInAttempt.objects.filter(succeeded=False).count() == 1


def test_the_last_second_factor_is_replaced_not_removed(cast):
    client = sign_in_fully(cast.nurse)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get(reverse("mfa_deactivate_totp"))
    assert reverse("access:replace_totp") in page.content.decode()
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 200
    assert User.objects.get(pk=cast.nurse.pk).has_second_factor


@time_machine.travel("2026-11-20 10:00:05Z", tick=False)
def test_a_new_phone_puts_the_old_one_out_of_use(cast):
    client = sign_in_fully(cast.nurse)
    old = code_of(cast.nurse, later=1)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    path = reverse("access:replace_totp")
    assert client.get(path).status_code == 200
    secret = client.session[SECRET_SESSION_KEY]
    new = format_hotp_value(hotp_value(secret, int(timezone.now().timestamp()) // 30))
    assert client.post(path, {"code": new}).status_code == 302
    assert is_signed_in(client)
    other = Client()
    type_password(other, cast.nurse.email)
    assert type_code(other, old).status_code == 200
    assert type_code(other, code_of(cast.nurse)).status_code == 302


def test_changing_how_one_signs_in_asks_for_the_password_again(cast):
    client = sign_in_fully(cast.nurse)
    for name in ("mfa_generate_recovery_codes", "mfa_add_webauthn", "access:replace_totp"):
        assert client.get(reverse(name))["Location"].startswith("/account/reauthenticate/")


def test_there_is_no_sign_up(db):
    for path in ("/account/signup/", "/accounts/signup/", "/account/email/"):
        assert Client().get(path).status_code == 404


@pytest.mark.requirement("SA6")
def test_a_reset_link_is_built_from_our_own_address(cast, settings):
    settings.ALLOWED_HOSTS = ["*"]
    for header in ("host", "x-forwarded-host", "forwarded", "x-host"):
        mail.outbox.clear()
        asking = Client(headers={header: "evil.example"})
        asking.post("/account/reset/", {"email": cast.nurse.email})
        body = str(mail.outbox[0].body)
        assert settings.BASE_URL in body
        assert "evil" not in body + mail.outbox[0].subject


@pytest.mark.requirement("SA6")
def test_an_unknown_host_is_refused(cast):
    response = Client(HTTP_HOST="evil.example").post("/account/reset/", {"email": "a@b.org"})
    assert response.status_code == 400
    assert not mail.outbox


def _reset(client: Client, password: str) -> Any:
    path = link_in_mail()
    form = client.get(path)["Location"]
    return client.post(form, {"password1": password, "password2": password})


@pytest.mark.requirement("SA6")
def test_a_reset_neither_signs_in_nor_goes_round_the_second_factor(cast):
    client = Client()
    client.post("/account/reset/", {"email": cast.nurse.email})
    _reset(client, "a wholly new pass phrase")
    assert not holds_session(client)
    assert type_password(client, cast.nurse.email).status_code == 200
    response = type_password(client, cast.nurse.email, "a wholly new pass phrase")
    assert response["Location"] == SECOND_FACTOR
    assert not is_signed_in(client)


@pytest.mark.requirement("SA6")
def test_a_reset_link_works_once_and_for_an_hour(cast):
    Client().post("/account/reset/", {"email": cast.nurse.email})
    path = link_in_mail()
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=61), tick=False):
        assert "no longer works" in Client().get(path).content.decode()
    _reset(Client(), "a wholly new pass phrase")
    assert "no longer works" in Client().get(path).content.decode()


@pytest.mark.requirement("SA6")
def test_a_reset_ends_every_open_session(cast):
    open_session = sign_in(cast.nurse)
    assert is_signed_in(open_session)
    Client().post("/account/reset/", {"email": cast.nurse.email})
    _reset(Client(), "a wholly new pass phrase")
    assert not is_signed_in(open_session)


@pytest.mark.requirement("SA6")
def test_an_invitation_not_yet_taken_cannot_be_replaced_by_a_reset(db):
    waiting = make_user(Role.RESEARCH_NURSE, password=None, second_factor=False)
    Client().post("/account/reset/", {"email": waiting.email})
    assert not mail.outbox


@pytest.mark.requirement("SA2")
@pytest.mark.parametrize("weak", ["short", "password1234", "12345678", "nora nurse 1"])
def test_a_weak_password_is_refused(cast, weak):
    Client().post("/account/reset/", {"email": cast.nurse.email})
    response = _reset(Client(), weak)
    assert response.status_code == 200
    assert User.objects.get(pk=cast.nurse.pk).check_password(PASSWORD)


@pytest.mark.requirement("SA2")
def test_passwords_rest_as_argon2id(cast):
    assert cast.nurse.password.startswith("argon2$argon2id$")
    assert settings.PASSWORD_HASHERS[0].endswith("Argon2")
