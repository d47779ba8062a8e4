"""Aliquots: frozen, moved, thawed, analysed, ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from samples.models import Aliquot, AliquotState, Box, CustodyKind, Shipment
from samples.services.freezing import judge_freezing
from samples.services.log import (
    Happening,
    enter,
    held_aliquots,
    hold_participants,
    wall_now,
)
from samples.services.withdrawals import demand_witness, follow_late_entry, refuse_withdrawn
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError

#: How an aliquot can end.
ENDS = (CustodyKind.DISCARDED, CustodyKind.DESTROYED, CustodyKind.LOST)


def free_positions(box: Box) -> list[int]:
    """The positions of a box that are free, in their order; whoever's samples are in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.box_taken(%s)", [box.pk])
        taken = set(cursor.fetchone()[0])
    return [each for each in range(1, box.capacity + 1) if each not in taken]


@transaction.atomic
def store_aliquot(
    *,
    aliquot: Aliquot,
    box: Box,
    by: User,
    position: int | None = None,
    at: dt.datetime | None = None,
) -> Aliquot:
    """Freeze an aliquot into a box, without a position into the next free one.

    Once more into the same box changes nothing. Later than the protocol's limit, a
    deviation is proposed (clinical C17); it is frozen all the same.
    """
    aliquot = _one(aliquot, by, box)
    if aliquot.state == AliquotState.STORED and aliquot.box_id == box.pk:
        if position in (None, aliquot.position):
            return aliquot
        raise TransitionError(
            _("It is in this box already, at %(place)s.") % {"place": aliquot.place_name}
        )
    if aliquot.state == AliquotState.STORED:
        raise TransitionError(
            _("It is in %(place)s. Move it from there.") % {"place": aliquot.place_name}
        )
    _refuse_far(box, by)
    kind = CustodyKind.REFROZEN if aliquot.state == AliquotState.THAWED else CustodyKind.STORED
    wall = at or wall_now(aliquot.site.time_zone)
    said = Happening(at=wall, box=box, position=_position(box, position))
    enter(aliquot, kind, by, said)
    stored = fresh(aliquot)
    if aliquot.frozen_at is None:
        judge_freezing(stored.specimen)
    return stored


@transaction.atomic
def move_aliquots(
    *,
    aliquots: Sequence[Aliquot],
    box: Box,
    by: User,
    positions: Sequence[int] | None = None,
    at: dt.datetime | None = None,
) -> list[Aliquot]:
    """Move stored aliquots into a box, one after the other into positions named or free."""
    held = held_aliquots(aliquots, box)
    _refuse_far(box, by)
    if positions is not None and len(positions) != len(held):
        raise ImpossibleError({"position": [_("Name one position for each.")]})
    for index, aliquot in enumerate(held):
        by.require(Capability.HANDLE_SAMPLES, site=aliquot.site_id)
        wanted = positions[index] if positions is not None else None
        said = Happening(at=at, box=box, position=_position(box, wanted))
        enter(aliquot, CustodyKind.MOVED, by, said)
    return [fresh(each) for each in held]


@transaction.atomic
def thaw_aliquot(
    *, aliquot: Aliquot, by: User, reason: str, at: dt.datetime | None = None
) -> Aliquot:
    """Take an aliquot out to thaw; more often than the protocol allows is refused."""
    aliquot = _one(aliquot, by)
    if aliquot.state == AliquotState.THAWED:
        return aliquot
    _demand(reason)
    refuse_withdrawn(aliquot.specimen.subject)
    if aliquot.thaws >= aliquot.thaws_at_most:
        raise TransitionError(
            _("It has been thawed %(thaws)d times; the protocol allows %(most)d.")
            % {"thaws": aliquot.thaws, "most": aliquot.thaws_at_most}
        )
    enter(aliquot, CustodyKind.THAWED, by, Happening(at=at, reason=reason))
    return fresh(aliquot)


@transaction.atomic
def analyse_aliquot(
    *,
    aliquot: Aliquot,
    by: User,
    reason: str,
    amount: Decimal | None = None,
    at: dt.datetime | None = None,
) -> Aliquot:
    """Note that an analysis took something of an aliquot; with nothing left it is used up."""
    aliquot = _one(aliquot, by)
    _demand(reason)
    if amount is not None and aliquot.volume is None:
        raise ImpossibleError({"amount": [_("Its volume has not been measured.")]})
    if amount is not None and aliquot.volume is not None and amount > aliquot.volume:
        raise ImpossibleError({"amount": [_("There is not so much left.")]})
    enter(aliquot, CustodyKind.ANALYSED, by, Happening(at=at, reason=reason, amount=amount))
    return fresh(aliquot)


