"""Packing by scan: an aliquot or a whole box into a parcel, and out of it again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.models import (
    Aliquot,
    AliquotState,
    Box,
    CustodyKind,
    ExportPermission,
    LineState,
    Shipment,
    ShipmentLine,
    ShipmentState,
)
from samples.selectors.shipping import SHIPPABLE, export_refusal, refusals_of, sent_under
from samples.services.aliquots import free_positions
from samples.services.log import Happening, enter, held_aliquots
from samples.services.scanning import ScanRefusedError, unknown
from samples.services.shipment_log import (
    Scanned,
    change_line,
    held_shipment,
    listed,
    next_line,
    on_the_clock,
    scanned,
    write_line,
)
from samples.services.storage import box_into_parcel, box_out_of_parcel
from trialsite.access.models import User
from trialsite.core.clock import TrialNow


@transaction.atomic
def pack(*, by: User, shipment: Shipment, code: str) -> Scanned:
    """Put what a code names into the parcel: an aliquot, or a box with all that is in it.

    It leaves its position. Refused without consent for what the parcel is for, after a
    withdrawal, without the export permission that the protocol asks for. The same scan again
    changes nothing. Raises ScanRefusedError, and nothing is packed; of a box all or nothing.
    """
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    text, named = scanned(code, by)
    if named is None:
        raise unknown(text, by)
    if isinstance(named, Box):
        return _pack_box(parcel, named, by)
    if named.state == AliquotState.PACKED and named.shipment_id == parcel.pk:
        (line,) = ShipmentLine.objects.standing().filter(shipment=parcel, aliquot=named)
        return Scanned(
            tone="already",
            headline=_("Already packed"),
            message=_("It is on line %(number)d.") % {"number": line.number},
            lines=(line,),
        )
    (line,) = _put_in(parcel, held_aliquots([named]), by)
    return Scanned(
        tone="done",
        headline=_("Packed: line %(number)d") % {"number": line.number},
        message=f"{named.specimen.kind_name} · {named.specimen.subject.label}",
        lines=(line,),
    )


def _pack_box(parcel: Shipment, box: Box, by: User) -> Scanned:
    within = list(Aliquot.objects.filter(box=box))
    if not within:
        sent = ShipmentLine.objects.filter(shipment=parcel, box=box, state=LineState.PACKED)
        lines = tuple(sent.filter(in_box=True))
        if lines:
            return Scanned(tone="already", headline=_("Already packed"), lines=lines)
        raise ScanRefusedError(
            _("Empty box"), _("Nothing is in box %(code)s.") % {"code": box.code}
        )
    held = held_aliquots(within, box)
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(trialsite.box_taken(%s))", [box.pk])
        taken = cursor.fetchone()[0]
    if box.site_id != parcel.site_id or taken != len(held):
        raise ScanRefusedError(
            _("Another site’s samples"),
            _("Not everything in box %(code)s is of this site. Pack its aliquots one by one.")
            % {"code": box.code},
        )
    held.sort(key=lambda each: each.position or 0)
    lines = tuple(_put_in(parcel, held, by, in_box=True))
    box_into_parcel(box, parcel, by)
    count = len(lines)
    return Scanned(
        tone="done",
        headline=ngettext("%(count)d aliquot packed", "%(count)d aliquots packed", count)
        % {"count": count},
        message=_("Box %(code)s") % {"code": box.code},
        lines=lines,
    )


def _put_in(
    parcel: Shipment, aliquots: Sequence[Aliquot], by: User, *, in_box: bool = False
) -> list[ShipmentLine]:
    wall = on_the_clock(parcel, None)
    if refusal := export_refusal(parcel, wall.date()):
        raise ScanRefusedError(refusal.headline, refusal.message)
    for aliquot in aliquots:
        _refuse_state(parcel, aliquot)
    _refuse_consent(parcel, aliquots)
    _refuse_beyond(parcel, len(aliquots))
    number, lines = next_line(parcel), []
    for index, aliquot in enumerate(aliquots):
        line = write_line(
            ShipmentLine(
                site_id=aliquot.site_id,
                subject_id=aliquot.subject_id,
                shipment=parcel,
                number=number + index,
                aliquot=aliquot,
                code=aliquot.code,
                box_id=aliquot.box_id,
                position=aliquot.position,
                in_box=in_box,
                added_by=by,
                added_at=TrialNow(),
            )
        )
        enter(aliquot, CustodyKind.PACKED, by, Happening(at=wall, shipment=parcel))
        lines.append(line)
    return lines


def _refuse_state(parcel: Shipment, aliquot: Aliquot) -> None:
    code = {"code": aliquot.code}
    if aliquot.site_id != parcel.site_id:
        raise ScanRefusedError(
            _("Another site’s sample"),
            _("%(code)s is of another site. It goes with a shipment of that site.") % code,
        )
    if aliquot.specimen.voided_at is not None:
        raise ScanRefusedError(
            _("Voided"),
            _("This specimen has been voided: %(why)s") % {"why": aliquot.specimen.void_reason},
        )
    if aliquot.state == AliquotState.PACKED:
        other = Shipment.objects.get(aliquots=aliquot)
        raise ScanRefusedError(
            _("In another shipment"),
            _("%(code)s is packed into %(other)s.") % (code | {"other": other.code}),
        )
    if aliquot.state not in SHIPPABLE:
        raise ScanRefusedError(
            _("Cannot be shipped"),
            _("%(code)s is “%(state)s”.") % (code | {"state": aliquot.get_state_display()}),
        )


def _refuse_consent(parcel: Shipment, aliquots: Sequence[Aliquot]) -> None:
    refused = refusals_of(parcel, aliquots)
    if not refused:
        return
    first = next(refused[each.pk] for each in aliquots if each.pk in refused)
    if len(aliquots) == 1:
        raise ScanRefusedError(first.headline, first.message)
    codes = [each.code for each in aliquots if each.pk in refused]
    raise ScanRefusedError(first.headline, f"{first.message} {listed(codes)}")


def _refuse_beyond(parcel: Shipment, more: int) -> None:
    """No more than the permission names, whoever else packs under it at this moment."""
    if parcel.permission_id is None:
        return
    waiting = ExportPermission.objects.select_for_update(no_key=True)
    permission = waiting.get(pk=parcel.permission_id)
    most = permission.aliquots_at_most
    if most is not None and sent_under(permission) + more > most:
        raise ScanRefusedError(
            _("Export not permitted"),
            _("The export permission %(number)s covers %(most)d aliquots, and no more.")
            % {"number": permission.number, "most": most},
        )


@transaction.atomic
def unpack(*, by: User, shipment: Shipment, code: str) -> Scanned:
    """Take an aliquot out of a parcel that has not left, or a box with what was sent in it.

    An aliquot waits for a new position. What stayed in its box is where it was, if the box
    still takes it; the box goes back to its place, if this is still free.
    """
    parcel = held_shipment(shipment, by, ShipmentState.PACKING)
    text, named = scanned(code, by)
    packed = ShipmentLine.objects.filter(shipment=parcel, state=LineState.PACKED)
    if isinstance(named, Box):
        lines = list(packed.filter(box=named, in_box=True).order_by("number"))
    else:
        lines = list(packed.filter(code=text))
    if not lines:
        raise ScanRefusedError(
            _("Not in this parcel"), _("%(code)s is not packed here.") % {"code": text}
        )
    _take_out(parcel, lines, by, back=isinstance(named, Box))
    return Scanned(tone="done", headline=_("Unpacked again"), message=text, lines=tuple(lines))


def _take_out(parcel: Shipment, lines: Sequence[ShipmentLine], by: User, *, back: bool) -> None:
    wall = on_the_clock(parcel, None)
    keys = [each.aliquot for each in lines if each.aliquot is not None]
    boxes = {each.box for each in lines if each.in_box and each.box is not None}
    held = {each.pk: each for each in held_aliquots(keys, *boxes)}
    for line in lines:
        line.state = LineState.UNPACKED
        change_line(line, "state")
    free = _boxes_out(parcel, boxes, by)
    for line in lines:
        assert line.aliquot_id is not None
        aliquot = held[line.aliquot_id]
        if aliquot.state != AliquotState.PACKED:
            continue  # it has ended in the parcel: lost, discarded
        enter(aliquot, CustodyKind.UNPACKED, by, Happening(at=wall, shipment=parcel))
        if back and line.position in free.get(line.box_id, ()):
            said = Happening(at=wall, box=line.box, position=line.position)
            enter(aliquot, CustodyKind.STORED, by, said)


def _boxes_out(parcel: Shipment, boxes: set[Box], by: User) -> dict[uuid.UUID | None, list[int]]:
    """Boxes of which nothing is packed any more come out; their positions that take something."""
    free: dict[uuid.UUID | None, list[int]] = {}
    left = ShipmentLine.objects.filter(shipment=parcel, state=LineState.PACKED, in_box=True)
    for box in boxes:
        if left.filter(box=box).exists():
            continue
        box = box_out_of_parcel(box, parcel, by)
        free[box.pk] = [] if box.closed else free_positions(box)
    return free


def take_everything_out(parcel: Shipment, by: User) -> None:
    """Empty a parcel that will not leave; boxes keep what is in them."""
    packed = ShipmentLine.objects.filter(shipment=parcel, state=LineState.PACKED)
    lines = list(packed.select_related("aliquot", "box").order_by("number"))
    for back in (True, False):
        some = [each for each in lines if each.in_box is back]
        if some:
            _take_out(parcel, some, by, back=back)
