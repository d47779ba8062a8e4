"""E-mail on its way in (Django's backend that queues) and on its way out (the mail server)."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from trialsite.notify.channels import AwayError, Letter
from trialsite.notify.models import By, Outcome
from trialsite.notify.outbox import Sealed, queue_mail


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


class MailChannel:
    """Mail, by the server of EMAIL_URL."""

    name = By.MAIL

    def is_on(self) -> bool:
        """Always: without a server the mails go to files."""
        return True

    def open(self) -> MailPost:
        """One connection for a batch."""
        return MailPost()


class MailPost:
    """One connection to the mail server, for the mails of a batch."""

    def __init__(self) -> None:
        self._connection = get_connection(settings.NOTIFY_DELIVERY_BACKEND)

    def send(self, letter: Letter) -> tuple[Outcome, str]:
        """What came of it, and the server's words."""
        try:
            self._connection.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise AwayError(str(error)) from error
        try:
            self._connection.send_messages([_message(letter)])
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return _judge(error), _words(error)
        except ValueError as error:  # no server would take such an address or header
            return Outcome.REFUSED, str(error)
        return Outcome.SENT, ""

    def close(self) -> None:
        self._connection.close()


def _message(letter: Letter) -> EmailMessage:
    headers = {"Message-ID": letter.message_id, "Auto-Submitted": "auto-generated"}
    if letter.urgent:
        headers |= {"Importance": "high", "X-Priority": "1"}
    return EmailMessage(letter.subject, letter.body, to=[letter.to], headers=headers)


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
