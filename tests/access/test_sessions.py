"""A session is one person's, for a while, and ends when it should."""

from __future__ import annotations

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests.access.browser import (
    acts,
    code_of,
    is_signed_in,
    sign_in_fully,
    type_code,
    type_password,
)
from tests.factories import PASSWORD, sign_in
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.access.services import deactivate_person, reactivate_person
from trialsite.core.context import Channel, acting

START = "2026-11-20 08:00:05Z"
UNLOCK = "/account/unlock/"


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


@pytest.mark.requirement("SA3")
def test_an_idle_session_is_locked_and_the_same_page_reopens_with_the_password(cast, clock):
    client = sign_in(cast.nurse)
    page = "/account/profile/?tab=2"
    assert client.get(page).status_code == 200
    clock.shift(31 * 60)
    answer = client.get(page)
    assert answer["Location"] == "/account/unlock/?next=/account/profile/%3Ftab%3D2"
    form = client.get(answer["Location"])
    assert cast.nurse.full_name in form.content.decode()
    wrong = client.post(UNLOCK, {"password": "wrong", "next": page})
    assert wrong.status_code == 200
    assert client.get(page).status_code == 302
    opened = client.post(UNLOCK, {"password": PASSWORD, "next": page})
    assert opened["Location"] == page
    assert client.get(page).status_code == 200
    assert [event.actor_id for event in acts("unlocked")] == [cast.nurse.pk]


@pytest.mark.requirement("SA3")
def test_a_session_in_use_is_not_locked(cast, clock):
    client = sign_in(cast.nurse)
    for _each in range(5):
        clock.shift(29 * 60)
        assert is_signed_in(client)


@pytest.mark.requirement("SA3")
def test_behind_the_lock_nothing_opens_but_the_lock_and_the_door(cast, clock):
    client = sign_in(cast.administrator)
    is_signed_in(client)
    clock.shift(31 * 60)
    for path in ("/", "/people/", "/account/second-factor/", "/account/reauthenticate/"):
        assert client.get(path)["Location"].startswith(UNLOCK)
    assert client.post("/account/logout/").status_code == 302
    assert not is_signed_in(client)


@pytest.mark.requirement("SA3")
def test_scripts_are_told_of_the_lock_as_a_problem(cast, clock):
    client = sign_in(cast.nurse)
    is_signed_in(client)
    clock.shift(31 * 60)
    for headers in (
        {"HX-Request": "true", "HX-Current-URL": "http://testserver/people/?q=1"},
        {"X-Autosave": "1"},
    ):
        answer = client.get("/account/profile/", headers=headers)
        assert answer.status_code == 423
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 423
    hx = client.get(
        "/account/profile/",
        HTTP_HX_REQUEST="true",
        HTTP_HX_CURRENT_URL="http://testserver/people/?q=1",
    )
    assert hx["HX-Redirect"] == "/account/unlock/?next=/people/%3Fq%3D1"


@pytest.mark.requirement("SA3")
def test_guessing_at_the_lock_locks_the_account(cast, clock):
    client = sign_in(cast.nurse)
    is_signed_in(client)
    clock.shift(31 * 60)
    for _each in range(5):
        client.post(UNLOCK, {"password": "wrong"})
    assert client.post(UNLOCK, {"password": PASSWORD}).status_code == 200
    assert not is_signed_in(client)


@pytest.mark.requirement("SA3")
def test_a_session_ends_after_twelve_hours_however_busy(cast, clock):
    client = sign_in(cast.nurse)
    for _each in range(12 * 3):
        assert is_signed_in(client)
        clock.shift(20 * 60)
    clock.shift(60)
    assert client.get("/")["Location"].startswith("/account/login/")


@pytest.mark.requirement("SA4", "IA5")
def test_a_deactivated_persons_open_session_ends_with_the_next_request(cast):
    client = sign_in(cast.nurse)
    assert is_signed_in(client)
    with acting(context_of(cast.administrator, Channel.UI)):
        deactivate_person(by=cast.administrator, user=cast.nurse, reason="left the site")
    assert client.get("/")["Location"].startswith("/account/login/")


