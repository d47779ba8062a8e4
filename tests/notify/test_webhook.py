"""The operator's gateway: told what the mail says, signed, repeated as mail is, and nobody else."""

from __future__ import annotations

import datetime as dt
import json
import logging
import ssl
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver

from tests.notify.gateway import Gateway
from tests.notify.planned import Agenda
from tests.notify.test_delivery import _deactivate
from trialsite.core.clock import trial_now
from trialsite.notify import webhook
from trialsite.notify.channels import AwayError
from trialsite.notify.delivery import deliver_due
from trialsite.notify.models import By, Notice, Outcome, Preferences, State
from trialsite.notify.outbox import Sealed, queue_mail
from trialsite.notify.planning import plan_notices

SECRET = "0123456789abcdef0123456789abcdef"
LATER = dt.timedelta(hours=2)


@pytest.fixture
def gateway(settings):
    one = Gateway()
    settings.NOTIFY_WEBHOOK_URL, settings.NOTIFY_WEBHOOK_SECRET = one.url, SECRET
    settings.NOTIFY_WEBHOOK_TIMEOUT = 10
    yield one
    one.stop()


@pytest.fixture
def agenda(planners, sink):
    return Agenda("single")


def told(agenda, reader) -> Notice:
    """Something due is planned and delivered; its notice by the gateway."""
    agenda.add(reader, trial_now())
    plan_notices(trial_now())
    deliver_due()
    return Notice.objects.get(channel=By.WEBHOOK)


def log_of(notice) -> list[str]:
    return list(notice.log.values_list("outcome", flat=True))


def test_without_a_gateway_nothing_is_planned_for_one(cast, agenda, sink):
    agenda.add(cast.nurse, trial_now())
    plan_notices(trial_now())
    assert list(Notice.objects.values_list("channel", flat=True)) == [By.MAIL]


@pytest.mark.requirement("PR3")
def test_the_gateway_is_told_what_the_mail_says_and_no_more(cast, agenda, sink, gateway):
    notice = told(agenda, cast.nurse)
    [(path, headers, body)] = gateway.arrived
    [mail] = sink.arrived
    said = json.loads(body)
    assert path == "/hook?tenant=7"
    assert set(said) == {"id", "kind", "urgent", "language", "to", "subject", "text"}
    assert (said["subject"], said["to"]) == (mail["Subject"], mail["To"])
    assert said["text"].split() == mail.get_content().split()
    assert said["id"] == headers["Idempotency-Key"] == notice.message_id != mail["Message-ID"]
    assert notice.state == State.SENT
    assert Notice.objects.get(channel=By.MAIL).state == State.SENT


def test_each_message_is_signed_over_its_time_and_text(cast, agenda, gateway):
    told(agenda, cast.nurse)
    [(_path, headers, body)] = gateway.arrived
    sent_at = headers["X-Trialsite-Time"]
    assert headers["X-Trialsite-Signature"] == f"sha256={webhook.signature(sent_at, body)}"
    assert webhook.signature(sent_at, body) != webhook.signature(sent_at, body + b" ")
    assert webhook.signature(sent_at, body) != webhook.signature("0", body)
    assert SECRET not in str(headers)


def test_mails_about_accounts_never_go_by_the_gateway(cast, agenda, sink, gateway):
    queue_mail(Sealed(cast.nurse.email, "reset", "https://secret"))
    deliver_due()
    assert len(sink.arrived) == 1
    assert not gateway.arrived


def test_trialsite_shows_it_once_however_many_channels_it_goes_by(cast, agenda, gateway):
    told(agenda, cast.nurse)
    assert Notice.objects.addressed_to(cast.nurse).count() == 1


@pytest.mark.parametrize(
    ("status", "outcome", "state"),
    [
        (204, Outcome.SENT, State.SENT),
        (302, Outcome.DEFERRED, State.PLANNED),
        (400, Outcome.REFUSED, State.FAILED),
        (401, Outcome.DEFERRED, State.PLANNED),
        (429, Outcome.DEFERRED, State.PLANNED),
        (503, Outcome.DEFERRED, State.PLANNED),
        (None, Outcome.IN_DOUBT, State.IN_DOUBT),
    ],
)
def test_its_answer_decides_what_follows(status, outcome, state, cast, agenda, gateway):
    gateway.answer = lambda _gateway: status
    notice = told(agenda, cast.nurse)
    assert (log_of(notice), notice.state) == ([outcome], state)


def test_what_it_put_off_or_may_have_missed_is_repeated_under_the_same_id(cast, agenda, gateway):
    answers = iter([None, 503, 200])
    gateway.answer = lambda _gateway: next(answers)
    notice = told(agenda, cast.nurse)
    for _ in range(2):
        deliver_due(trial_now() + LATER)
    assert log_of(notice) == [Outcome.IN_DOUBT, Outcome.DEFERRED, Outcome.SENT]
    assert {headers["Idempotency-Key"] for _p, headers, _b in gateway.arrived} == {
        notice.message_id
    }


