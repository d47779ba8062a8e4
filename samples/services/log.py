"""The custody log: rows under their locks, and one event entered."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from samples.models import Aliquot, Box, CustodyEvent, CustodyKind, Shipment, Specimen
from samples.services.refusing import sample_refusals
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.moments import future_problem
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What is said of an event beside its kind; no time means now, on the clock at the site."""

    at: dt.datetime | None = None
    #: The zone of the clock it was read from; empty: the zone of the sample's site.
    zone: str = ""
    box: Box | None = None
    position: int | None = None
    shipment: Shipment | None = None
    amount: Decimal | None = None
    celsius: Decimal | None = None
    place: str = ""
    reason: str = ""
    corrects: CustodyEvent | None = None
    witness: User | None = None


def wall_now(zone: str) -> dt.datetime:
    """The clock on the wall of a zone, now."""
    return trial_now().astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def enter(
    sample: Specimen | Aliquot, kind: CustodyKind, by: User, said: Happening | None = None
) -> CustodyEvent:
    """Enter the next event of a sample; the database moves the sample on, or refuses."""
    event = event_of(sample, kind, by, said or Happening())
    with because(event.reason), sample_refusals(CustodyEvent, Specimen, Aliquot):
        event.save(force_insert=True)
    return event


def enter_all(events: Sequence[CustodyEvent]) -> None:
    """Enter many events at once, each of another sample, that have one reason."""
    reason = events[0].reason if events else ""
    with because(reason), sample_refusals(CustodyEvent, Specimen, Aliquot):
        CustodyEvent.objects.bulk_create(events, batch_size=500)


def event_of(
    sample: Specimen | Aliquot, kind: CustodyKind, by: User, said: Happening
) -> CustodyEvent:
    """The event as it will be entered; one that has not come yet is refused."""
    zone = said.zone or sample.site.time_zone
    if said.at is not None and (problem := future_problem(said.at, zone)):
        raise ImpossibleError({"happened_at": [problem]})
    aliquot = sample if isinstance(sample, Aliquot) else None
    return CustodyEvent(
        id=uuid.uuid4(),
        site_id=sample.site_id,
        subject_id=sample.subject_id,
        specimen_id=aliquot.specimen_id if aliquot else sample.pk,
        aliquot=aliquot,
        kind=kind,
        happened_at=said.at or wall_now(zone),
        time_zone=zone,
        box=said.box,
        position=said.position,
        shipment=said.shipment,
        amount=said.amount,
        celsius=said.celsius,
        place=said.place.strip()[:200],
        reason=said.reason.strip()[:500],
        corrects=said.corrects,
        witness=said.witness,
        entered_by=by,
        entered_at=TrialNow(),
    )


def hold_participants(subjects: Iterable[uuid.UUID]) -> None:
    """Lock these participants, before any of their samples: a withdrawal that lists them, and
    a list that is closed, waits for what is being entered, and the other way round."""
    waiting = Subject.objects.select_for_update(no_key=True).filter(pk__in=set(subjects))
    list(waiting.order_by("pk"))


def held_specimen(specimen: Specimen) -> Specimen:
    """The specimen under its lock, with its site, subject and visit."""
    waiting = Specimen.objects.select_for_update(no_key=True, of=("self",))
    return waiting.select_related("site", "subject__site", "visit").get(pk=specimen.pk)


def held_aliquots(aliquots: Iterable[Aliquot], *boxes: Box) -> list[Aliquot]:
    """Aliquots under their locks, after the boxes they leave and those they go into.

    Boxes first, then aliquots, each in the order of their keys: two people who move samples
    past each other wait for one another, and never for good.
    """
    keys = [each.pk for each in aliquots]
    seen = dict(Aliquot.objects.filter(pk__in=keys).values_list("pk", "box_id"))
    concerned = {each for each in seen.values() if each} | {box.pk for box in boxes}
    locked = Box.objects.select_for_update(no_key=True).filter(pk__in=concerned).order_by("pk")
    list(locked)
    waiting = Aliquot.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=keys)
    rows = waiting.select_related(
        "site", "specimen__site", "specimen__visit", "specimen__subject__site", "box"
    )
    found = {each.pk: each for each in rows.order_by("pk")}
    # Moved meanwhile, or gone to another site with its participant.
    if set(keys) - found.keys() or any(each.box_id != seen[each.pk] for each in found.values()):
        raise TransitionError(_("Somebody has just moved this sample. Scan it again."))
    return [found[key] for key in keys]
