"""Freezers, racks and boxes that were too warm, and each aliquot that was inside."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.kinds import WARM_STORAGE
from samples.models import (
    Aliquot,
    Box,
    CustodyEvent,
    CustodyKind,
    ExcursionLine,
    Freezer,
    Rack,
    StorageExcursion,
)
from samples.selectors.excursions import Inside, inside
from samples.services.log import (
    Happening,
    enter_all,
    event_of,
    held_aliquots,
    hold_participants,
)
from samples.services.refusing import sample_refusals
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.moments import future_problem
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.violations import ImpossibleError


@transaction.atomic
def note_storage_excursion(
    *,
    where: Freezer | Rack | Box,
    began_at: dt.datetime,
    celsius: Decimal,
    what: str,
    by: User,
    ended_at: dt.datetime | None = None,
) -> StorageExcursion:
    """A freezer, a rack or a box was too warm, or still is: what was inside is listed, each
    aliquot's custody says so, and a deviation is put before the site.

    Times are on the clock at the site; without an end it goes on.
    """
    by.require(Capability.HANDLE_SAMPLES, site=where.site_id)
    zone = where.site.time_zone
    _refuse_future(zone, began_at=began_at, ended_at=ended_at)
    _refuse_cold(where, celsius)
    excursion = StorageExcursion(
        id=uuid.uuid4(),
        site_id=where.site_id,
        began_at=began_at,
        ended_at=ended_at,
        time_zone=zone,
        celsius=celsius,
        what=what.strip()[:500],
        entered_by=by,
        entered_at=TrialNow(),
    )
    excursion.freezer = where if isinstance(where, Freezer) else None
    excursion.rack = where if isinstance(where, Rack) else None
    excursion.box = where if isinstance(where, Box) else None
    with sample_refusals(StorageExcursion):
        excursion.save(force_insert=True)
    _list(excursion, by)
    return excursion


@transaction.atomic
def end_storage_excursion(
    *,
    excursion: StorageExcursion,
    ended_at: dt.datetime,
    celsius: Decimal,
    by: User,
    base_version: int,
) -> StorageExcursion:
    """It was cold again since then, and this warm at the most. Told again, it puts the end and
    the temperature right; what was put in meanwhile is listed too, and nothing is taken off."""
    excursion = _held(excursion, by, base_version)
    _refuse_future(excursion.time_zone, ended_at=ended_at)
    _refuse_cold(excursion.freezer or excursion.rack or excursion.box, celsius)
    excursion.ended_at, excursion.celsius = ended_at, celsius
    excursion.version += 1
    with sample_refusals(StorageExcursion):
        excursion.save(update_fields=["ended_at", "celsius", "version"])
    _list(excursion, by)
    return excursion


@transaction.atomic
def void_storage_excursion(
    *, excursion: StorageExcursion, reason: str, by: User, base_version: int
) -> StorageExcursion:
    """It was never so, such as a sensor that failed; the list stays and says that."""
    excursion = _held(excursion, by, base_version)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})
    excursion.voided_at, excursion.voided_by = trial_now(), by
    excursion.void_reason = reason.strip()[:500]
    excursion.version += 1
    with because(excursion.void_reason), sample_refusals(StorageExcursion):
        excursion.save(update_fields=["voided_at", "voided_by", "void_reason", "version"])
        end_deviation_cause(site=excursion.site, key=_key(excursion))
    return excursion


def _held(excursion: StorageExcursion, by: User, base_version: int) -> StorageExcursion:
    by.require(Capability.HANDLE_SAMPLES, site=excursion.site_id)
    waiting = StorageExcursion.objects.select_for_update(no_key=True, of=("self",))
    named = waiting.select_related("site", "freezer", "rack__freezer", "box__rack__freezer")
    held = named.get(pk=excursion.pk)
    if held.version != base_version:
        raise StaleError(
            _("Somebody else changed this excursion. Read it again."),
            current={"version": held.version},
            version=held.version,
        )
    if held.voided_at is not None:
        raise TransitionError(_("This has been voided: %(why)s") % {"why": held.void_reason})
    return held


def _refuse_future(zone: str, **walls: dt.datetime | None) -> None:
    problems = {
        name: [problem]
        for name, wall in walls.items()
        if wall is not None and (problem := future_problem(wall, zone))
    }
    if problems:
        raise ImpossibleError(problems)


def _refuse_cold(where: Freezer | Rack | Box | None, celsius: Decimal) -> None:
    """What is no warmer than the freezer is set to is a slip of the hand, not an excursion."""
    rack = where.rack if isinstance(where, Box) else where
    freezer = rack.freezer if isinstance(rack, Rack) else rack
    if freezer is not None and celsius <= freezer.celsius:
        said = _("The freezer is set to %(celsius)d °C; this is not warmer. Check sign and digits.")
        raise ImpossibleError({"celsius": [said % {"celsius": freezer.celsius}]})


def _list(excursion: StorageExcursion, by: User) -> None:
    """List what was inside and is not listed yet, and put the excursion before the site."""
    known = set(excursion.lines.values_list("aliquot", flat=True))
    found = {each.aliquot_id: each for each in inside(excursion, trial_now())}
    rows = Aliquot.objects.filter(pk__in=found.keys() - known)
    hold_participants(rows.values_list("subject", flat=True))
    held = held_aliquots(rows.order_by("pk"))
    events = {each.pk: _event(excursion, each, found[each.pk], by) for each in held if each.is_live}
    enter_all(list(events.values()))
    now = trial_now()
    lines = [
        ExcursionLine(
            site_id=each.site_id,
            subject_id=each.subject_id,
            excursion=excursion,
            aliquot=each,
            box_id=found[each.pk].box_id,
            position=found[each.pk].position,
            event=events.get(each.pk),
            listed_at=now,
        )
        for each in held
    ]
    with sample_refusals(ExcursionLine):
        ExcursionLine.objects.bulk_create(lines, batch_size=500)
    _propose(excursion, len(known) + len(lines))


def _event(excursion: StorageExcursion, aliquot: Aliquot, there: Inside, by: User) -> CustodyEvent:
    zone = excursion.moment(excursion.began_at).tzinfo
    at = there.since.astimezone(zone).replace(tzinfo=None)
    said = Happening(
        at=max(at, excursion.began_at),
        zone=excursion.time_zone,
        celsius=excursion.celsius,
        place=str(excursion.where),
        reason=excursion.what,
    )
    return event_of(aliquot, CustodyKind.EXCURSION, by, said)


def _key(excursion: StorageExcursion) -> str:
    return f"{WARM_STORAGE.code}:{excursion.pk}"


def _propose(excursion: StorageExcursion, count: int) -> None:
    until = f"{excursion.ended_at:%Y-%m-%d %H:%M}" if excursion.ended_at else _("now")
    said = ngettext(
        "%(where)s: up to %(celsius)s °C, %(began)s until %(until)s, %(count)d aliquot inside.",
        "%(where)s: up to %(celsius)s °C, %(began)s until %(until)s, %(count)d aliquots inside.",
        count,
    )
    propose_deviation(
        site=excursion.site,
        kind=WARM_STORAGE.code,
        key=_key(excursion),
        description=said
        % {
            "where": excursion.where,
            "celsius": excursion.celsius,
            "began": f"{excursion.began_at:%Y-%m-%d %H:%M}",
            "until": until,
            "count": count,
        },
        occurred_on=PartialDate.parse(excursion.began_at.date().isoformat()),
    )