def test_a_gateway_that_does_not_answer_is_not_waited_for(cast, agenda, settings, gateway):
    settings.NOTIFY_WEBHOOK_TIMEOUT = 0.2
    go_on = threading.Event()

    def slow(_gateway: Gateway) -> int:
        go_on.wait(60)
        return 200

    gateway.answer = slow
    notice = told(agenda, cast.nurse)
    go_on.set()
    assert notice.state == State.IN_DOUBT


def test_while_the_gateway_is_away_mails_go_on(cast, agenda, sink, gateway):
    gateway.stop()
    agenda.add(cast.nurse, trial_now())
    plan_notices(trial_now())
    assert deliver_due() is False
    assert len(sink.arrived) == 1
    notice = Notice.objects.get(channel=By.WEBHOOK)
    assert (notice.state, log_of(notice)) == (State.PLANNED, [Outcome.DEFERRED])


@pytest.mark.requirement("IH4")
def test_no_redirect_is_followed(cast, agenda, gateway):
    elsewhere = Gateway()
    gateway.headers = {"Location": elsewhere.url}
    gateway.answer = lambda _gateway: 307
    try:
        told(agenda, cast.nurse)
    finally:
        elsewhere.stop()
    assert not elsewhere.arrived


@pytest.mark.requirement("IH4")
@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://gateway.example/hook", SECRET),
        ("http://10.0.0.7/hook", SECRET),
        ("ftp://127.0.0.1/hook", SECRET),
        ("https://user:password@gateway.example/", SECRET),
        ("https:///hook", SECRET),
        ("https://gateway.example/", "short"),
    ],
)
def test_a_gateway_that_cannot_be_trusted_is_no_gateway(url, secret, settings):
    settings.NOTIFY_WEBHOOK_URL, settings.NOTIFY_WEBHOOK_SECRET = url, secret
    with pytest.raises(ImproperlyConfigured, match="NOTIFY_WEBHOOK"):
        webhook.gateway()


@pytest.mark.requirement("IH4")
def test_nobody_but_the_operator_names_the_gateway():
    """No form, body or preference holds an address to call."""
    fields = {field.name for field in Preferences._meta.get_fields()}
    assert fields == {
        "user", "switched_off", "digest_at", "quiet", "quiet_from", "quiet_until"
    }  # fmt: skip
    assert get_resolver().resolve("/notices/preferences/")


def test_beyond_this_machine_the_line_is_encrypted_and_checked(settings, monkeypatch):
    """The connection of an https address verifies whom it speaks to."""
    settings.NOTIFY_WEBHOOK_URL = "https://gateway.example/hook"
    settings.NOTIFY_WEBHOOK_SECRET = SECRET
    made = []

    def connect(self):
        made.append(self)
        raise OSError("not in a test")

    monkeypatch.setattr("http.client.HTTPSConnection.connect", connect)
    with pytest.raises(AwayError):
        webhook.WebhookPost(webhook.gateway())._connected()
    [connection] = made
    assert connection._context.verify_mode == ssl.CERT_REQUIRED
    assert connection._context.check_hostname


def test_a_person_who_is_gone_or_wants_none_is_not_told_by_the_gateway(cast, agenda, gateway):
    agenda.add(cast.nurse, trial_now())
    plan_notices(trial_now())
    _deactivate(cast.nurse)
    deliver_due()
    assert not gateway.arrived
    assert set(Notice.objects.values_list("state", flat=True)) == {State.NOBODY}


def test_a_gateway_that_is_switched_off_leaves_nothing_waiting(cast, agenda, settings, gateway):
    agenda.add(cast.nurse, trial_now())
    plan_notices(trial_now())
    settings.NOTIFY_WEBHOOK_URL = ""
    deliver_due()
    assert Notice.objects.get(channel=By.WEBHOOK).state == State.CANCELLED
    assert Notice.objects.get(channel=By.MAIL).state == State.SENT


@pytest.mark.requirement("PR3")
def test_the_log_of_the_process_names_no_reader_and_no_text(cast, agenda, gateway, caplog):
    caplog.set_level(logging.DEBUG, logger="trialsite")
    gateway.answer = lambda _gateway: 500
    notice = told(agenda, cast.nurse)
    assert "500" in notice.last_error
    for word in (cast.nurse.email, cast.nurse.full_name, "001-T001"):
        assert word not in notice.last_error
        assert word not in "\n".join(
            record.getMessage() for record in caplog.records if "mail" not in record.name
        )
