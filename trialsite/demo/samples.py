"""Samples of the demonstration: from the tube to the freezer, and one parcel on its way.

Everything went as planned but for one tube that was frozen too late, one that nobody could
collect, and one aliquot that did not come out of its parcel. Today's tubes are on the bench.
What was drawn before the freezer came, and at other sites, waits on the reconciliation list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from samples.models import Aliquot, Box, Shipment, ShipmentLine, Specimen, WhyNot
from samples.services.aliquots import analyse_aliquot, store_aliquot, thaw_aliquot
from samples.services.expectations import state_not_collected
from samples.services.facts import SpecimenFacts
from samples.services.planning import plan_of
from samples.services.shipments import (
    Route,
    arrive,
    draft_shipment,
    hand_over,
    pack,
    receive,
    report_missing,
)
from samples.services.specimens import (
    aliquot_specimen,
    centrifuge_specimen,
    collect_specimen,
    prepare_specimens,
    receive_specimen,
)
from samples.services.storage import add_box, add_freezer
from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import event_of
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.demo.clock import just_now
from trialsite.protocol.samples import SpecimenMatrix

#: Minutes from collection to each step, and of the one that waited too long.
_RECEIVED, _SPUN, _DIVIDED, _FROZEN, _TOO_LATE = 20, 35, 55, 75, 165
#: How long ago today's tubes were drawn.
_ON_THE_BENCH = 70
#: Days, counted from today, on which the freezer came, an aliquot was used, the parcel left
#: and came.
FREEZER_CAME, USED, SENT, CAME = -20, -7, -6, -4
_IN_THE_PARCEL = 6
_BY_MATRIX = {
    SpecimenMatrix.BLOOD: SpecimenFacts(amount=Decimal("5.0"), draw_site="VENOUS"),
    SpecimenMatrix.URINE: SpecimenFacts(amount=Decimal("30.0"), urine_method="MIDSTREAM"),
    SpecimenMatrix.FAECES: SpecimenFacts(amount=Decimal("2.0"), bristol=5, blood_seen=False),
}
_SPIN = SpecimenFacts(centrifuge_g=2000, centrifuge_minutes=10, centrifuge_celsius=4)


@dataclass(slots=True)
class Bench:
    """Who works at the bench of a site, and where things go."""

    site: Site
    nurse: User
    technician: User
    boxes: Iterator[Box]
    box: Box
    #: What happened once, and does not happen again.
    told: set[str] = field(default_factory=set)

    def once(self, what: str) -> bool:
        """Whether it is the first time."""
        new = what not in self.told
        self.told.add(what)
        return new


def open_bench(site: Site, people: Mapping[str, User]) -> Bench:
    """The freezer has come."""
    technician = people["tech"]
    with _as(technician):
        freezer = add_freezer(
            site=site,
            name="−80 A (SYNTHETIC)",
            room="B1-07",
            celsius=-80,
            racks=2,
            places=4,
            by=technician,
        )
        rack = freezer.racks.order_by("name")[0]
        boxes = [
            add_box(site=site, name=name, rack=rack, by=technician)
            for name in ("Plasma, serum, urine 1", "Plasma, serum, urine 2", "Reserve")
        ]
    rest = iter(boxes)
    return Bench(site, people["nurse"], technician, rest, next(rest))


@contextmanager
def _as(user: User) -> Iterator[None]:
    with acting(context_of(user, Channel.COMMAND)):
        yield


def collect(bench: Bench, visit: Visit, *, of_today: bool) -> None:
    """One visit's tubes: drawn by the nurse, worked up by the technician."""
    zone = bench.site.time_zone
    drawn = just_now(zone).replace(hour=8, minute=40)
    if of_today:
        drawn = just_now(zone) - dt.timedelta(minutes=_ON_THE_BENCH)
    tubes: list[Specimen] = []
    with _as(bench.nurse):
        for kind in event_of(visit).samples:
            tubes += _draw(bench, visit, kind, drawn)
    with _as(bench.technician):
        for tube in tubes:
            _work_up(bench, tube, drawn, frozen=not of_today)


