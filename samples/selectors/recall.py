"""The samples behind a recalled lot: of whom, drawn when in respect of its cells, and where."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import models
from django.db.models import Prefetch
from django.utils.translation import gettext_lazy as _

from samples.models import Aliquot, Specimen, SpecimenState
from trialsite.access.models import User
from visits.selectors.products import Recall


class Drawn(models.TextChoices):
    """When a sample was drawn, in respect of the lot's cells."""

    SESSION = "session", _("at the session with the lot")
    AFTER = "after", _("after the lot was used")
    BEFORE = "before", _("before the lot was used")


_ORDER = list(Drawn)


@dataclass(frozen=True, slots=True)
class Reached:
    """One specimen of a participant who was treated with the lot, and its aliquots."""

    specimen: Specimen
    drawn: Drawn
    aliquots: list[Aliquot]


def samples_reached(recall: Recall, user: User) -> list[Reached]:
    """The collected samples of everybody who was treated with the lot, those of its sessions
    first; two queries however many they are."""
    sessions = {each.session_id for each in recall.loads}
    first: dict[uuid.UUID, dt.datetime] = {}
    for load in recall.loads:
        known = first.setdefault(load.subject_id, load.loaded_at)
        first[load.subject_id] = min(known, load.loaded_at)
    if not first:
        return []
    parts = Aliquot.objects.select_related("box__rack__freezer", "shipment").order_by("number")
    rows = Specimen.objects.visible_to(user).filter(subject__in=first, voided_at=None)
    rows = rows.exclude(state=SpecimenState.PREPARED).select_related("subject", "visit", "site")
    found = [
        Reached(each, _drawn(each, sessions, first[each.subject_id]), list(each.aliquots.all()))
        for each in rows.prefetch_related(Prefetch("aliquots", parts))
    ]
    return sorted(
        found,
        key=lambda each: (
            each.specimen.subject.label,
            _ORDER.index(each.drawn),
            each.specimen.collected_at,
            each.specimen.code,
        ),
    )


def _drawn(specimen: Specimen, sessions: set[uuid.UUID], first: dt.datetime) -> Drawn:
    if specimen.session_id in sessions:
        return Drawn.SESSION
    assert specimen.collected_at is not None
    return Drawn.AFTER if specimen.collected_at >= first else Drawn.BEFORE
