"""The word that a lot was stopped, at once, to whoever may hold treatment where it went.

A test that fails after the cells were used (a positive final sterility) is told of even when
the lot was stopped before: what is new concerns those who were treated.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, User
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner
from visits.models import LotAct, LotDecision, LotMovement, LotState, ReleaseTest, Verdict
from visits.services.products import ALERT

_CAST = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
_NOTHING = "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false"
#: Whoever comes to the study later is not woken by what happened long before.
_NEWS = dt.timedelta(days=14)


def plan(now: dt.datetime) -> Rows:
    """A notice for each failed test and each act that stopped a lot, for each person once."""
    since = now - _NEWS
    decisions = LotDecision.objects.filter(
        act__in=[LotAct.QUARANTINE, LotAct.RECALL], test=None, decided_at__gte=since
    )
    tests = ReleaseTest.objects.standing().filter(verdict=Verdict.FAIL, entered_at__gte=since)
    stopped = [(each.pk, each.lot_id, each.decided_at) for each in decisions]
    stopped += [(each.pk, each.lot_id, each.entered_at) for each in tests]
    rows = [row for each in stopped for row in _of(*each, now=now)]
    if not rows:
        return _NOTHING, ()
    values = ", ".join([_CAST] * len(rows))
    return f"SELECT * FROM (VALUES {values}) AS due", [each for row in rows for each in row]


def _of(
    key: uuid.UUID, lot: uuid.UUID, at: dt.datetime, *, now: dt.datetime
) -> Iterator[tuple[Any, ...]]:
    received = LotMovement.objects.standing().filter(lot_id=lot)
    told: set[int] = set()
    for site in received.order_by("site").values_list("site", flat=True).distinct():
        people = _recipients(site, now.date())
        for person in people - told:
            yield key, site, person, at, f"{key}:{person}"
        if not people:
            yield key, site, None, at, f"{key}:nobody:{site}"
        told |= people


def _recipients(site_id: int, today: dt.date) -> set[int]:
    """Principal investigators and safety officers of the site and of the study."""
    held = Membership.objects.on(today).filter(
        Q(site=site_id) | Q(site=None),
        role__in=roles_granting(Capability.HOLD),
        user__is_active=True,
    )
    return set(held.values_list("user", flat=True))


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """All but those about a result taken back, or a quarantine that a release has ended."""
    return {
        key
        for key, thing in about(notices).items()
        if not (isinstance(thing, LotDecision) and thing.lot.state == LotState.RELEASED)
    }


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    """The act or the failed result of each notice."""
    ids = [notice.object_id for notice in notices if notice.object_id]
    found: dict[uuid.UUID, object] = {}
    tests = ReleaseTest.objects.standing().select_related("lot")
    found |= {each.pk: each for each in tests.filter(pk__in=ids)}
    decisions = LotDecision.objects.select_related("lot")
    found |= {each.pk: each for each in decisions.filter(pk__in=ids)}
    return {
        notice.pk: found[notice.object_id]
        for notice in notices
        if notice.object_id is not None and notice.object_id in found
    }


def render(notice: Notice, _user: User) -> Mail:
    """The lot, what happened, and where its recall page is; of participants nothing."""
    thing = notice.about
    assert isinstance(thing, ReleaseTest | LotDecision)
    code = {"lot": thing.lot.code}
    said = ""
    if isinstance(thing, ReleaseTest):
        subject = _("Failed release test of lot %(lot)s") % code
        said = f"{thing.title}: {thing.result} {thing.unit}".strip() + "\n\n"
    elif thing.act == LotAct.RECALL:
        subject = _("Lot %(lot)s is recalled") % code
    else:
        subject = _("Lot %(lot)s is in quarantine") % code
    return Mail(
        subject=subject,
        body=said
        + _(
            "Lot %(lot)s must not be used. The page below lists the participants and sessions "
            "in which it was used, and where units of it still are."
        )
        % code,
        path=reverse("visits:recall", args=[thing.lot.code]),
    )


register_planner(
    Planner(
        kind=ALERT,
        title=gettext_lazy("A lot of the cell product was stopped"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
        urgent=True,
    )
)
