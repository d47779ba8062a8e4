"""E-mail on its way in (Django's backend that queues) and on its way out (the mail server)."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from trialsite.access.adapters import address_of
from trialsite.notify.models import Notice, Outcome
from trialsite.notify.outbox import Sealed, queue_mail
from trialsite.notify.planning import render


class OutboxEmailBackend(BaseEmailBackend):
    """Mails of Django and its libraries become notices, in the transaction that sends them."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        with transaction.atomic():
            for message in email_messages:
                self._queue(message)
        return len(email_messages)

    def _queue(self, message: EmailMessage) -> None:
        rich = message.attachments or getattr(message, "alternatives", None)
        if rich or message.content_subtype != "plain":
            raise ValueError("the outbox carries plain text only")
        message.message()  # refuses a line break in any header, while its cause is at hand
        for address in message.recipients():
            queue_mail(Sealed(address, str(message.subject), str(message.body)))


class ServerAwayError(Exception):
    """The mail server cannot be reached: it concerns every mail, not this one."""


class Post:
    """One connection to the mail server, for the mails of a batch."""

    def __init__(self) -> None:
        self._connection = get_connection(settings.NOTIFY_DELIVERY_BACKEND)

    def send(self, message: EmailMessage) -> tuple[Outcome, str]:
        """What came of it, and the server's words."""
        try:
            self._connection.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise ServerAwayError(str(error)) from error
        try:
            self._connection.send_messages([message])
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return _judge(error), _words(error)
        except ValueError as error:  # no server would take such an address or header
            return Outcome.REFUSED, str(error)
        return Outcome.SENT, ""

    def close(self) -> None:
        self._connection.close()


def _judge(error: Exception) -> Outcome:
    """A refusal for good is of this mail or its address; whatever else may pass."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _text in error.recipients.values()]
        return Outcome.REFUSED if min(codes) >= 500 else Outcome.DEFERRED
    if isinstance(error, smtplib.SMTPDataError):
        return Outcome.REFUSED if error.smtp_code >= 500 else Outcome.DEFERRED
    if isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPNotSupportedError):
        return Outcome.DEFERRED
    return Outcome.IN_DOUBT  # the line broke: the last word may have been an acceptance


def _words(error: Exception) -> str:
    """The server's answer, without the address it may repeat."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return str(error)
    return "; ".join(
        f"{code} {text.decode(errors='replace').replace(address, '…')}"
        for address, (code, text) in error.recipients.items()
    )


def compose(notice: Notice) -> EmailMessage:
    """The message to send, in the reader's language."""
    user = notice.recipient
    with override(user.language if user else settings.LANGUAGE_CODE):
        if notice.sealed:
            sealed = Sealed.open(notice.sealed)
            return _message(notice, sealed.to, sealed.subject, sealed.body)
        assert user is not None
        mail = render(notice, user)
        link = f"\n{address_of(mail.path)}\n" if mail.path else ""
        return _message(notice, user.email, mail.subject, f"{mail.body.strip()}\n{link}")


def _message(notice: Notice, to: str, subject: str, body: str) -> EmailMessage:
    if settings.DEMO:
        subject = f"[{_('SYNTHETIC')}] {subject}"
        notes = _("This mail comes from a demonstration: all data in it are synthetic.")
        body = f"{body.rstrip()}\n\n-- \n{notes}\n"
    headers = {"Message-ID": notice.message_id, "Auto-Submitted": "auto-generated"}
    return EmailMessage(" ".join(subject.split()), body, to=[to], headers=headers)
