"""Shipments of samples: drafted, packed, handed over, received, closed.

Packing and receiving by scan stand in modules of their own; this is the one to call.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import (
    Aliquot,
    AliquotState,
    Cooling,
    CustodyKind,
    ExportPermission,
    LineState,
    Shipment,
    ShipmentState,
)
from samples.selectors.shipping import (
    export_refusal,
    other_recipient,
    plan_at,
    refusals_of,
)
from samples.services.log import Happening, enter, held_aliquots
from samples.services.packing import pack, take_everything_out, unpack
from samples.services.receiving import (
    arrive,
    close_shipment,
    explain,
    receive,
    report_missing,
    report_rest_missing,
)
from samples.services.refusing import sample_refusals
from samples.services.shipment_log import (
    Scanned,
    change,
    demand,
    held_shipment,
    lines_of,
    listed,
    on_the_clock,
)
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.services.subjects import next_number
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.core.ids import with_check
from trialsite.crf.violations import ImpossibleError

__all__ = [
    "Scanned",
    "arrive",
    "cancel_shipment",
    "change_route",
    "close_shipment",
    "draft_shipment",
    "explain",
    "hand_over",
    "name_permission",
    "pack",
    "receive",
    "record_permission",
    "report_missing",
    "report_rest_missing",
    "revoke_permission",
    "unpack",
]


@transaction.atomic
def record_permission(
    *,
    by: User,
    site: Site,
    number: str,
    recipient: str,
    valid_from: dt.date,
    valid_until: dt.date,
    kinds: Sequence[str] = (),
    aliquots_at_most: int | None = None,
) -> ExportPermission:
    """Record a permission to let human material leave the country; an investigator's act."""
    by.require(Capability.CONFIGURE_STUDY, site=site)
    known = {each.key for each in plan_at(site).specimens}
    if not known.issuperset(kinds):
        raise ImpossibleError({"kinds": [_("The protocol has no such specimen.")]})
    permission = ExportPermission(
        id=uuid.uuid4(),
        site=site,
        number=number.strip(),
        recipient=recipient.strip(),
        valid_from=valid_from,
        valid_until=valid_until,
        kinds=sorted(set(kinds)),
        aliquots_at_most=aliquots_at_most,
        recorded_by=by,
        recorded_at=TrialNow(),
    )
    with sample_refusals(ExportPermission):
        permission.save(force_insert=True)
    return permission


