"""Whether a specimen reached the freezer in the protocol's time (clinical C17)."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from samples.kinds import FROZEN_LATE
from samples.models import (
    LIVE_SPECIMENS,
    Aliquot,
    AliquotState,
    CustodyEvent,
    CustodyKind,
    Destruction,
    Specimen,
)
from samples.services.log import hold_participants
from trialsite.access.models import Site
from trialsite.casebook.models import ConsentState, Subject
from trialsite.conduct.models import Deviation
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate

#: How far back the nightly look goes: what is older has been put before the site.
_BACK = dt.timedelta(days=90)
#: After these it needs no freezer any more.
_ENDS = (CustodyKind.USED_UP, CustodyKind.DISCARDED, CustodyKind.DESTROYED, CustodyKind.LOST)


def _key(specimen: Specimen) -> str:
    return f"{FROZEN_LATE.code}:{specimen.pk}"


def end_freezing(specimen: Specimen) -> None:
    """Note that a specimen was never so: nothing of it was to be frozen."""
    end_deviation_cause(site=specimen.site, key=_key(specimen))


def judge_freezing(specimen: Specimen) -> None:
    """Put before the site that a specimen was frozen after the protocol's limit, or note where
    a correction of times has ended that; asked after each freezing and each corrected time.

    One proposal for a specimen, however many aliquots it has.
    """
    if _is_closed(specimen) or _is_to_be_destroyed(specimen):
        return
    parts = list(specimen.aliquots.select_related("specimen"))
    worst = _worst(parts)
    if worst is not None:
        _propose_frozen(specimen, worst)
    elif _is_waiting(specimen, parts):
        return
    elif _ended_too_late(specimen, parts):
        _stand_by(specimen)
    else:
        end_deviation_cause(site=specimen.site, key=_key(specimen))


def judge_unfrozen(specimen: Specimen) -> bool:
    """Put before the site that a specimen is past its time and not frozen; whether it is so.

    Asked once a day, so that who enters a day's work in the evening is not asked before.
    """
    parts = list(specimen.aliquots.select_related("specimen"))
    if _is_closed(specimen) or _is_to_be_destroyed(specimen) or not _is_waiting(specimen, parts):
        return False
    if _worst(parts) is None:
        _propose_not_frozen(specimen)
    return True


def _is_closed(specimen: Specimen) -> bool:
    """Whether nothing more is entered into this casebook."""
    subjects = Subject.objects.filter(pk=specimen.subject_id)
    return subjects.filter(consent_state=ConsentState.WITHDRAWN).exists()


def _is_to_be_destroyed(specimen: Specimen) -> bool:
    """Whether the consent for samples was withdrawn before it had to be in the freezer: it is
    destroyed, not frozen. What was late by then was late all the same."""
    by = specimen.freeze_by
    if by is None:
        return False
    lists = Destruction.objects.standing().filter(subject=specimen.subject_id)
    return lists.filter(withdrawn_at__lte=by).exists()


def _ended_too_late(specimen: Specimen, parts: list[Aliquot]) -> bool:
    """Whether something of it that was never frozen came to its end after its time."""
    by = specimen.freeze_by
    if by is None or specimen.voided_at is not None:
        return False
    never = [each.pk for each in parts if each.frozen_at is None and not each.is_live]
    rows = CustodyEvent.objects.filter(specimen=specimen, kind__in=_ENDS)
    of_it = Q(aliquot__in=never) if parts else Q(aliquot=None)
    ends: dict[uuid.UUID | None, dt.datetime] = {}
    for event in rows.filter(of_it).order_by("number").prefetch_related("corrections"):
        last = max(event.corrections.all(), key=lambda each: each.number, default=event)
        assert last.moment is not None
        ends[event.aliquot_id] = last.moment
    return any(each >= by + dt.timedelta(minutes=1) for each in ends.values())


def _stand_by(specimen: Specimen) -> None:
    """What was proposed of it stays so, or is so again; nothing new is asked of who ended it."""
    if Deviation.objects.filter(site=specimen.site_id, key=_key(specimen)).exists():
        _propose_not_frozen(specimen)


def _worst(parts: list[Aliquot]) -> Aliquot | None:
    late = [each for each in parts if each.frozen_late]
    return max(late, key=lambda each: each.minutes_to_freeze or 0, default=None)


def _is_waiting(specimen: Specimen, parts: list[Aliquot]) -> bool:
    """Whether the time is up while something of it is in nobody's freezer."""
    by = specimen.freeze_by
    if by is None or specimen.voided_at is not None or trial_now() < by + dt.timedelta(minutes=1):
        return False
    return specimen.is_live or any(each.state == AliquotState.MADE for each in parts)


def _propose_frozen(specimen: Specimen, worst: Aliquot) -> None:
    said = _("%(kind)s %(code)s was frozen %(minutes)d minutes after collection; at most %(most)d.")
    assert worst.frozen_at is not None
    _propose(
        specimen,
        said
        % {
            "kind": specimen.kind_name,
            "code": specimen.code,
            "minutes": worst.minutes_to_freeze or 0,
            "most": specimen.freeze_within,
        },
        worst.frozen_at.date(),
    )


def _propose_not_frozen(specimen: Specimen) -> None:
    said = _("%(kind)s %(code)s was not frozen within %(most)d minutes of collection.")
    assert specimen.collected_at is not None
    _propose(
        specimen,
        said % {"kind": specimen.kind_name, "code": specimen.code, "most": specimen.freeze_within},
        specimen.collected_at.date(),
    )


def _propose(specimen: Specimen, description: str, on: dt.date) -> None:
    propose_deviation(
        site=specimen.site,
        kind=FROZEN_LATE.code,
        key=_key(specimen),
        description=description,
        subject=specimen.subject,
        occurred_on=PartialDate.parse(on.isoformat()),
    )


def judge_site(site: Site) -> int:
    """The same for everything of a site that is not frozen and past its time; how many.

    Each is judged by itself, under its participant's lock: who freezes at this moment waits
    for one judgement, and what has reached the freezer meanwhile is not proposed.
    """
    now = trial_now()
    waiting = Q(state__in=LIVE_SPECIMENS) | Q(aliquots__state=AliquotState.MADE)
    rows = Specimen.objects.standing().at([site.pk])
    rows = rows.filter(waiting, collected_at__gte=(now - _BACK).replace(tzinfo=None)).distinct()
    found = list(rows.select_related("site").order_by("pk"))
    return sum(_judge(each.pk) for each in found if (each.freeze_by or now) < now)


@transaction.atomic
def _judge(key: uuid.UUID) -> bool:
    rows = Specimen.objects.select_related("site", "subject", "visit")
    hold_participants([rows.get(pk=key).subject_id])
    return judge_unfrozen(rows.get(pk=key))
