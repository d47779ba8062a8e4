"""An invitation opens one account, once, for the person it was meant for."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.access.browser import acts, holds_session, is_signed_in, link_in_mail, type_password
from tests.factories import Cast, given, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import Invitation, Site, User
from trialsite.audit.models import Event

NEW = "a pass phrase of my own"


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _invitation_fields(site: Site | None, **more: object) -> dict[str, object]:
    fields = {
        "full_name": "Nadia New",
        "email": "nadia@example.org",
        "language": "en",
        "role": Role.RESEARCH_NURSE,
        "site": site.pk if site else "",
        "valid_from": _today().isoformat(),
    }
    return fields | more


def invite(cast: Cast, **more: object) -> tuple[Client, str]:
    client = sign_in(cast.administrator)
    page = client.post("/people/invite/", _invitation_fields(cast.site, **more)).content.decode()
    found = re.search(r'value="(http[^"]+/account/invitation/[^"]+)"', page)
    return client, found.group(1) if found else page


def _path(link: str) -> str:
    return link.partition("://")[2].partition("/")[2].join(["/", ""])


@pytest.mark.requirement("SA1", "SA7")
def test_an_invitation_leads_to_a_password_then_to_enrolment_and_to_nothing_else(cast):
    _client, link = invite(cast)
    assert mail.outbox[0].to == ["nadia@example.org"]
    assert link_in_mail() == _path(link)
    newcomer = Client()
    page = newcomer.get(_path(link))
    assert "Nadia New" in page.content.decode()
    answer = newcomer.post(_path(link), {"password1": NEW, "password2": NEW})
    assert answer["Location"] == reverse("mfa_activate_totp")
    assert newcomer.get(reverse("mfa_activate_totp")).status_code == 200
    assert not is_signed_in(newcomer)
    assert newcomer.get("/account/profile/")["Location"] == reverse("mfa_activate_totp")
    taken = acts("invitation_taken")
    assert [event.actor_id for event in taken] == [User.objects.get(email="nadia@example.org").pk]


@pytest.mark.requirement("SA7")
def test_no_administrator_ever_types_or_sees_somebodys_password(cast):
    client, _link = invite(cast)
    user = User.objects.get(email="nadia@example.org")
    assert not user.has_usable_password()
    for name in ("invite", "person", "invite_again", "grant"):
        arguments = [] if name == "invite" else [user.pk]
        page = client.get(reverse(f"access:{name}", args=arguments)).content.decode()
        assert 'type="password"' not in page


def test_an_invitation_is_taken_once(cast):
    _client, link = invite(cast)
    Client().post(_path(link), {"password1": NEW, "password2": NEW})
    second = Client()
    assert "closed" in second.get(_path(link)).content.decode()
    second.post(_path(link), {"password1": NEW + "2", "password2": NEW + "2"})
    assert not holds_session(second)
    assert User.objects.get(email="nadia@example.org").check_password(NEW)


def test_an_invitation_expires_after_seven_days(cast):
    _client, link = invite(cast)
    with time_machine.travel(timezone.now() + dt.timedelta(days=7, seconds=1), tick=False):
        assert "closed" in Client().get(_path(link)).content.decode()


def test_a_newer_invitation_closes_the_older(cast):
    client, link = invite(cast)
    user = User.objects.get(email="nadia@example.org")
    client.post(reverse("access:invite_again", args=[user.pk]), {"reason": "mail was lost"})
    assert "closed" in Client().get(_path(link)).content.decode()


def test_an_altered_invitation_is_closed(cast):
    _client, link = invite(cast)
    path = _path(link)
    for altered in (path[:-2] + "x/", path.replace(":", "", 1), "/account/invitation/x/"):
        assert "closed" in Client().get(altered).content.decode()


def test_the_link_rests_as_a_hash_only(cast):
    _client, link = invite(cast)
    token = _path(link).split("/")[-2].partition(":")[0]
    stored = Invitation.objects.get(user__email="nadia@example.org")
    assert token not in stored.token_hash
    events = given(lambda: str(list(Event.objects.values_list("new", "old"))))()
    assert token not in events
    assert stored.token_hash not in events


def test_a_new_invitation_forgets_password_and_factors_and_ends_sessions(cast):
    theirs = sign_in(cast.nurse)
    client = sign_in(cast.administrator)
    client.post(reverse("access:invite_again", args=[cast.nurse.pk]), {"reason": "lost phone"})
    assert not is_signed_in(theirs)
    nurse = User.objects.get(pk=cast.nurse.pk)
    assert not nurse.has_second_factor
    assert not nurse.has_usable_password()
    assert type_password(Client(), nurse.email).status_code == 200
