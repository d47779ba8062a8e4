"""Parcels for the tests: drafted, packed, sent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from samples.models import Aliquot, Box, ExportPermission, Shipment, ShipmentLine
from samples.services.aliquots import store_aliquot
from samples.services.shipments import (
    draft_shipment,
    hand_over,
    pack,
    record_permission,
)
from tests.factories import Cast, as_person, given
from tests.samples.bench import aliquoted
from tests.screening.consenting import wall
from trialsite.access.models import Site, User
from trialsite.casebook.models import Visit
from trialsite.core.clock import trial_today


def drafted(site: Site, by: User, **said: Any) -> Shipment:
    said = {"destination": "Central laboratory", "purpose": "IL-6"} | said
    with as_person(by):
        return draft_shipment(by=by, site=site, **said)


def frozen(visit: Visit, by: User, box: Box, count: int, kind: str = "URINE") -> list[Aliquot]:
    """So many aliquots of one specimen in a box, in the order of their codes."""
    made = aliquoted(visit, by, kind, count=count, volume=Decimal("0.5"))
    with as_person(by):
        return [
            store_aliquot(aliquot=each, box=box, by=by, at=wall(visit.site, hours=-0.25))
            for each in made
        ]


def packed(shipment: Shipment, by: User, *aliquots: Aliquot) -> list[ShipmentLine]:
    with as_person(by):
        return [pack(by=by, shipment=shipment, code=each.code).lines[0] for each in aliquots]


def sent(shipment: Shipment, by: User, *aliquots: Aliquot, **said: Any) -> Shipment:
    packed(shipment, by, *aliquots)
    with as_person(by):
        return hand_over(by=by, shipment=shipment, **said)


def permitted(cast: Cast, *, days: int = 365, since: int = -30, **said: Any) -> ExportPermission:
    """A permission of the first site, in force unless said otherwise."""
    today = trial_today(cast.site.time_zone)
    said = {"number": "HGR-2026-0001", "recipient": "Central laboratory"} | said
    with as_person(cast.investigator):
        return record_permission(
            by=cast.investigator,
            site=cast.site,
            valid_from=today + dt.timedelta(days=since),
            valid_until=today + dt.timedelta(days=days),
            **said,
        )


@given
def states(*aliquots: Aliquot) -> list[str]:
    return [Aliquot.objects.get(pk=each.pk).state for each in aliquots]


@given
def kinds_of(aliquot: Aliquot) -> list[str]:
    """The custody of an aliquot, in order."""
    return list(aliquot.custody.order_by("number").values_list("kind", flat=True))