@pytest.mark.requirement("SA4", "IA5")
def test_reactivation_revives_no_old_session_and_no_old_password(cast):
    client = sign_in(cast.nurse)
    with acting(context_of(cast.administrator, Channel.UI)):
        deactivate_person(by=cast.administrator, user=cast.nurse, reason="left the site")
        reactivate_person(by=cast.administrator, user=cast.nurse, reason="came back")
    assert not is_signed_in(client)
    assert type_password(Client(), cast.nurse.email).status_code == 200


@pytest.mark.requirement("SA4")
def test_signing_in_gives_a_new_session_key(cast):
    client = Client()
    client.get("/account/login/")
    type_password(client, cast.nurse.email)
    before = client.session.session_key
    type_code(client, code_of(cast.nurse))
    assert is_signed_in(client)
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


@pytest.mark.requirement("SA4")
def test_a_cookie_kept_from_before_signing_out_opens_nothing(cast):
    client = sign_in(cast.nurse)
    old = client.cookies["sessionid"].value
    assert is_signed_in(client)
    answer = client.post("/account/logout/")
    assert answer["Clear-Site-Data"] == '"cache"'
    thief = Client()
    thief.cookies["sessionid"] = old
    assert not is_signed_in(thief)
    assert [event.actor_id for event in acts("signed_out")] == [cast.nurse.pk]


@pytest.mark.requirement("SA4")
def test_changing_the_password_ends_every_session(cast):
    here, elsewhere = sign_in_fully(cast.nurse), sign_in(cast.nurse)
    assert is_signed_in(elsewhere)
    new = "a wholly new pass phrase"
    answer = here.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )
    assert answer["Location"] == "/account/login/"
    assert not is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert User.objects.get(pk=cast.nurse.pk).check_password(new)


@pytest.mark.requirement("SA4", "TH4")
def test_looking_at_the_sign_out_page_signs_nobody_out(cast):
    client = sign_in(cast.nurse)
    assert client.get("/account/logout/").status_code == 200
    assert client.head("/account/logout/").status_code == 200
    assert is_signed_in(client)


@pytest.mark.requirement("TH4")
def test_signing_out_needs_our_own_page(cast):
    client = sign_in(cast.nurse, enforce_csrf_checks=True)
    assert client.post("/account/logout/").status_code == 403
    assert is_signed_in(client)


EVIL = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "https://localhost/elsewhere",
    " //evil.example",
    "/\t/evil.example",
]


@pytest.mark.parametrize("target", EVIL)
def test_no_page_sends_anybody_to_another_host(cast, target):
    client = Client()
    type_password(client, cast.nurse.email, next=target)
    assert type_code(client, code_of(cast.nurse))["Location"] == "/"
    switched = client.post("/account/language/", {"language": "zh-hans", "next": target})
    assert switched["Location"] == "/"
    out = client.post("/account/logout/", {"next": target})
    assert out["Location"] == "/"


def test_the_page_asked_for_opens_after_signing_in(cast):
    client = Client()
    path = client.get("/account/profile/?a=1")["Location"]
    client.get(path)
    type_password(client, cast.nurse.email, next="/account/profile/?a=1")
    assert type_code(client, code_of(cast.nurse))["Location"] == "/account/profile/?a=1"


def test_the_language_is_switched_here_and_for_the_person(cast):
    client = sign_in(cast.nurse)
    answer = client.post("/account/language/", {"language": "zh-hans", "next": "/account/profile/"})
    assert answer["Location"] == "/account/profile/"
    assert User.objects.get(pk=cast.nurse.pk).language == "zh-hans"
    assert 'lang="zh-hans"' in client.get("/account/profile/").content.decode()
    assert (
        'lang="zh-hans"'
        in sign_in(User.objects.get(pk=cast.nurse.pk)).get("/account/profile/").content.decode()
    )


def test_an_unknown_language_changes_nothing(cast):
    client = sign_in(cast.nurse)
    answer = client.post("/account/language/", {"language": "xx", "next": "/account/profile/"})
    assert answer.status_code == 302
    assert "django_language" not in answer.cookies
    assert client.get("/account/language/").status_code == 405
