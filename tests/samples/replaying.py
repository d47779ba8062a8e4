"""What must hold of samples at any moment: their custody, told again, is where they are.

Written without the product's own functions: only its table of states is taken from it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from samples.models import ALIQUOT_STEPS, OVER, Aliquot, CustodyEvent

_INTO_A_BOX = ("stored", "moved", "refrozen")
#: What decides how a lost one is when it is found again.
_WHERE = ("stored", "refrozen", "thawed", "packed", "unpacked", "shipped", "arrived")


@dataclass
class Told:
    """An aliquot as its custody tells it."""

    volume: Decimal | None
    state: str = "made"
    place: tuple[uuid.UUID | None, int | None] = (None, None)
    shipment: uuid.UUID | None = None
    thaws: int = 0
    frozen: CustodyEvent | None = None
    before: CustodyEvent | None = None
    times: dict[uuid.UUID, Any] = field(default_factory=dict)
    #: That it was too warm is found out later: these are in no order.
    warm: set[uuid.UUID] = field(default_factory=set)

    def hear(self, event: CustodyEvent) -> None:
        assert self.state not in OVER, f"{event.kind} after {self.state}"
        if event.kind == "corrected" and event.corrects_id in self.warm:
            return
        if event.kind == "corrected":
            self.times[event.corrects_id] = event.moment  # type: ignore[index]
            if self.frozen is not None and event.corrects_id == self.frozen.pk:
                self.frozen.happened_at = event.happened_at
            return
        assert (self.state, event.kind) in ALIQUOT_STEPS, (self.state, event.kind)
        self.state = ALIQUOT_STEPS[self.state, event.kind]
        if event.kind == "excursion":
            self.warm.add(event.pk)
        else:
            self.times[event.pk] = event.moment
        self.take(event)
        self.go(event)
        self.thaws += event.kind == "thawed"

    def go(self, event: CustodyEvent) -> None:
        """Where it is now."""
        if event.kind == "found":
            self.find()
        if event.kind in _WHERE:
            self.before = event
        if event.kind in _INTO_A_BOX:
            self.place = (event.box_id, event.position)
        if self.state != "stored":
            self.place = (None, None)
        self.shipment = event.shipment_id or self.shipment
        if self.state not in {"packed", "shipped", "away", "thawed"}:
            self.shipment = None
        if event.kind == "stored" and self.frozen is None:
            self.frozen = event

    def take(self, event: CustodyEvent) -> None:
        """What is left of it."""
        if event.kind == "measured":
            self.volume = event.amount
        if self.volume is None:
            return
        if event.kind == "analysed" and event.amount is not None:
            self.volume -= event.amount
            assert self.volume >= 0, "more was taken than there was"
            self.state = "used" if self.volume == 0 else self.state
        if event.kind == "used_up":
            self.volume = Decimal(0)

    def find(self) -> None:
        """As it was when it was lost; out of its box."""
        kind = self.before.kind if self.before else ""
        self.state = {"": "made", "thawed": "thawed", "arrived": "away"}.get(kind, "held")
        self.shipment = self.before.shipment_id if self.before else None


def assert_custody_is_true(aliquots: Collection[uuid.UUID], volume: Decimal | None) -> None:
    """Every invariant of these aliquots, that were each made with this volume."""
    events: dict[uuid.UUID, list[CustodyEvent]] = {}
    for event in CustodyEvent.objects.filter(aliquot__in=aliquots).order_by("number"):
        events.setdefault(event.aliquot_id, []).append(event)  # type: ignore[arg-type]
    rows = list(Aliquot.objects.filter(pk__in=aliquots))
    held = Counter((each.box_id, each.position) for each in rows if each.box_id)
    assert not [place for place, number in held.items() if number > 1], "a position holds two"
    for row in rows:
        own = events.get(row.pk, [])
        assert [each.number for each in own] == list(range(1, len(own) + 1))
        told = Told(volume)
        for event in own:
            told.hear(event)
        moments = list(told.times.values())
        assert moments == sorted(moments), "not in order"
        assert told.state == row.state
        assert told.place == (row.box_id, row.position), "in two places"
        assert told.shipment == row.shipment_id
        assert (told.thaws, told.volume) == (row.thaws, row.volume)
        assert row.thaws <= row.thaws_at_most
        assert row.volume is None or row.volume >= 0
        assert row.frozen_at == (told.frozen.happened_at if told.frozen else None)
