"""Days at random: no day brings two digests, and nothing is forgotten."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction
from hypothesis import given as examples
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import make_cast
from tests.notify.planned import SHANGHAI, Agenda, at
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.notify import channels, planning
from trialsite.notify.channels import AwayError, Letter
from trialsite.notify.models import (
    By,
    Notice,
    Outcome,
    State,
)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


CLOCK_STEPS = st.lists(
    st.tuples(
        st.integers(1, 14 * 60),  # minutes until the next moment
        st.sampled_from(["due", "due", "done", "alarm", "flaky", "gone", "refusing", "well"]),
        st.integers(-600, 600),  # when it is due, from then
    ),
    min_size=5,
    max_size=30,
)


@pytest.mark.requirement("RM1", "RM3")
@hypothesis_settings(max_examples=12)
@examples(CLOCK_STEPS)
def test_no_day_brings_two_digests_and_nothing_is_forgotten(db, clock, run, steps):
    """Days at random: things come due and are done, the server refuses, breaks off, recovers."""
    with _world() as (nurse, agenda, alarm, server):
        now, keys, alarms, bad = at("00:00"), [], 0, 0
        for minutes, what, offset in steps:
            now += minutes * MINUTE
            bad += server.mode in {"gone", "refusing"}
            if bad > 3:
                server.mode, bad = "well", 0  # a server away for days is given up: another test
            if what == "due":
                keys.append(agenda.add(nurse, now + offset * MINUTE))
            elif what == "done" and keys:
                agenda.done.add(keys[offset % len(keys)])
            elif what == "alarm":
                alarm.add(nurse, now)
                alarms += 1
            elif what in _Server.MODES:
                server.mode = what
            run(now)
        server.mode = "well"
        for _ in range(10):
            now += 12 * HOUR
            run(now)
        _check(server, keys, agenda.done, alarms)


def _check(server: _Server, keys: list[uuid.UUID], done: set[uuid.UUID], alarms: int) -> None:
    days = defaultdict(set)
    for moment, key in server.accepted:
        if key.startswith("<digest"):
            days[moment.astimezone(SHANGHAI).date()].add(key)
    assert all(len(each) == 1 for each in days.values()), days
    ended = dict(Notice.objects.filter(kind="visit").values_list("object_id", "state"))
    assert set(ended) == set(keys)
    for thing in keys:
        ends = [str(State.SENT), str(State.CANCELLED)] if thing in done else [str(State.SENT)]
        assert ended[thing] in ends
    told = {key for _at, key in server.accepted}
    assert sum(key.startswith("<alarm") for key in told) == alarms
    assert Notice.objects.filter(kind="alarm", state=State.SENT).count() == alarms
    doubts = sum(Notice.objects.values_list("doubts", flat=True))
    assert len(server.accepted) - len(told) <= doubts


@contextmanager
def _world() -> Iterator[tuple[User, Agenda, Agenda, _Server]]:
    """A nurse, two kinds of notices and a server, gone again afterwards."""
    server, kept, ways = _Server(), planning._planners, channels._channels
    try:
        planning._planners, channels._channels = {}, {}
        channels.register_channel(server)
        with transaction.atomic():
            nurse = make_cast().nurse
            yield nurse, Agenda(bundled=True), Agenda("alarm", urgent=True), server
            transaction.set_rollback(True)
    finally:
        planning._planners, channels._channels = kept, ways


class _Server:
    """A way out whose server can be made to misbehave; what it accepted, and when."""

    MODES = ("well", "flaky", "refusing", "gone")
    name = By.MAIL

    def __init__(self) -> None:
        self.mode = "well"
        self.accepted: list[tuple[dt.datetime, str]] = []

    def is_on(self) -> bool:
        return True

    def open(self) -> _Server:
        return self

    def close(self) -> None:
        pass

    def send(self, letter: Letter) -> tuple[Outcome, str]:
        if self.mode == "gone":
            raise AwayError("gone")
        if self.mode == "refusing":
            return Outcome.DEFERRED, "451 later"
        self.accepted.append((trial_now(), letter.message_id))
        if self.mode == "flaky":
            self.mode = "well"
            return Outcome.IN_DOUBT, "the line broke"
        return Outcome.SENT, ""
