"""Destruction lists as people work through them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from samples.models import Destruction, DestructionLine
from trialsite.access.models import User

_SETTLED = ~Q(lines__outcome="") | Q(lines__specimen__voided_at__isnull=False)
_ANY = Q(lines__isnull=False)


def destructions(user: User) -> QuerySet[Destruction]:
    """The lists of the person's sites with `listed` and `settled` lines, open ones first."""
    rows = Destruction.objects.visible_to(user).select_related("subject", "site")
    counted = rows.annotate(listed=Count("lines"), settled=Count("lines", filter=_ANY & _SETTLED))
    return counted.order_by("-opened_at", "id")


def open_destructions(user: User, site_id: int | None = None) -> list[Destruction]:
    """The lists on which something is still to be done, the oldest withdrawal first."""
    rows = destructions(user).filter(lifted_at=None, closed_at=None)
    if site_id is not None:
        rows = rows.filter(site=site_id)
    return list(rows.order_by("withdrawn_at", "id"))


def open_list_of(subject_id: uuid.UUID) -> Destruction | None:
    """The list on which a participant's samples are to be destroyed now; None: they are kept."""
    return Destruction.objects.open().filter(subject=subject_id).first()


def lines_of(destruction: Destruction) -> list[DestructionLine]:
    """The lines with all that says where each sample is; one query."""
    rows = destruction.lines.select_related(
        "specimen__visit",
        "aliquot__box__rack__freezer",
        "aliquot__shipment",
        "event__witness",
        "event__entered_by",
    )
    return list(rows.order_by("specimen__code", "aliquot__code"))


def waiting_lines(lines: Iterable[DestructionLine]) -> list[DestructionLine]:
    """Those whose sample is still somewhere."""
    return [each for each in lines if not each.is_settled]
