"""Reminders: how many rows a dispatcher claims, and claims, writes and settles, in a second."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.measuring import peak
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.factories import given, make_site, make_user
from tests.notify.planned import Agenda, remind
from trialsite.access.capabilities import Role
from trialsite.access.context import system_context
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel
from trialsite.notify import channels, planning
from trialsite.notify.channels import Letter
from trialsite.notify.delivery import BATCH, claim, deliver_due
from trialsite.notify.models import By, Notice, Outcome, Preferences
from trialsite.notify.planning import plan_notices
from trialsite.notify.settling import release

ROWS = sized(2_000, 400)
READERS = sized(200, 50)


class Kept:
    """A mail server in this process that accepts everything at once."""

    name = By.MAIL

    def __init__(self) -> None:
        self.accepted = 0

    def is_on(self) -> bool:
        return True

    def open(self) -> Kept:
        return self

    def close(self) -> None:
        pass

    def send(self, _letter: Letter) -> tuple[Outcome, str]:
        self.accepted += 1
        return Outcome.SENT, ""


@contextmanager
def _alone() -> Iterator[Kept]:
    """No planner and no channel but the benchmark's own."""
    kinds, ways, server = planning._planners, channels._channels, Kept()
    try:
        planning._planners, channels._channels = {}, {}
        channels.register_channel(server)
        yield server
    finally:
        planning._planners, channels._channels = kinds, ways


@benchmark(
    issue=4,
    title="Sending reminders",
    means="How fast a backlog of reminders leaves after the mail server was away: claimed under a "
    "lease so that no two workers take the same, checked anew, written in the reader's language, "
    "sent and settled one by one.",
    aims={
        "claimed a second, one worker": "at least 10,000",
        "memory grown by": "nothing to speak of",
    },
)
def dispatching() -> Found:
    """Single notices claimed only; claimed, written and settled; digests of three."""
    with _alone() as server:
        people = _readers()
        remind(people[0], things=ROWS, due_at=trial_now())
        started = time.perf_counter()
        planned = plan_notices(trial_now())
        lines = [f"{ROWS:,} due rows, batches of {BATCH}"]
        lines.append(_line("planned", planned, time.perf_counter() - started))
        claimed, seconds = _claiming()
        lines.append(_line("claimed only", claimed, seconds))
        before = peak()
        lines.append(_line("claimed, written, settled", *_delivering(server)))
        grown = peak() - before
        lines.append(_line("digests of three rows", *_digests(people, server)))
    return Found(
        lines,
        {
            "claimed a second, one worker": f"{claimed / seconds:,.0f}",
            "memory grown by": f"{grown} MB",
        },
    )


def _digests(people: list[User], server: Kept) -> tuple[int, float]:
    agenda = Agenda("round", bundled=True)
    for person in people:
        for _ in range(3):
            agenda.add(person, trial_now() - dt.timedelta(minutes=1))
    plan_notices(trial_now())
    return _delivering(server)


@given
def _readers() -> list[User]:
    site = make_site("997", time_zone="UTC")
    people = [make_user(Role.RESEARCH_NURSE, site, second_factor=False) for _ in range(READERS)]
    for person in people:
        Preferences.objects.create(user=person, digest_at=dt.time(0))
    return people


def _claiming() -> tuple[int, float]:
    context, count, started = system_context("notify", Channel.TASK), 0, time.perf_counter()
    while count < ROWS // 2:
        claimed = claim(context, trial_now())
        count += len(claimed)
    seconds = time.perf_counter() - started
    release(Notice.objects.filter(state="claimed"))
    return count, seconds


def _delivering(server: Kept) -> tuple[int, float]:
    before, started = server.accepted, time.perf_counter()
    while deliver_due():
        pass
    return server.accepted - before, time.perf_counter() - started


def _line(name: str, count: int, seconds: float) -> str:
    return f"  {name:<36} {count:>7} in {seconds:7.2f} s  {count / seconds:10,.0f} a second"