@transaction.atomic
def correct_volume(*, aliquot: Aliquot, volume: Decimal | None, reason: str, by: User) -> Aliquot:
    """How much there is of an aliquot was entered wrongly; None: nobody knows it."""
    aliquot = _one(aliquot, by)
    _demand(reason)
    if volume is not None and volume <= 0:
        raise ImpossibleError({"volume": [_("An amount is more than nothing.")]})
    if volume == aliquot.volume:
        return aliquot
    try:
        enter(aliquot, CustodyKind.MEASURED, by, Happening(reason=reason, amount=volume))
    except ImpossibleError as refused:
        errors = {"volume" if name == "amount" else name: x for name, x in refused.errors.items()}
        raise ImpossibleError(errors) from refused
    return fresh(aliquot)


@transaction.atomic
def use_up_aliquot(
    *, aliquot: Aliquot, reason: str, by: User, at: dt.datetime | None = None
) -> Aliquot:
    """Nothing is left of an aliquot, whether or not its volume was ever measured."""
    aliquot = _one(aliquot, by)
    if aliquot.state == AliquotState.USED:
        return aliquot
    _demand(reason)
    enter(aliquot, CustodyKind.USED_UP, by, Happening(at=at, reason=reason))
    return fresh(aliquot)


@transaction.atomic
def end_aliquot(
    *,
    aliquot: Aliquot,
    kind: CustodyKind,
    reason: str,
    by: User,
    at: dt.datetime | None = None,
    witness: User | None = None,
) -> Aliquot:
    """An aliquot was discarded, destroyed or lost. A second person witnesses destroying, and
    discarding once the consent for samples is withdrawn."""
    aliquot = _one(aliquot, by)
    if kind not in ENDS:
        raise DomainError(_("An aliquot is discarded, destroyed or lost."))
    if aliquot.state == kind:
        return aliquot
    _demand(reason)
    seen_by = demand_witness(aliquot, kind, by=by, at=at, witness=witness)
    said = Happening(at=at, reason=reason, witness=seen_by)
    enter(aliquot, kind, by, said)
    return fresh(aliquot)


@transaction.atomic
def find_aliquot(
    *, aliquot: Aliquot, reason: str, by: User, at: dt.datetime | None = None
) -> Aliquot:
    """A lost aliquot was found again: it is in hand as it was lost, frozen, thawed or never
    frozen, and waits for its position."""
    aliquot = _one(aliquot, by)
    _demand(reason)
    enter(aliquot, CustodyKind.FOUND, by, Happening(at=at, reason=reason))
    follow_late_entry(aliquot.specimen.subject, by)
    return fresh(aliquot)


@transaction.atomic
def note_excursion(
    *,
    aliquots: Collection[Aliquot],
    celsius: Decimal,
    reason: str,
    by: User,
    at: dt.datetime | None = None,
) -> int:
    """Note that these aliquots were warmer than they should be; how many they are."""
    _demand(reason)
    held = held_aliquots(aliquots)
    for aliquot in held:
        by.require(Capability.HANDLE_SAMPLES, site=aliquot.site_id)
        enter(aliquot, CustodyKind.EXCURSION, by, Happening(at=at, reason=reason, celsius=celsius))
    return len(held)


def _one(aliquot: Aliquot, by: User, *boxes: Box) -> Aliquot:
    by.require(Capability.HANDLE_SAMPLES, site=aliquot.site_id)
    hold_participants([aliquot.subject_id])
    return held_aliquots([aliquot], *boxes)[0]


def _refuse_far(box: Box, by: User) -> None:
    """Nobody puts something into a freezer of a site where they do not work."""
    by.require(Capability.HANDLE_SAMPLES, site=box.site_id)
    if Box.objects.filter(pk=box.pk, closed=True).exists():
        raise TransitionError(_("Box %(code)s is closed.") % {"code": box.code})
    parcel = Shipment.objects.filter(boxes=box).first()
    if parcel is not None:
        raise TransitionError(
            _("Box %(code)s is in the shipment %(parcel)s.")
            % {"code": box.code, "parcel": parcel.code}
        )


def _position(box: Box, wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    free = free_positions(box)
    if not free:
        raise TransitionError(_("Box %(code)s is full.") % {"code": box.code})
    return free[0]


def _demand(reason: str) -> None:
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})


def fresh(aliquot: Aliquot) -> Aliquot:
    """The aliquot as the database has moved it on."""
    found = Aliquot.objects.select_related(
        "site", "box", "shipment", "specimen__site", "specimen__visit", "specimen__subject__site"
    )
    return found.get(pk=aliquot.pk)
