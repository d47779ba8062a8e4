"""Random work of three people at the same few aliquots at the same moment.

Each round begins up to three acts together, each on a connection of its own: through the
services, and past them straight into the tables. Whatever was done and whatever was
refused, afterwards the custody tells where each aliquot is.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

import pytest
from django.db import DatabaseError, connections, transaction
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from samples.models import Aliquot, Box, CustodyEvent, CustodyKind, Shipment
from samples.models.states import OF_A_SHIPMENT
from samples.services.aliquots import (
    analyse_aliquot,
    correct_volume,
    end_aliquot,
    find_aliquot,
    move_aliquots,
    note_excursion,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.log import wall_now
from samples.services.shipments import draft_shipment, hand_over, pack, receive, unpack
from samples.services.specimen_ends import correct_time
from samples.services.specimens import aliquot_specimen, collect_specimen, prepare_specimens
from samples.services.storage import add_box, close_box
from tests.factories import Cast, as_person, given, make_cast
from tests.samples.bench import sampled, technician_at
from tests.samples.replaying import assert_custody_is_true
from tests.screening.consenting import wall
from trialsite.access.models import User
from trialsite.casebook.models import Visit
from trialsite.core.clock import TrialNow
from trialsite.core.exceptions import DomainError

VOLUME = Decimal("1.00")
#: PostgreSQL: the deadlock it had to break, and waiting beyond the limit. Neither may happen.
_STUCK = ("40P01", "55P03")

_PARCEL = ["packed", "unpacked", "shipped", "arrived", "destroyed"]

WHICH = st.integers(0, 3)
INTO = st.integers(0, 1)
#: The box has two; the third is none.
PLACES = st.sampled_from([None, 1, 1, 2, 2, 3])
ACTS = st.one_of(
    st.tuples(st.just("store"), WHICH, INTO, PLACES),
    st.tuples(st.just("store"), WHICH, INTO, PLACES),
    st.tuples(st.just("store"), WHICH, INTO, PLACES),
    st.tuples(st.just("move"), WHICH, INTO, PLACES),
    st.tuples(st.just("move"), WHICH, INTO, PLACES),
    st.tuples(st.just("move_all"), INTO),
    st.tuples(st.just("thaw"), WHICH),
    st.tuples(st.just("analyse"), WHICH, st.sampled_from(["0.40", "0.60", "1.00"])),
    st.tuples(st.just("end"), WHICH, st.sampled_from(["destroyed", "discarded", "lost"])),
    st.tuples(st.just("end"), WHICH, st.sampled_from(["destroyed", "discarded", "lost"])),
    st.tuples(st.just("end"), WHICH, st.sampled_from(["destroyed", "discarded", "lost"])),
    st.tuples(st.just("find"), WHICH),
    st.tuples(st.just("pack"), WHICH),
    st.tuples(st.just("unpack"), WHICH),
    st.tuples(st.just("send")),
    st.tuples(st.just("come"), WHICH),
    st.tuples(st.just("travel"), WHICH),
    st.tuples(st.just("travel"), WHICH),
    st.tuples(st.just("warm"), WHICH),
    st.tuples(st.just("measure"), WHICH, st.sampled_from([None, "0.20", "0.90"])),
    st.tuples(st.just("correct"), WHICH, st.integers(0, 90)),
    st.tuples(st.just("close"), INTO, st.sampled_from([False, False, True])),
    st.tuples(st.just("past"), WHICH, st.sampled_from(CustodyKind.values), INTO, PLACES),
    st.tuples(st.just("past"), WHICH, st.sampled_from(CustodyKind.values), INTO, PLACES),
    st.tuples(st.just("past"), WHICH, st.sampled_from(_PARCEL), INTO, PLACES),
    st.tuples(st.just("write"), WHICH, INTO, st.integers(1, 2)),
)


class Bench(RuleBasedStateMachine):
    """Four aliquots, two of them frozen, two boxes of two positions, and a parcel."""

    cast: ClassVar[Cast]
    visit: ClassVar[Visit]
    people: ClassVar[list[User]]
    workers: ClassVar[ThreadPoolExecutor]
    happened: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        one = self.people[0]
        at = wall(self.visit.site, hours=-1.75)
        with as_person(one):
            (specimen,) = prepare_specimens(
                visit=self.visit, kind="URINE", count=1, by=one, extra_reason="another"
            )
            collect_specimen(specimen=specimen, by=one, at=wall(self.visit.site, hours=-2))
            self.aliquots = aliquot_specimen(
                specimen=specimen, by=one, count=4, volume=VOLUME, at=at
            )
            self.boxes = [
                add_box(site=self.cast.site, by=one, rows=1, columns=2) for _number in range(2)
            ]
            self.parcel = self.drafted(one)
            self.sent = self.parcel
            for aliquot, box in zip(self.aliquots, self.boxes, strict=False):
                store_aliquot(aliquot=aliquot, box=box, by=one, at=at)

    def drafted(self, by: User) -> Shipment:
        return draft_shipment(
            by=by, site=self.cast.site, destination="Central laboratory", purpose="IL-6"
        )

    @rule(acts=st.lists(ACTS, min_size=1, max_size=3))
    def at_the_same_moment(self, acts: list[tuple[Any, ...]]) -> None:
        start = threading.Barrier(len(acts))
        waiting = [
            self.workers.submit(self.tried, start, person, getattr(self, name), said)
            for (name, *said), person in zip(acts, self.people, strict=False)
        ]
        for (name, *_said), each in zip(acts, waiting, strict=True):
            self.happened[f"{name} {each.result()}"] += 1

    def tried(
        self, start: threading.Barrier, by: User, act: Callable[..., Any], said: list[Any]
    ) -> str:
        """Whether it was done or refused; being stuck, or any other error, fails the test."""
        start.wait()
        try:
            with as_person(by):
                act(by, *said)
        except DomainError:
            return "refused"
        except DatabaseError as error:
            stuck = getattr(error.__cause__, "sqlstate", "") in _STUCK
            if stuck or act.__name__ not in {"past", "write"}:
                raise
            return "refused"
        return "done"

    def store(self, by: User, which: int, into: int, position: int | None) -> None:
        store_aliquot(aliquot=self.aliquots[which], box=self.boxes[into], position=position, by=by)

    def move(self, by: User, which: int, into: int, position: int | None) -> None:
        places = None if position is None else [position]
        move_aliquots(
            aliquots=[self.aliquots[which]], box=self.boxes[into], positions=places, by=by
        )

    def move_all(self, by: User, into: int) -> None:
        here = Aliquot.objects.filter(pk__in=[each.pk for each in self.aliquots], state="stored")
        move_aliquots(aliquots=list(here), box=self.boxes[into], by=by)

    def thaw(self, by: User, which: int) -> None:
        thaw_aliquot(aliquot=self.aliquots[which], reason="x", by=by)

    def analyse(self, by: User, which: int, amount: str) -> None:
        analyse_aliquot(aliquot=self.aliquots[which], reason="x", amount=Decimal(amount), by=by)

    def end(self, by: User, which: int, kind: str) -> None:
        end_aliquot(
            aliquot=self.aliquots[which],
            kind=CustodyKind(kind),
            reason="x",
            witness=self.cast.nurse,
            by=by,
        )

    def find(self, by: User, which: int) -> None:
        find_aliquot(aliquot=self.aliquots[which], reason="x", by=by)

    def pack(self, by: User, which: int) -> None:
        pack(by=by, shipment=self.parcel, code=self.aliquots[which].code)

    def unpack(self, by: User, which: int) -> None:
        unpack(by=by, shipment=self.parcel, code=self.aliquots[which].code)

    def send(self, by: User) -> None:
        """What is packed leaves; what is packed next goes into another parcel."""
        self.sent = hand_over(by=by, shipment=self.parcel)
        self.parcel = self.drafted(by)

    def come(self, by: User, which: int) -> None:
        code = self.aliquots[which].code
        receive(by=by, shipment=self.sent, code=code, unexpected=which % 2 == 1)

    def travel(self, by: User, which: int) -> None:
        """All the way in a parcel of its own, while others are at it."""
        parcel, code = self.drafted(by), self.aliquots[which].code
        pack(by=by, shipment=parcel, code=code)
        parcel = hand_over(by=by, shipment=parcel)
        receive(by=by, shipment=parcel, code=code)

    def warm(self, by: User, which: int) -> None:
        note_excursion(aliquots=[self.aliquots[which]], celsius=Decimal(-20), reason="x", by=by)

    def measure(self, by: User, which: int, volume: str | None) -> None:
        volume_now = None if volume is None else Decimal(volume)
        correct_volume(aliquot=self.aliquots[which], volume=volume_now, reason="x", by=by)

    def correct(self, by: User, which: int, minutes: int) -> None:
        events = CustodyEvent.objects.select_related("aliquot__site", "specimen__site")
        own = events.filter(aliquot=self.aliquots[which]).exclude(kind="corrected")
        event = own.order_by("-number").first()
        if event is not None:
            at = event.happened_at - dt.timedelta(minutes=minutes)
            correct_time(event=event, at=at, reason="x", by=by)

    def close(self, by: User, which: int, closed: bool) -> None:
        close_box(box=self.boxes[which], closed=closed, by=by)

    def past(self, by: User, which: int, kind: str, into: int, position: int | None) -> None:
        """Straight into the log, as somebody with the application's own role could."""
        aliquot = self.aliquots[which]
        parcel = self.parcel if kind in {"packed", "unpacked"} else self.sent
        boxed = kind in {"stored", "moved", "refrozen"}
        with transaction.atomic():
            CustodyEvent.objects.create(
                site_id=aliquot.site_id,
                subject_id=aliquot.subject_id,
                specimen_id=aliquot.specimen_id,
                aliquot=aliquot,
                kind=kind,
                happened_at=wall_now(self.visit.site.time_zone),
                time_zone=self.visit.site.time_zone,
                box=self.boxes[into] if boxed else None,
                position=position or 1 if boxed else None,
                shipment=parcel if kind in OF_A_SHIPMENT else None,
                witness=self.cast.nurse if kind == "destroyed" else None,
                amount=Decimal("0.70") if kind == "analysed" else None,
                reason="x",
                entered_by=by,
                entered_at=TrialNow(),
            )

    def write(self, _by: User, which: int, into: int, position: int) -> None:
        """Past the log: a position written into the aliquot itself is always refused."""
        with transaction.atomic():
            Aliquot.objects.filter(pk=self.aliquots[which].pk).update(
                state="stored", box=self.boxes[into], position=position, volume=Decimal("9.00")
            )
        raise AssertionError("an aliquot was moved without its custody")

    @invariant()
    def the_custody_tells_where_each_is(self) -> None:
        keys = [each.pk for each in self.aliquots]
        with as_person(self.people[0]):
            assert_custody_is_true(keys, VOLUME)
            boxes = Box.objects.filter(pk__in=[each.pk for each in self.boxes])
            assert all(each.aliquots.count() <= each.capacity for each in boxes)