@transaction.atomic
def revoke_permission(*, by: User, permission: ExportPermission, reason: str) -> ExportPermission:
    """A permission counts no longer: parcels under it are neither packed nor handed over."""
    by.require(Capability.CONFIGURE_STUDY, site=permission.site_id)
    waiting = ExportPermission.objects.select_for_update(no_key=True)
    permission = waiting.get(pk=permission.pk)
    if permission.revoked_at is not None:
        return permission
    permission.revoke_reason = demand(reason)
    permission.revoked_by, permission.revoked_at = by, trial_now()
    with because(permission.revoke_reason), sample_refusals(ExportPermission):
        permission.save(update_fields=["revoke_reason", "revoked_by", "revoked_at"])
    return permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a parcel travels; it may change until it is handed over."""

    address: str = ""
    planned_on: dt.date | None = None
    carrier: str = ""
    cooling: str = Cooling.DRY_ICE


@transaction.atomic
def draft_shipment(
    *,
    by: User,
    site: Site,
    destination: str,
    purpose: str,
    route: Route | None = None,
    abroad: bool = False,
    genetic: bool = False,
    future_use: bool = False,
    permission: ExportPermission | None = None,
) -> Shipment:
    """Begin a shipment from a site: where to, what for, how; it gets a code for its label.

    What it is for decides whose samples may go with it, so that this does not change later.
    """
    by.require(Capability.SHIP_SAMPLES, site=site)
    needs = abroad and plan_at(site).export_needs_permission
    if abroad:
        _fits(permission, site, destination)
    route = route or Route()
    shipment = Shipment(
        id=uuid.uuid4(),
        site=site,
        code=with_check(f"T{site.code}-{next_number(site, 'shipment'):04d}"),
        destination=destination.strip(),
        purpose=purpose.strip(),
        abroad=abroad,
        genetic=genetic,
        future_use=future_use,
        needs_permission=needs,
        permission=permission if abroad else None,
        time_zone=site.time_zone,
        opened_by=by,
        opened_at=TrialNow(),
    )
    _lay_out(shipment, route)
    with sample_refusals(Shipment):
        shipment.save(force_insert=True)
    return shipment


def _fits(permission: ExportPermission | None, site: Site, destination: str) -> None:
    if permission is None:
        return
    if permission.site_id != site.pk:
        raise ImpossibleError({"permission": [_("This permission is another site’s.")]})
    if not permission.is_for(destination):
        raise ImpossibleError({"permission": [other_recipient(permission)]})


def _lay_out(shipment: Shipment, route: Route) -> None:
    shipment.address, shipment.planned_on = route.address.strip(), route.planned_on
    shipment.carrier, shipment.cooling = route.carrier.strip(), route.cooling


@transaction.atomic
def change_route(*, by: User, shipment: Shipment, route: Route) -> Shipment:
    """Another carrier, day, address or cooling, as long as the parcel has not left."""
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    _lay_out(parcel, route)
    return change(parcel, "address", "planned_on", "carrier", "cooling")


@transaction.atomic
def name_permission(*, by: User, shipment: Shipment, permission: ExportPermission) -> Shipment:
    """Name the export permission under which a parcel goes."""
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    if not parcel.abroad:
        raise DomainError(_("This shipment does not leave the country."))
    _fits(permission, parcel.site, parcel.destination)
    # What was counted under one permission is not moved to another.
    if parcel.permission_id != permission.pk and lines_of(parcel):
        raise TransitionError(_("Something is packed under another permission. Unpack it first."))
    parcel.permission = permission
    return change(parcel, "permission")


@transaction.atomic
def cancel_shipment(*, by: User, shipment: Shipment, reason: str) -> Shipment:
    """A parcel will not leave: what is in it is taken out."""
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    parcel.cancel_reason = demand(reason)
    take_everything_out(parcel, by)
    parcel.state = ShipmentState.CANCELLED
    with because(parcel.cancel_reason):
        return change(parcel, "state", "cancel_reason")


@transaction.atomic
def hand_over(
    *,
    by: User,
    shipment: Shipment,
    at: dt.datetime | None = None,
    packages: int = 1,
    carrier: str = "",
    tracking: str = "",
    logger: str = "",
    dry_ice: Decimal | None = None,
) -> Shipment:
    """Seal the parcel and hand it to the carrier: each aliquot in it is on its way.

    Consent and permission are asked again: what was withdrawn since it was packed stays.
    """
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    wall = on_the_clock(parcel, at)
    if not 1 <= packages <= 1000:
        raise ImpossibleError({"packages": [_("1 to 1000 packages.")]})
    if refusal := export_refusal(parcel, wall.date()):
        raise TransitionError(refusal.message)
    keys = [
        each.aliquot
        for each in lines_of(parcel)
        if each.state == LineState.PACKED and each.aliquot is not None
    ]
    if not keys:
        raise TransitionError(_("Nothing is packed."))
    aliquots = held_aliquots(keys)
    _refuse_changed(parcel, aliquots)
    parcel.state, parcel.sent_at, parcel.sent_by = ShipmentState.SENT, wall, by
    parcel.packages, parcel.tracking, parcel.logger = packages, tracking.strip(), logger.strip()
    parcel.dry_ice, parcel.carrier = dry_ice, carrier.strip() or parcel.carrier
    rules = plan_at(parcel.site).shipping
    parcel.due_on = wall.date() + dt.timedelta(days=rules.received_within_days) if rules else None
    names = ("packages", "tracking", "logger", "dry_ice", "carrier", "due_on")
    change(parcel, "state", "sent_at", "sent_by", *names)
    for aliquot in aliquots:
        said = Happening(at=wall, shipment=parcel, place=parcel.carrier)
        enter(aliquot, CustodyKind.SHIPPED, by, said)
    return parcel


def _refuse_changed(parcel: Shipment, aliquots: Sequence[Aliquot]) -> None:
    """What has ended in the parcel, or may not go any more, is taken out first."""
    gone = [each.code for each in aliquots if each.state != AliquotState.PACKED]
    if gone:
        raise TransitionError(
            _("Not in the parcel any more: %(codes)s. Unpack them.") % {"codes": listed(gone)}
        )
    refused = refusals_of(parcel, aliquots)
    if refused:
        codes = [each.code for each in aliquots if each.pk in refused]
        reason = next(iter(refused.values())).message
        raise TransitionError(
            _("%(why)s Unpack: %(codes)s.") % {"why": reason, "codes": listed(codes)}
        )
