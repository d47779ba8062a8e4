"""The first administrator of an empty study comes from the command line, by invitation."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests.access.browser import acts
from tests.factories import make_site, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import User


def _run(**options: str) -> str:
    out = io.StringIO()
    call_command("create_administrator", stdout=out, **options)
    return out.getvalue()


def test_the_first_administrator_is_invited_with_a_link_that_works(db):
    printed = _run(email="Ada@Example.org", name="Ada Administrator")
    user = User.objects.get(email="ada@example.org")
    assert user.access.roles() == (Role.STUDY_ADMINISTRATOR,)
    (path,) = re.findall(r"https?://[^/]+(/account/invitation/\S+)", printed)
    new = "a pass phrase of my own"
    answer = Client().post(path, {"password1": new, "password2": new})
    assert answer["Location"] == "/account/second-factor/app/"


def test_a_second_run_says_so_and_changes_nothing(db):
    _run(email="ada@example.org", name="Ada Administrator")
    assert "has an administrator already: Ada Administrator" in _run(
        email="eve@example.org", name="Eve"
    )
    assert User.objects.count() == 1


@pytest.mark.requirement("IA7")
def test_an_administrator_whom_nobody_can_help_begins_anew_and_the_trail_says_why(db):
    ada = make_user(Role.STUDY_ADMINISTRATOR, email="ada@example.org")
    before = sign_in(ada)
    printed = _run(again="Ada@example.org", reason="phone and codes lost")
    (path,) = re.findall(r"https?://[^/]+(/account/invitation/\S+)", printed)
    ada = User.objects.get(pk=ada.pk)
    assert not ada.has_usable_password()
    assert not ada.has_second_factor
    assert before.get("/people/").status_code == 302
    new = "a pass phrase of my own"
    answer = Client().post(path, {"password1": new, "password2": new})
    assert answer["Location"] == "/account/second-factor/app/"
    (event,) = acts("invited_again")
    assert (event.system, event.reason) == ("create_administrator", "phone and codes lost")


@pytest.mark.parametrize(
    ("again", "reason", "words"),
    [
        ("nurse@example.org", "lost", "No administrator"),
        ("nobody@example.org", "lost", "No administrator"),
        ("ada@example.org", " ", "Say why"),
    ],
)
def test_nobody_but_an_administrator_is_let_in_anew_from_the_command_line(db, again, reason, words):
    make_user(Role.STUDY_ADMINISTRATOR, email="ada@example.org")
    make_user(Role.RESEARCH_NURSE, email="nurse@example.org", site=make_site("001"))
    with pytest.raises(CommandError, match=words):
        _run(again=again, reason=reason)
    assert all(user.has_usable_password() for user in User.objects.all())


@pytest.mark.parametrize(("email", "name"), [("", "Ada"), ("no address", "Ada"), ("a@b.org", " ")])
def test_what_is_missing_is_named(db, email, name):
    with pytest.raises(CommandError, match="Give"):
        _run(email=email, name=name)
    assert not User.objects.exists()


def test_the_environment_can_say_it(db, monkeypatch):
    monkeypatch.setenv("ADMIN_EMAIL", "ada@example.org")
    monkeypatch.setenv("ADMIN_NAME", "Ada Administrator")
    assert "/account/invitation/" in _run()