@pytest.fixture
def bench(committed) -> Any:
    cast = make_cast()
    Bench.cast, Bench.visit = cast, sampled(cast)
    Bench.people = [technician_at(cast.site) for _number in range(3)]
    Bench.happened = Counter()
    with ThreadPoolExecutor(3) as workers:
        Bench.workers = workers
        yield Bench
        done = threading.Barrier(3)
        for each in [workers.submit(partial(_leave, done)) for _worker in range(3)]:
            each.result()


def _leave(done: threading.Barrier) -> None:
    """Close the connections of this worker; all three wait, so that each does it."""
    connections.close_all()
    done.wait()


@given
def _kinds() -> set[str]:
    return set(CustodyEvent.objects.filter(aliquot__isnull=False).values_list("kind", flat=True))


def test_whoever_does_what_at_once_each_sample_is_where_its_custody_says(bench):
    run_state_machine_as_test(
        bench,
        settings=hypothesis_settings(
            max_examples=16,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
        ),
    )
    # It would prove nothing if nothing had happened.
    assert {
        "stored",
        "moved",
        "thawed",
        "analysed",
        "discarded",
        "lost",
        "destroyed",
        "packed",
        "shipped",
        "arrived",
    } <= _kinds()
    assert bench.happened["store done"] > 5
    assert bench.happened["store refused"] > 5
    assert bench.happened["past done"] + bench.happened["past refused"] > 5
    assert bench.happened["write refused"] > 0
    assert bench.happened["pack done"] > 0
    assert bench.happened["travel done"] > 0
