"""Killed workers, a broker that forgets, stops or dies: late perhaps, never lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.mail import send_mail
from django.db import connection

from tests.engine.models import Device
from tests.factories import as_person, make_record, make_site, make_subject, make_user, waking_zone
from tests.notify.sink import ACCEPTED, Sink
from tests.waiting import until
from trialsite.access.capabilities import Role
from trialsite.core.clock import trial_now
from trialsite.notify.delivery import LEASE, deliver_due
from trialsite.notify.models import Notice, Outcome, State
from trialsite.notify.outbox import announce
from trialsite.notify.tasks import deliver

MAILS = 12

#: Seconds the broker's client takes to give up on a dead server: nobody's save waits for that.
GIVING_UP = 20


def _queue(count: int = MAILS) -> set[str]:
    """So many mails; the Message-IDs that must arrive."""
    for n in range(count):
        send_mail(f"Mail {n}", "b", None, [f"reader{n}@example.org"])
    return {notice.message_id for notice in Notice.objects.all()}


def _all_sent() -> bool:
    return not Notice.objects.exclude(state=State.SENT).exists()


@pytest.mark.requirement("RM1")
def test_a_worker_answers_the_doorbell(mail_worker, sink):
    expected = _queue()
    mail_worker.start()
    until(_all_sent, what=f"delivery; see {mail_worker.log}")
    assert Counter(sink.ids()) == Counter(expected)


@pytest.mark.requirement("RM1", "RM2")
@pytest.mark.parametrize("fatal", [1, MAILS])
@pytest.mark.fault(
    "worker killed between the mail server's 250 and its mark",
    promised="no mail lost; one repeat under the same Message-ID, in the log",
)
def test_a_worker_killed_between_250_and_its_mark_costs_one_repeat(fatal, mail_worker, sink):
    def die_after(sink: Sink, _server: object) -> str:
        if len(sink.arrived) == fatal:
            mail_worker.kill()
        return ACCEPTED

    sink.answer = die_after
    expected = _queue()
    mail_worker.start()
    until(lambda: mail_worker.process.poll() is not None, what=f"its end; see {mail_worker.log}")
    [doubtful] = Notice.objects.filter(state=State.SENDING)
    deliver_due(trial_now() + LEASE * 2)
    assert _all_sent()
    counted = Counter(sink.ids())
    assert set(counted) == expected
    assert [key for key, times in counted.items() if times > 1] == [doubtful.message_id]
    assert counted[doubtful.message_id] == 2
    assert list(doubtful.log.values_list("outcome", flat=True)) == [Outcome.IN_DOUBT, Outcome.SENT]


def test_an_announced_alarm_is_planned_and_sent_without_waiting_for_the_beat(mail_worker, sink):
    nurse = make_user(Role.RESEARCH_NURSE, site := make_site("001", time_zone=waking_zone()))
    mail_worker.start()
    with as_person(nurse):
        subject = make_subject(site)
        record = make_record(subject, form_oid="F.TDEV")
        Device.objects.create(site=site, subject=subject, record=record, serial="R-1")
        announce("test-device")
    until(lambda: sink.arrived, what=f"the alarm; see {mail_worker.log}")
    assert sink.arrived[0]["To"] == nurse.email


@pytest.mark.requirement("RM2")
@pytest.mark.fault("Valkey forgets everything (FLUSHALL)", promised="every mail arrives once")
def test_a_flushed_broker_loses_nothing(committed, broker, sink):
    expected = _queue()
    client = broker.client()
    until(lambda: client.llen("celery") == MAILS, what="the ringing")
    client.flushall()
    deliver()
    assert set(sink.ids()) == expected


@pytest.mark.requirement("RM2")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.fault(
    "Valkey killed, or stopped (SIGSTOP)",
    promised="who saves does not wait; every mail arrives once",
)
def test_without_a_broker_mails_are_queued_without_delay_and_delivered_later(
    how, committed, broker, sink
):
    pid = int(broker.client().info("server")["process_id"])
    os.kill(pid, how)
    try:
        started = time.monotonic()
        expected = _queue(1)
        assert time.monotonic() - started < GIVING_UP
        deliver_due()
        assert set(sink.ids()) == expected
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.requirement("RM3")
@pytest.mark.fault("two dispatchers at once", promised="every mail arrives once")
def test_two_dispatchers_at_once_send_each_mail_once(committed, broker, sink):
    expected = _queue(40)
    together = threading.Barrier(2)

    def dispatch() -> None:
        together.wait()
        while deliver_due(limit=3):
            pass
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(dispatch) for _ in range(2)]:
            each.result()
    assert Counter(sink.ids()) == Counter(expected)
