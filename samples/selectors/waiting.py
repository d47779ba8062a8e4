"""Samples on their way to the freezer, and how long they may still take."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q

from samples.models import LIVE_SPECIMENS, Aliquot, AliquotState, Destruction, Specimen
from trialsite.access.models import User

#: What nobody has frozen after this time has another problem than the clock.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Freezing:
    """One specimen of which something is not frozen yet."""

    specimen: Specimen
    minutes: int
    waiting: int

    @property
    def late(self) -> bool:
        """Whether the limit is past: the last minute itself is in time."""
        return self.minutes < 0

    @property
    def soon(self) -> bool:
        """Whether a quarter of the time, or less, is left."""
        return not self.late and self.minutes * 4 <= self.specimen.freeze_within

    @property
    def minutes_late(self) -> int:
        return max(0, -self.minutes)


def to_freeze(
    user: User, *, now: dt.datetime, site_id: int | None = None, limit: int = _MOST
) -> list[Freezing]:
    """Specimens not yet in the freezer at the person's sites, the most urgent first."""
    specimens = Specimen.objects.visible_to(user)
    if site_id is not None:
        specimens = specimens.at([site_id])
    unfrozen = Aliquot.objects.filter(specimen=OuterRef("pk"), state=AliquotState.MADE)
    found = (
        specimens.filter(Q(state__in=LIVE_SPECIMENS) | Exists(unfrozen), voided_at=None)
        # What is to be destroyed is not frozen any more.
        .exclude(Exists(Destruction.objects.standing().filter(subject=OuterRef("subject"))))
        .annotate(waiting=Count("aliquots", filter=Q(aliquots__state=AliquotState.MADE)))
        .select_related("subject", "site", "visit")
        .order_by("collected_at")[:limit]
    )
    lines = [Freezing(each, _left(each, now), each.waiting) for each in found]
    return sorted(lines, key=lambda line: (line.minutes, line.specimen.code))


def _left(specimen: Specimen, now: dt.datetime) -> int:
    """Whole minutes left; a minute that has begun counts as the one before, as clocks show."""
    by = specimen.freeze_by
    assert by is not None
    passed = now - (by - dt.timedelta(minutes=specimen.freeze_within))
    return specimen.freeze_within - int(passed.total_seconds() // 60)
