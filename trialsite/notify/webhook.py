"""The gateway: notices handed to a service of the operator's own, for WeCom, DingTalk or SMS.

Its address is the operator's setting and nobody else's (trust IH4); no redirect is followed.
It is told what the mail says and no more. Each message is signed over its time and its text,
so that the gateway can refuse what is forged or old, and carries its id as Idempotency-Key,
so that a repeat after a doubt can be recognised (docs/operating.md).
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import time
from dataclasses import asdict
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from trialsite.notify.channels import AwayError, Letter
from trialsite.notify.models import By, Outcome

#: What the gateway says of this message, and would say again however often it is asked.
_REFUSED = frozenset({400, 409, 410, 413, 415, 422})
_SHORTEST_SECRET = 32


class WebhookChannel:
    """Messages to the operator's gateway; off unless it is configured."""

    name = By.WEBHOOK

    def is_on(self) -> bool:
        """Whether the operator has named a gateway."""
        return bool(settings.NOTIFY_WEBHOOK_URL)

    def open(self) -> WebhookPost:
        """Ready for a batch; each message has a connection of its own."""
        return WebhookPost(gateway())


def gateway() -> SplitResult:
    """The configured address; raises ImproperlyConfigured where it cannot be trusted."""
    parts = urlsplit(settings.NOTIFY_WEBHOOK_URL)
    if not parts.hostname or parts.username or parts.fragment:
        raise ImproperlyConfigured("NOTIFY_WEBHOOK_URL is no address of a gateway.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
        raise ImproperlyConfigured("NOTIFY_WEBHOOK_URL: beyond this machine, https only.")
    if len(settings.NOTIFY_WEBHOOK_SECRET) < _SHORTEST_SECRET:
        raise ImproperlyConfigured("NOTIFY_WEBHOOK_SECRET needs 32 characters or more.")
    return parts


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebhookPost:
    """The gateway, for the messages of a batch."""

    def __init__(self, address: SplitResult) -> None:
        self._address = address

    def send(self, letter: Letter) -> tuple[Outcome, str]:
        """What the gateway answered; its words are not kept, they may repeat ours."""
        connection = self._connected()
        try:
            body = _body(letter)
            connection.request("POST", self._target, body, _headers(letter, body))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return Outcome.IN_DOUBT, repr(error)  # it may have been understood
        finally:
            connection.close()
        words = f"{answer.status} {answer.reason}"
        if 200 <= answer.status < 300:
            return Outcome.SENT, ""
        return (Outcome.REFUSED if answer.status in _REFUSED else Outcome.DEFERRED), words

    def close(self) -> None:
        """Nothing is kept open."""

    @property
    def _target(self) -> str:
        path = self._address.path or "/"
        return f"{path}?{self._address.query}" if self._address.query else path

    def _connected(self) -> http.client.HTTPConnection:
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(
            self._address.hostname or "",
            self._address.port,
            timeout=settings.NOTIFY_WEBHOOK_TIMEOUT,
        )
        try:
            connection.connect()
        except OSError as error:
            raise AwayError(str(error)) from error
        return connection


def _body(letter: Letter) -> bytes:
    said = asdict(letter)
    return json.dumps(
        {"id": said.pop("message_id"), "text": said.pop("body"), **said}, ensure_ascii=False
    ).encode()


def _headers(letter: Letter, body: bytes) -> dict[str, str]:
    sent_at = str(int(time.time()))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": letter.message_id,
        "X-Trialsite-Time": sent_at,
        "X-Trialsite-Signature": f"sha256={signature(sent_at, body)}",
    }


def signature(sent_at: str, body: bytes) -> str:
    """HMAC-SHA-256 over the time, a full stop and the body, as the gateway computes it too."""
    key = settings.NOTIFY_WEBHOOK_SECRET.encode()
    return hmac.new(key, sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()
