"""What did not come out of a parcel, how a discrepancy came about, and the end of it all."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.models import CustodyKind, LineState, Shipment, ShipmentLine, ShipmentState
from samples.services.log import Happening, enter, held_aliquots
from samples.services.receiving import AFTER_SENDING, ON_ITS_WAY, explained
from samples.services.shipment_log import (
    change,
    change_line,
    demand,
    held_shipment,
    on_the_clock,
)
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError


@transaction.atomic
def report_missing(
    *, by: User, line: ShipmentLine, reason: str, at: dt.datetime | None = None
) -> ShipmentLine:
    """An aliquot was packed and has not come: it is lost, until somebody finds it.

    So is one that was received by mistake, as long as nothing else has happened to it.
    """
    parcel = held_shipment(line.shipment, by, *ON_ITS_WAY)
    line = ShipmentLine.objects.select_related("aliquot").get(pk=line.pk)
    said = demand(reason)
    if line.state == LineState.MISSING:
        return line
    if line.unexpected or line.state == LineState.UNPACKED:
        raise TransitionError(_("%(code)s was not sent with this shipment.") % {"code": line.code})
    received = line.state == LineState.RECEIVED
    assert line.aliquot is not None
    (held,) = held_aliquots([line.aliquot])
    in_parcel = held.shipment_id == parcel.pk and held.is_elsewhere
    if received and not in_parcel:
        raise TransitionError(
            _("%(code)s has gone on since it was received: it is “%(state)s”.")
            % {"code": line.code, "state": held.get_state_display()}
        )
    line.state, line.condition = LineState.MISSING, ""
    line.received_at = line.received_by = None
    names = ["state", "condition", "received_at", "received_by"]
    with because(said):
        change_line(line, *names, *explained(line, said, by))
    if in_parcel:
        wall = on_the_clock(parcel, at)
        enter(held, CustodyKind.LOST, by, Happening(at=wall, reason=said, place=parcel.code))
    return line


@transaction.atomic
def report_rest_missing(
    *, by: User, shipment: Shipment, reason: str, at: dt.datetime | None = None
) -> list[ShipmentLine]:
    """Everything that was packed and has not come, for one reason."""
    parcel = held_shipment(shipment, by, *ON_ITS_WAY)
    demand(reason)
    rows = ShipmentLine.objects.filter(shipment=parcel, state=LineState.PACKED).order_by("number")
    lines = [report_missing(by=by, line=each, reason=reason, at=at) for each in rows]
    if not lines:
        raise TransitionError(_("Nothing is missing."))
    return lines


@transaction.atomic
def explain(*, by: User, line: ShipmentLine, reason: str) -> ShipmentLine:
    """Say how a discrepancy came about: unexpected, damaged, thawed, wrong label, missing."""
    held_shipment(line.shipment, by, *AFTER_SENDING)
    line = ShipmentLine.objects.get(pk=line.pk)
    if not line.is_discrepant:
        raise DomainError(_("There is nothing to explain on this line."))
    said = demand(reason)
    with because(said):
        change_line(line, *explained(line, said, by))
    return line


@transaction.atomic
def close_shipment(*, by: User, shipment: Shipment) -> Shipment:
    """Each line is received or explained: the parcel is done with."""
    parcel = held_shipment(shipment, by, *ON_ITS_WAY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.open_lines(%s)", [parcel.pk])
        count = sum(cursor.fetchone()[0])
    if count:
        raise TransitionError(
            ngettext(
                "%(count)d line is neither received nor explained.",
                "%(count)d lines are neither received nor explained.",
                count,
            )
            % {"count": count}
        )
    parcel.state = ShipmentState.CLOSED
    parcel.closed_by, parcel.closed_at = by, trial_now()
    return change(parcel, "state", "closed_by", "closed_at")
