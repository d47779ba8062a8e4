"""What every act on a shipment shares: its row under the lock, its lines, one line written."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Max
from django.utils.translation import gettext as _

from samples.models import Aliquot, Box, Shipment, ShipmentLine, ShipmentState
from samples.selectors.codes import find, read_code
from samples.services.refusing import sample_refusals
from samples.services.scanning import ScanRefusedError
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.moments import future_problem
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What came of a scan at a parcel: `done`, or `already` where nothing changed."""

    tone: str
    headline: str
    message: str = ""
    lines: tuple[ShipmentLine, ...] = ()


def held_shipment(shipment: Shipment, by: User, *states: ShipmentState) -> Shipment:
    """The shipment under its lock, for somebody who ships here, in one of these states."""
    by.require(Capability.SHIP_SAMPLES, site=shipment.site_id)
    waiting = Shipment.objects.select_for_update(no_key=True, of=("self",))
    held = waiting.select_related("site", "permission").get(pk=shipment.pk)
    if held.state not in states:
        raise TransitionError(
            _("The shipment %(code)s is “%(state)s”.")
            % {"code": held.code, "state": held.get_state_display()}
        )
    return held


def on_the_clock(shipment: Shipment, at: dt.datetime | None) -> dt.datetime:
    """The time said, on the clock at the sending site; none is now, and none is to come."""
    if at is None:
        return trial_now().astimezone(ZoneInfo(shipment.time_zone)).replace(tzinfo=None)
    if problem := future_problem(at, shipment.time_zone):
        raise ImpossibleError({"happened_at": [problem]})
    return at


def lines_of(shipment: Shipment) -> list[ShipmentLine]:
    """The lines that stand, with their aliquots."""
    rows = ShipmentLine.objects.standing().filter(shipment=shipment)
    return list(
        rows.select_related(
            "aliquot__site", "aliquot__specimen__subject__site", "aliquot__specimen__visit", "box"
        ).order_by("number")
    )


def next_line(shipment: Shipment) -> int:
    """The number of the next line; the shipment is locked."""
    last = ShipmentLine.objects.filter(shipment=shipment).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def write_line(line: ShipmentLine) -> ShipmentLine:
    line.id = uuid.uuid4()
    with sample_refusals(ShipmentLine):
        line.save(force_insert=True)
    return line


def change_line(line: ShipmentLine, *names: str) -> None:
    with sample_refusals(ShipmentLine):
        line.save(update_fields=names)


def change(shipment: Shipment, *names: str) -> Shipment:
    shipment.version += 1
    with sample_refusals(Shipment):
        shipment.save(update_fields=[*names, "version"])
    return shipment


def demand(reason: str, field: str = "reason") -> str:
    """The reason, which is not left out."""
    said = reason.strip()[:500]
    if not said:
        raise ImpossibleError({field: [_("Give the reason.")]})
    return said


def scanned(text: str, by: User) -> tuple[str, Aliquot | Box | None]:
    """The code as read, and the aliquot or box it names among the person's."""
    code = read_code(text)
    if not code.strip("-"):
        raise ScanRefusedError(_("Nothing was read"), _("Scan the label again."))
    named = find(code, by).named
    return code, named if isinstance(named, Aliquot | Box) else None


def listed(codes: Iterable[str], most: int = 5) -> str:
    """Some codes as a person reads them out."""
    every = sorted(codes)
    rest = len(every) - most
    shown = ", ".join(every[:most])
    return (
        _("%(codes)s and %(count)d more") % {"codes": shown, "count": rest} if rest > 0 else shown
    )
