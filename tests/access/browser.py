"""A person at the real pages: what they type, what they get."""

from __future__ import annotations

import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD, given
from trialsite.access.models import User
from trialsite.audit.models import Event
from trialsite.core.context import Channel, Context, acting

LOGIN = "/account/login/"
SECOND_FACTOR = "/account/second-factor/code/"


def type_password(client: Client, email: str, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password, **more})


def type_code(client: Client, code: str) -> Any:
    return client.post(SECOND_FACTOR, {"code": code})


def code_of(user: User, *, later: int = 0) -> str:
    """What the person's phone shows, now or some periods later."""
    factor = Authenticator.objects.get(user=user, type="totp")
    step = int(time.time()) // 30 + later
    return str(format_hotp_value(hotp_value(decrypt(factor.data["secret"]), step)))


def sign_in_fully(user: User, *, later: int = 0, **defaults: Any) -> Client:
    """Both factors at the real pages."""
    client = Client(**defaults)
    type_password(client, user.email)
    type_code(client, code_of(user, later=later))
    return client


@given
def recovery_codes_of(user: User) -> list[str]:
    return list(RecoveryCodes.activate(user).get_unused_codes())


def is_signed_in(client: Client) -> bool:
    """Whether a page of the study opens."""
    return client.get(reverse("dashboard:today")).status_code == 200


def holds_session(client: Client) -> bool:
    return SESSION_KEY in client.session


def link_in_mail() -> str:
    """The path of the only link in the last mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", str(mail.outbox[-1].body))
    assert found
    return found.group(1)


def acts(act: str) -> list[Event]:
    """The acts of a kind in the trail, oldest first."""
    with acting(Context(channel=Channel.COMMAND, system="tests")):
        return list(Event.objects.filter(act=act))
