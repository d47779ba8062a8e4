"""Word that a participant's samples are to be destroyed, to whoever handles samples there.

Told when the list opens, and again each week while something on it is not destroyed or
explained. A list that is closed or lifted is told of to nobody.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from samples.models import Destruction, DestructionLine
from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, User
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner

KIND = "sample-destruction"
_AGAIN = dt.timedelta(days=7)
_CAST = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
_NOTHING = "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false"


def plan(now: dt.datetime) -> Rows:
    """For each open list the last week that has begun, for each person once."""
    rows = [row for each in Destruction.objects.open() for row in _of(each, now)]
    if not rows:
        return _NOTHING, ()
    values = ", ".join([_CAST] * len(rows))
    return f"SELECT * FROM (VALUES {values}) AS due", [each for row in rows for each in row]


def _of(destruction: Destruction, now: dt.datetime) -> Iterator[tuple[Any, ...]]:
    week = max(0, (now - destruction.opened_at) // _AGAIN)
    at = destruction.opened_at + week * _AGAIN
    people = _recipients(destruction.site_id, now.date())
    for person in people:
        yield destruction.pk, destruction.site_id, person, at, f"{destruction.pk}:{week}:{person}"
    if not people:
        yield destruction.pk, destruction.site_id, None, at, f"{destruction.pk}:{week}:nobody"


def _recipients(site_id: int, today: dt.date) -> list[int]:
    held = Membership.objects.on(today).filter(
        Q(site=site_id) | Q(site=None),
        role__in=roles_granting(Capability.HANDLE_SAMPLES),
        user__is_active=True,
    )
    return sorted(set(held.values_list("user", flat=True)))


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """Those of lists that are still open."""
    return {key for key, found in about(notices).items() if found.is_open}


def about(notices: list[Notice]) -> dict[uuid.UUID, Destruction]:
    """The list of each notice, with how many samples are `waiting` on it."""
    ids = {notice.object_id for notice in notices if notice.object_id}
    lists = Destruction.objects.select_related("subject").in_bulk(ids)
    waiting = DestructionLine.objects.filter(
        destruction__in=lists, outcome="", specimen__voided_at=None
    )
    counts: dict[uuid.UUID, int] = {}
    for key in waiting.values_list("destruction", flat=True):
        counts[key] = counts.get(key, 0) + 1
    for key, found in lists.items():
        found.waiting = counts.get(key, 0)  # type: ignore[attr-defined]
    return {
        notice.pk: lists[notice.object_id]
        for notice in notices
        if notice.object_id is not None and notice.object_id in lists
    }


def render(notice: Notice, _user: User) -> Mail:
    """The subject's number and how many samples wait."""
    found = notice.about
    assert isinstance(found, Destruction)
    count: int = found.waiting  # type: ignore[attr-defined]
    said = ngettext(
        "Subject %(subject)s has withdrawn the consent for samples. %(count)d sample is not "
        "destroyed or explained yet.",
        "Subject %(subject)s has withdrawn the consent for samples. %(count)d samples are not "
        "destroyed or explained yet.",
        count,
    ) % {"subject": found.subject.label, "count": count}
    return Mail(
        subject=_("Samples of %(subject)s are to be destroyed") % {"subject": found.subject.label},
        body=said,
        path=reverse("samples:destruction", args=[found.pk]),
    )


register_planner(
    Planner(
        kind=KIND,
        title=gettext_lazy("Samples are to be destroyed"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
    )
)
