"""What stood in a freezer, a rack or a box at a time: told from custody and from the placings
of boxes, not from where things are now."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from samples.models import (
    Aliquot,
    BoxMove,
    CustodyEvent,
    CustodyKind,
    ExcursionLine,
    StorageExcursion,
)
from trialsite.access.models import User

_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_STILL = dt.datetime.max.replace(tzinfo=dt.UTC)
#: These put an aliquot into a box, and these take it out.
INTO = (CustodyKind.STORED, CustodyKind.MOVED, CustodyKind.REFROZEN)
OUT = (
    CustodyKind.THAWED,
    CustodyKind.PACKED,
    CustodyKind.USED_UP,
    CustodyKind.DISCARDED,
    CustodyKind.DESTROYED,
    CustodyKind.LOST,
)


@dataclass(frozen=True, slots=True)
class Stay:
    """From when to when something was in one place."""

    since: dt.datetime
    until: dt.datetime

    def within(self, other: Stay) -> Stay | None:
        """What both have in common."""
        since, until = max(self.since, other.since), min(self.until, other.until)
        return Stay(since, until) if since < until else None


@dataclass(frozen=True, slots=True)
class Inside:
    """An aliquot that was there: at which position, and since when at the earliest."""

    aliquot_id: uuid.UUID
    box_id: uuid.UUID
    position: int
    since: dt.datetime


def inside(excursion: StorageExcursion, now: dt.datetime) -> list[Inside]:
    """The aliquots that were inside at any moment of an excursion, each once; three queries.

    Of the samples whose participants the person sees: another site's are its own to list.
    """
    ended = now if excursion.ended_at is None else excursion.moment(excursion.ended_at)
    span = Stay(excursion.moment(excursion.began_at), ended + dt.timedelta(minutes=1))
    boxes = {
        key: [common for stay in stays if (common := stay.within(span))]
        for key, stays in _stays_of_boxes(excursion).items()
    }
    boxes = {key: stays for key, stays in boxes.items() if stays}
    found: dict[uuid.UUID, Inside] = {}
    for aliquot, box, position, stay in _stays_of_aliquots(boxes):
        for common in filter(None, map(stay.within, boxes.get(box, ()))):
            found.setdefault(aliquot, Inside(aliquot, box, position, common.since))
    return list(found.values())


def _stays_of_boxes(excursion: StorageExcursion) -> dict[uuid.UUID, list[Stay]]:
    if excursion.box_id is not None:
        return {excursion.box_id: [Stay(_EVER, _STILL)]}
    there = (
        Q(rack__freezer=excursion.freezer_id) if excursion.freezer_id else Q(rack=excursion.rack_id)
    )
    ever = BoxMove.objects.filter(there)
    racks = set(ever.values_list("rack", flat=True))
    rows = BoxMove.objects.filter(box__in=ever.values("box")).order_by("box", "moved_at", "id")
    placings: dict[uuid.UUID, list[tuple[dt.datetime, bool]]] = defaultdict(list)
    for box, rack, moved_at in rows.values_list("box", "rack", "moved_at"):
        placings[box].append((moved_at, rack in racks))
    stays: dict[uuid.UUID, list[Stay]] = {}
    for box, steps in placings.items():
        # Where a box was put first it stood before it was entered, for all that is known.
        starts = [_EVER, *(at for at, _there in steps[1:])]
        ends = [*starts[1:], _STILL]
        stays[box] = [
            Stay(since, until)
            for since, until, (_at, there_then) in zip(starts, ends, steps, strict=True)
            if there_then
        ]
    return stays


def _stays_of_aliquots(
    boxes: Iterable[uuid.UUID],
) -> Iterator[tuple[uuid.UUID, uuid.UUID, int, Stay]]:
    rows = CustodyEvent.objects.filter(aliquot__specimen__voided_at=None)
    ever = CustodyEvent.objects.filter(box__in=list(boxes)).values("aliquot")
    rows = rows.filter(aliquot__in=ever).filter(kind__in=[*INTO, *OUT, CustodyKind.CORRECTED])
    columns = ("pk", "aliquot", "kind", "box", "position", "moment", "corrects")
    events = list(rows.order_by("aliquot", "number").values_list(*columns))
    right = {each[6]: each[5] for each in events if each[6] is not None}
    now_in: dict[uuid.UUID, tuple[uuid.UUID, int, dt.datetime]] = {}
    for key, aliquot, kind, box, position, moment, corrects in events:
        if corrects is not None:
            continue
        at = right.get(key, moment)
        if (before := now_in.pop(aliquot, None)) is not None:
            yield aliquot, before[0], before[1], Stay(before[2], at)
        if kind in INTO:
            now_in[aliquot] = (box, position, at)
    for aliquot, (box, position, at) in now_in.items():
        yield aliquot, box, position, Stay(at, _STILL)


def excursions(user: User) -> QuerySet[StorageExcursion]:
    """The excursions of the person's sites with how many aliquots are `listed`, the latest
    first."""
    rows = StorageExcursion.objects.visible_to(user)
    named = rows.select_related("site", "freezer", "rack__freezer", "box__rack__freezer")
    return named.annotate(listed=Count("lines")).order_by("-began_at", "-entered_at", "pk")


def lines_of_excursion(excursion: StorageExcursion, user: User) -> QuerySet[ExcursionLine]:
    """The aliquots on its list that the person sees."""
    rows = ExcursionLine.objects.visible_to(user).filter(excursion=excursion)
    named = rows.select_related(
        "box", "aliquot__box__rack__freezer", "aliquot__shipment", "event",
        "aliquot__specimen__subject__site", "aliquot__specimen__visit",
    )  # fmt: skip
    return named.order_by("aliquot__code")


def excursions_of(aliquot: Aliquot) -> list[ExcursionLine]:
    """How often an aliquot was too warm where it was kept; one query."""
    rows = ExcursionLine.objects.filter(aliquot=aliquot)
    named = rows.select_related("box", "event", "excursion__freezer", "excursion__rack__freezer",
                                "excursion__box")  # fmt: skip
    return list(named.order_by("listed_at", "id"))
