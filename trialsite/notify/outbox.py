"""Putting ready-made mails into the outbox, and ringing for a worker."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from dataclasses import asdict, dataclass
from email.utils import parseaddr

from celery import current_app
from django.db import transaction

from trialsite.access.models import User, email_key
from trialsite.core.clock import trial_now
from trialsite.core.encryption import decrypt, encrypt
from trialsite.notify.models import READY_MADE, Lane, Notice

log = logging.getLogger(__name__)

_PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 1}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A mail as it was given, with the address it was given for."""

    to: str
    subject: str
    body: str

    def seal(self) -> str:
        return encrypt(json.dumps(asdict(self)))

    @classmethod
    def open(cls, token: str) -> Sealed:
        return cls(**json.loads(decrypt(token)))


def queue_mail(mail: Sealed) -> Notice:
    """Promise a ready-made mail, together with whatever else this transaction does."""
    key, now = uuid.uuid4(), trial_now()
    notice = Notice.objects.create(
        id=key,
        kind=READY_MADE,
        recipient=User.objects.filter(email=email_key(parseaddr(mail.to)[1])).first(),
        lane=Lane.URGENT,
        dedupe_key=f"{READY_MADE}:{key}",
        due_at=now,
        send_at=now,
        try_at=now,
        sealed=mail.seal(),
    )
    ring()
    return notice


def ring() -> None:
    """Once this transaction stands, tell a worker.

    Nobody waits at the door: a broker that is down is asked for seconds before it is given
    up. Then the beat, which comes by every minute, finds what is due.
    """
    _after_commit("trialsite.notify.tasks.deliver")


def announce(kind: str) -> None:
    """Once this transaction stands, have notices of this kind planned and sent at once."""
    _after_commit("trialsite.notify.tasks.announce", kind)


def _after_commit(task: str, *arguments: str) -> None:
    transaction.on_commit(
        lambda: threading.Thread(target=_ring, args=(task, arguments), daemon=True).start()
    )


def _ring(task: str, arguments: tuple[str, ...]) -> None:
    try:
        with current_app.connection_for_write(transport_options=_PATIENCE) as broker:
            current_app.send_task(task, arguments, connection=broker, retry=False, expires=60)
    except Exception as error:
        log.warning("no worker could be told of new notices: %s", error)
