"""Mails of Django and its libraries: queued with the act that causes them, secret until sent."""

from __future__ import annotations

import re

import pytest
from django.core.mail import BadHeaderError, EmailMessage, EmailMultiAlternatives, send_mail
from django.db import connection, transaction
from django.test import Client

from tests.factories import make_user
from trialsite.access.capabilities import Role
from trialsite.notify.delivery import deliver_due
from trialsite.notify.models import DeliveryAttempt, Notice, State


def _everything_stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT notice::text FROM notify_notice AS notice")
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.requirement("SA6")
def test_a_reset_mail_goes_through_the_outbox_and_leaves_no_link_behind(cast, sink):
    Client().post("/account/reset/", {"email": cast.nurse.email})
    notice = Notice.objects.get()
    assert notice.recipient == cast.nurse
    stored = _everything_stored()
    assert "/account/reset/" not in stored
    assert not sink.arrived
    deliver_due()
    [message] = sink.arrived
    assert message["To"] == cast.nurse.email
    [path] = re.findall(r"https?://[^/\s]+(/\S+)", message.get_content())
    assert Client().get(path).status_code == 302
    notice.refresh_from_db()
    assert (notice.state, notice.sealed) == (State.SENT, "")


def test_a_mail_stands_or_falls_with_its_transaction(committed, sink, broker):
    person = make_user(Role.MONITOR)
    with transaction.atomic():
        send_mail("s", "b", None, [person.email])
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    with transaction.atomic():
        send_mail("s", "b", None, [person.email])
    assert Notice.objects.get().recipient == person


def test_each_address_has_its_own_notice_and_sees_no_other(cast, sink):
    send_mail("s", "b", None, [cast.nurse.email, "Who <WHO@example.org>"])
    EmailMessage("s", "b", to=[cast.monitor.email], bcc=[cast.auditor.email]).send()
    deliver_due()
    assert sorted(message["To"] for message in sink.arrived) == sorted(
        [cast.nurse.email, "Who <WHO@example.org>", cast.monitor.email, cast.auditor.email]
    )
    assert Notice.objects.filter(recipient=None).count() == 1


def test_an_account_is_known_by_its_address_however_it_is_written(cast, sink):
    send_mail("s", "b", None, [f"Nora <{cast.nurse.email.upper()}>"])
    assert Notice.objects.get().recipient == cast.nurse


@pytest.mark.parametrize("recipient", ["a@b.org\nBcc: c@d.org", "ok@example.org"])
def test_a_line_break_enters_no_header(recipient, db, sink):
    subject = "s" if "\n" in recipient else "s\r\nBcc: c@d.org"
    with pytest.raises(BadHeaderError):
        send_mail(subject, "b", None, [recipient])
    assert not Notice.objects.exists()


def test_an_address_no_server_takes_fails_and_holds_up_nobody(cast, sink):
    send_mail("s", "b", None, ["@@@"])
    send_mail("s", "b", None, [cast.nurse.email])
    deliver_due()
    assert sorted(Notice.objects.values_list("state", flat=True)) == [State.FAILED, State.SENT]
    assert not Notice.objects.exclude(sealed="").exists()


def test_the_outbox_refuses_what_it_cannot_carry(db, sink):
    rich = EmailMultiAlternatives("s", "b", to=["a@b.org"])
    rich.attach_alternative("<p>b</p>", "text/html")
    attached = EmailMessage("s", "b", to=["a@b.org"], attachments=[("a.txt", "x", "text/plain")])
    for message in (rich, attached):
        with pytest.raises(ValueError, match="plain text"):
            message.send()


def test_an_address_outside_leaves_no_trace_after_the_mail(db, sink):
    send_mail("s", "b", None, ["outsider@example.org"])
    sink.refuse["outsider@example.org"] = "550 <outsider@example.org> unknown"
    deliver_due()
    assert "outsider" not in _everything_stored()
    assert "outsider" not in DeliveryAttempt.objects.get().error


def test_the_delivery_log_is_never_rewritten(cast, sink):
    send_mail("s", "b", None, [cast.nurse.email])
    deliver_due()
    for forbidden in (
        "UPDATE notify_deliveryattempt SET error = ''",
        "DELETE FROM notify_deliveryattempt",
        "DELETE FROM notify_notice",
    ):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            connection.cursor().execute(forbidden)
