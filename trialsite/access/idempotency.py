"""A POST repeated with the same Idempotency-Key is answered, not done, again (trust DI7).

The key and the answer are kept in the transaction that did the work, so no crash can come
between them. Of two requests with one key at the same moment the second waits for the
first's transaction: it finds the answer, or does the work itself where the first failed.
Errors are not kept: their work was rolled back, and the same key may try again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.models import IdempotentAnswer, User

HEADER = "Idempotency-Key"
_KEPT_HEADERS = ("ETag", "Location")


class KeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"


class Replayed(Exception):  # noqa: N818  (no error: the answer is already known)
    """Ends a request with the answer that was given the first time."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Claim:
    """This request is the one that does the work under its key."""

    user_id: int
    sites: frozenset[int]
    key: str
    fingerprint: str


def claim(request: Request) -> Claim:
    """Take the request's key; raises Replayed where the work is already done."""
    key = request.headers.get(HEADER, "")
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= 200):
        raise ValidationError({HEADER: [_("Send a key of your own, such as a random UUID.")]})
    person = request.user
    assert isinstance(person, User)
    claimed = Claim(person.pk, person.access.sites(), key, _fingerprint(request))
    _wait_for_turn(claimed)
    kept = IdempotentAnswer.objects.filter(user_id=claimed.user_id, key=key).first()
    if kept is None:
        return claimed
    if kept.fingerprint != claimed.fingerprint:
        raise KeyReused(_("This Idempotency-Key was used for another request."))
    assert kept.body is not None
    if not claimed.sites.issuperset(kept.body["sites"]):
        # What was said then may speak of a site that is closed to this person now (IA5).
        raise NotFound
    raise Replayed(_answer(kept))


def keep(claimed: Claim, answer: Response) -> None:
    """Remember the answer together with the work."""
    answer.render()
    headers = {name: answer[name] for name in _KEPT_HEADERS if name in answer}
    # The text, not its parsed form: jsonb would reorder the keys of the repeated answer.
    body = {
        "text": answer.content.decode(),
        "headers": headers,
        "sites": sorted(claimed.sites),
    }
    IdempotentAnswer.objects.create(
        user_id=claimed.user_id,
        key=claimed.key,
        fingerprint=claimed.fingerprint,
        status=answer.status_code,
        body=body,
    )


def _fingerprint(request: Request) -> str:
    """Keyed: a bare hash of a short body (a phone number, a password) could be guessed."""
    parts = (request.get_full_path().encode(), request.body)
    return salted_hmac(
        "trialsite.access.idempotency", b"\0".join(parts), algorithm="sha256"
    ).hexdigest()


def _wait_for_turn(claimed: Claim) -> None:
    """Hold an advisory lock of this person's key until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"idempotency:{claimed.user_id}:{claimed.key}"],
        )


def _answer(kept: IdempotentAnswer) -> HttpResponse:
    body: dict[str, Any] = kept.body or {}
    return HttpResponse(
        body["text"],
        status=kept.status,
        content_type="application/json",
        headers={**body["headers"], "Idempotency-Replayed": "true"},
    )
