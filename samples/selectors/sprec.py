"""The codes of aliquots by what is recorded of them; three queries however many they are."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from samples.models import Aliquot, BoxMove, CustodyEvent
from samples.selectors.excursions import INTO, OUT
from samples.sprec import Handling, Sprec, sprec
from trialsite.casebook.protocols import protocol_of
from trialsite.protocol.samples import AliquotTube

_NAMED = ("site", "specimen__subject", "specimen__visit")
_AT_A_TIME = 2000


def sprecs_of(aliquots: Collection[Aliquot]) -> dict[uuid.UUID, Sprec]:
    """The code of each aliquot, which has its specimen with its visit."""
    cold = _stored_celsius([each.pk for each in aliquots])
    return {each.pk: sprec(_handling(each, cold.get(each.pk))) for each in aliquots}


def _handling(aliquot: Aliquot, celsius: int | None) -> Handling:
    it = aliquot.specimen
    zone = ZoneInfo(it.time_zone)
    spun = it.centrifuged_at is not None
    plan = protocol_of(it.visit.protocol_version_id).samples
    container: AliquotTube | None = plan.aliquot_tube if plan else None
    return Handling(
        matrix=it.matrix,
        tube_type=it.tube_type,
        collected_at=_moment(it.collected_at, zone),
        processed_at=_moment(it.centrifuged_at if spun else it.aliquoted_at, zone),
        spun=spun,
        on_ice=it.on_ice,
        g=it.centrifuge_g,
        minutes=it.centrifuge_minutes,
        celsius=it.centrifuge_celsius,
        brake=it.centrifuge_brake,
        kept_cool=it.kept_cool,
        frozen_at=_moment(aliquot.frozen_at, ZoneInfo(aliquot.time_zone)),
        container=container,
        stored_celsius=celsius,
    )


def _moment(wall: dt.datetime | None, zone: ZoneInfo) -> dt.datetime | None:
    return None if wall is None else wall.replace(tzinfo=zone).astimezone(dt.UTC)


def _stored_celsius(aliquots: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How cold the freezer is in which each is kept, or was kept last before it left."""
    rows = CustodyEvent.objects.filter(aliquot__in=aliquots, kind__in=[*INTO, *OUT])
    last: dict[uuid.UUID, tuple[uuid.UUID, dt.datetime | None]] = {}
    steps: Iterable[Any] = rows.order_by("aliquot", "number").values_list(
        "aliquot", "box", "entered_at"
    )
    for aliquot, box, entered_at in steps:
        if box is not None:
            last[aliquot] = (box, None)
        elif aliquot in last and last[aliquot][1] is None:
            last[aliquot] = (last[aliquot][0], entered_at)
    places = _placings({box for box, _left in last.values()})
    found = {key: _in_force(places.get(box, []), left) for key, (box, left) in last.items()}
    return {key: celsius for key, celsius in found.items() if celsius is not None}


def _placings(boxes: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[tuple[dt.datetime, int]]]:
    rows = BoxMove.objects.filter(box__in=list(boxes), rack__isnull=False)
    placings: dict[uuid.UUID, list[tuple[dt.datetime, int]]] = defaultdict(list)
    for box, moved_at, celsius in rows.order_by("box", "moved_at", "id").values_list(
        "box", "moved_at", "rack__freezer__celsius"
    ):
        placings[box].append((moved_at, celsius))
    return placings


def _in_force(places: list[tuple[dt.datetime, int]], left: dt.datetime | None) -> int | None:
    """The last placing before it left; a box that was entered later stood there before."""
    before = [celsius for at, celsius in places if left is None or at <= left]
    return before[-1] if before else (places[0][1] if places else None)


def sprec_rows(sites: Collection[int]) -> Iterator[Mapping[str, Any]]:
    """The codes of every aliquot of these sites, some at a time."""
    rows = Aliquot.objects.filter(site__in=sites, specimen__voided_at=None)
    order = ("site__code", "specimen__subject__screening_number", "code")
    keys = list(rows.order_by(*order).values_list("pk", flat=True))
    for start in range(0, len(keys), _AT_A_TIME):
        some = Aliquot.objects.select_related(*_NAMED).in_bulk(keys[start : start + _AT_A_TIME])
        codes = sprecs_of(list(some.values()))
        for key in keys[start : start + _AT_A_TIME]:
            yield _row(some[key], codes[key])


def _row(aliquot: Aliquot, code: Sprec) -> Mapping[str, Any]:
    subject = aliquot.specimen.subject
    return {
        "SITEID": aliquot.site.code,
        "SUBJID": subject.number,
        "SCRNID": subject.screening_number,
        "BSREFID": aliquot.code,
        "SPECTYP": aliquot.specimen.kind,
        "SPREC": str(code),
        **{f"SPREC{number}": each for number, each in enumerate(code.elements, 1)},
    }