def _draw(bench: Bench, visit: Visit, kind: str, drawn: dt.datetime) -> list[Specimen]:
    plan = plan_of(visit).specimen(kind)
    faeces = plan.matrix is SpecimenMatrix.FAECES and "frozen late" in bench.told
    if faeces and bench.once("nothing passed"):
        state_not_collected(visit=visit, kind=kind, reason=WhyNot.NONE_PASSED, by=bench.nurse)
        return []
    facts = _BY_MATRIX[plan.matrix]
    made = prepare_specimens(visit=visit, kind=kind, count=int(plan.tubes.low or 1), by=bench.nurse)
    return [collect_specimen(specimen=each, by=bench.nurse, at=drawn, facts=facts) for each in made]


def _work_up(bench: Bench, tube: Specimen, drawn: dt.datetime, *, frozen: bool) -> None:
    by = bench.technician

    def after(minutes: int) -> dt.datetime:
        return drawn + dt.timedelta(minutes=minutes)

    if not frozen:
        receive_specimen(specimen=tube, by=by, at=after(_RECEIVED))
    if tube.matrix == SpecimenMatrix.BLOOD:
        centrifuge_specimen(specimen=tube, by=by, at=after(_SPUN), facts=_SPIN)
    if not frozen:
        return
    parts = aliquot_specimen(specimen=tube, by=by, at=after(_DIVIDED), volume=Decimal("0.50"))
    in_time = tube.freeze_within < _SPUN + _FROZEN or not bench.once("frozen late")
    # Faeces have an hour and are frozen as they are.
    minutes = min(_FROZEN, tube.freeze_within) if in_time else _TOO_LATE
    for part in parts:
        _freeze(bench, part, after(minutes))


def _freeze(bench: Bench, part: Aliquot, at: dt.datetime) -> None:
    if Aliquot.objects.filter(box=bench.box).count() == bench.box.capacity:
        bench.box = next(bench.boxes)
    store_aliquot(aliquot=part, box=bench.box, by=bench.technician, at=at)


def use_one(bench: Bench) -> None:
    """One aliquot was thawed for a measurement, and what is left of it frozen again."""
    with _as(bench.technician):
        part = _kept(bench)[-1]
        by, reason = bench.technician, "IL-6, TNF-α (SYNTHETIC)"
        thaw_aliquot(aliquot=part, by=by, reason=reason)
        analyse_aliquot(aliquot=part, by=by, reason=reason, amount=Decimal("0.20"))
        box = part.box
        assert box is not None
        store_aliquot(aliquot=part, box=box, by=bench.technician)


def _kept(bench: Bench) -> list[Aliquot]:
    """What was in the freezer by then, the oldest first."""
    morning = dt.datetime.combine(trial_today(bench.site.time_zone), dt.time())
    rows = Aliquot.objects.filter(site=bench.site, state="stored", frozen_at__lt=morning)
    return list(rows.select_related("site", "box").order_by("code"))


def send(bench: Bench) -> None:
    """Six aliquots go to the central laboratory."""
    by = bench.technician
    with _as(by):
        parcel = draft_shipment(
            by=by,
            site=bench.site,
            destination="Central laboratory (SYNTHETIC)",
            purpose="Cytokines, first batch",
            route=Route(address="1 Example Road", carrier="Cold Courier (SYNTHETIC)"),
        )
        for each in _kept(bench)[:_IN_THE_PARCEL]:
            pack(by=by, shipment=parcel, code=each.code)
        hand_over(by=by, shipment=parcel, tracking="CC-0001", dry_ice=Decimal("5.0"))


def arrived(bench: Bench) -> None:
    """Five of them came."""
    by = bench.technician
    with _as(by):
        parcel = Shipment.objects.get(site=bench.site)
        arrive(
            by=by, shipment=parcel, receiver="L. Laboratory (demo)", logger_celsius=Decimal("-68.5")
        )
        lines = list(
            ShipmentLine.objects.filter(shipment=parcel).select_related("shipment").order_by("code")
        )
        for line in lines[:-1]:
            receive(by=by, shipment=parcel, code=line.code)
        report_missing(by=by, line=lines[-1], reason="Not in the parcel; the carrier was asked")
