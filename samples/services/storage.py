"""Freezers, racks and boxes: entered, placed, taken out of use."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import Box, BoxMove, Freezer, Rack, Shipment, ShipmentState
from samples.services.refusing import sample_refusals
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.services.subjects import next_number
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.core.ids import with_check
from trialsite.crf.violations import ImpossibleError

#: A box in such a parcel is nowhere else.
_UNDER_WAY = (ShipmentState.PACKING, ShipmentState.SENT)


@transaction.atomic
def add_freezer(
    *,
    site: Site,
    name: str,
    celsius: int,
    by: User,
    room: str = "",
    racks: int = 0,
    places: int = 5,
) -> Freezer:
    """Enter a freezer, with so many numbered racks."""
    by.require(Capability.MANAGE_STORAGE, site=site)
    freezer = Freezer(
        id=uuid.uuid4(),
        site=site,
        name=name.strip(),
        room=room.strip(),
        celsius=celsius,
        added_by=by,
        added_at=TrialNow(),
    )
    with sample_refusals(Freezer):
        freezer.save(force_insert=True)
    for number in range(1, racks + 1):
        add_rack(freezer=freezer, name=str(number), places=places, by=by)
    return freezer


@transaction.atomic
def add_rack(*, freezer: Freezer, name: str, places: int, by: User) -> Rack:
    """Enter a rack with its places for boxes."""
    by.require(Capability.MANAGE_STORAGE, site=freezer.site_id)
    _in_use(_held_freezer(freezer.pk))
    rack = Rack(
        id=uuid.uuid4(), site_id=freezer.site_id, freezer=freezer, name=name.strip(), places=places
    )
    with sample_refusals(Rack):
        rack.save(force_insert=True)
    return rack


@transaction.atomic
def add_box(
    *,
    site: Site,
    by: User,
    name: str = "",
    rows: int = 9,
    columns: int = 9,
    rack: Rack | None = None,
    place: int | None = None,
) -> Box:
    """Enter a box; it gets a code that is never given twice, for its label."""
    by.require(Capability.MANAGE_STORAGE, site=site)
    if rack is not None:
        _fits(rack, site.pk)
    number = next_number(site, "box")
    box = Box(
        id=uuid.uuid4(),
        site=site,
        code=with_check(f"B{site.code}-{number:04d}"),
        name=name.strip(),
        rows=rows,
        columns=columns,
        rack=rack,
        place=place if rack is None else place or _free_place(rack),
        added_by=by,
        added_at=TrialNow(),
    )
    with sample_refusals(Box):
        box.save(force_insert=True)
    _note(box, by, "")
    return box


@transaction.atomic
def move_box(
    *, box: Box, rack: Rack | None, by: User, place: int | None = None, reason: str = ""
) -> Box:
    """Put a whole box elsewhere with all that is in it; nowhere while it is carried.

    One that left with a parcel is back when it gets a place again.
    """
    by.require(Capability.HANDLE_SAMPLES, site=box.site_id)
    box = _held(box)
    if box.shipment is not None and box.shipment.state in _UNDER_WAY:
        raise TransitionError(
            _("Box %(code)s is in the shipment %(parcel)s.")
            % {"code": box.code, "parcel": box.shipment.code}
        )
    if rack is not None:
        _fits(rack, box.site_id)
        place = place or (box.place if box.rack_id == rack.pk else _free_place(rack))
    if (box.rack_id, box.place) == (rack.pk if rack else None, place if rack else None):
        return box
    box.rack, box.place = rack, place if rack else None
    if rack is not None:
        box.shipment = None
    return _put(box, by, reason)


def _held(box: Box) -> Box:
    waiting = Box.objects.select_for_update(no_key=True, of=("self",))
    return waiting.select_related("shipment").get(pk=box.pk)


def _put(box: Box, by: User, reason: str) -> Box:
    with because(reason.strip()), sample_refusals(Box):
        box.save(update_fields=["rack", "place", "shipment"])
    _note(box, by, reason)
    return box


def box_into_parcel(box: Box, parcel: Shipment, by: User) -> Box:
    """A box goes into a parcel with all that is in it; the parcel and the box are locked."""
    box = _held(box)
    box.rack, box.place, box.shipment = None, None, parcel
    return _put(box, by, parcel.code)


def box_out_of_parcel(box: Box, parcel: Shipment, by: User) -> Box:
    """A box is taken out of a parcel that has not left: back to its place, where this is free,
    and else in no rack."""
    box = _held(box)
    if box.shipment_id != parcel.pk:
        return box
    moves = BoxMove.objects.filter(box=box).exclude(rack=None, reason=parcel.code)
    last = moves.select_related("rack__freezer").order_by("-moved_at", "-id").first()
    box.shipment = None
    if last is not None and last.rack is not None and last.rack.freezer.retired_at is None:
        Rack.objects.select_for_update(no_key=True).get(pk=last.rack.pk)
        if not Box.objects.filter(rack=last.rack, place=last.place).exists():
            box.rack, box.place = last.rack, last.place
    return _put(box, by, parcel.code)


@transaction.atomic
def close_box(*, box: Box, closed: bool, by: User) -> Box:
    """Let nothing more go into a box, or let it again."""
    by.require(Capability.MANAGE_STORAGE, site=box.site_id)
    box = Box.objects.select_for_update(no_key=True).get(pk=box.pk)
    if box.closed != closed:
        box.closed = closed
        box.save(update_fields=["closed"])
    return box


@transaction.atomic
def retire_freezer(*, freezer: Freezer, reason: str, by: User) -> Freezer:
    """Take a freezer out of use; one with boxes in it is emptied first."""
    by.require(Capability.MANAGE_STORAGE, site=freezer.site_id)
    freezer = _held_freezer(freezer.pk)
    _in_use(freezer)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})
    if Box.objects.filter(rack__freezer=freezer).exists():
        raise TransitionError(_("There are boxes in it. Move them first."))
    freezer.retired_at, freezer.retire_reason = trial_now(), reason.strip()[:500]
    with because(freezer.retire_reason):
        freezer.save(update_fields=["retired_at", "retire_reason"])
    return freezer


def _held_freezer(freezer: uuid.UUID) -> Freezer:
    """A freezer under its lock: what is put into it and its end wait for one another."""
    return Freezer.objects.select_for_update(no_key=True, of=("self",)).get(pk=freezer)


def _in_use(freezer: Freezer) -> None:
    if freezer.retired_at is not None:
        raise TransitionError(_("This freezer is out of use."))


def _fits(rack: Rack, site_id: int) -> None:
    if rack.site_id != site_id:
        raise ImpossibleError({"rack": [_("This rack stands at another site.")]})
    _in_use(_held_freezer(rack.freezer_id))


def _free_place(rack: Rack) -> int:
    """The first free place of a rack under its lock."""
    Rack.objects.select_for_update(no_key=True).get(pk=rack.pk)
    taken = set(Box.objects.filter(rack=rack).values_list("place", flat=True))
    free = [each for each in range(1, rack.places + 1) if each not in taken]
    if not free:
        raise ImpossibleError({"rack": [_("This rack has no free place.")]})
    return free[0]


def _note(box: Box, by: User, reason: str) -> None:
    BoxMove.objects.create(
        site_id=box.site_id,
        box=box,
        rack=box.rack,
        place=box.place,
        reason=reason.strip()[:500],
        moved_by=by,
        moved_at=TrialNow(),
    )
