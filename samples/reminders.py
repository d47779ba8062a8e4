"""Reminders of parcels that were handed over and not received in time.

Whoever ships samples at the site is told once of each; it stays due while the parcel is late
and a line of it is neither received nor explained. The day comes from the protocol, by the clock
of the sending site.
"""

from __future__ import annotations

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from samples.models import Shipment
from samples.selectors.shipping import days_overdue, due_parcels
from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, User
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner

KIND = "shipment-late"
_CAST = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
_NOTHING = "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false"
_MORNING = dt.time(8)


def _late(now: dt.datetime, ids: set[uuid.UUID] | None = None) -> list[Shipment]:
    rows = due_parcels(Shipment.objects.all(), now).select_related("site")
    rows = rows if ids is None else rows.filter(pk__in=ids)
    return [each for each in rows if days_overdue(each, now, unsettled=True)]


def _shippers(sites: set[int], now: dt.datetime) -> dict[int, set[int]]:
    """Who ships samples at each of the sites, the study's own people too."""
    lines = Membership.objects.on(now.date()).filter(
        Q(site__in=sites) | Q(site=None),
        role__in=roles_granting(Capability.SHIP_SAMPLES),
        user__is_active=True,
    )
    found: dict[int, set[int]] = {site: set() for site in sites}
    for person, at in lines.values_list("user", "site"):
        for site in [at] if at is not None else sites:
            found[site].add(person)
    return found


def plan(now: dt.datetime) -> Rows:
    """A notice for each late parcel and person; nobody to tell is a notice too."""
    late = _late(now)
    people = _shippers({each.site_id for each in late}, now)
    rows: list[object] = []
    for each in late:
        assert each.due_on is not None
        morning = dt.datetime.combine(each.due_on + dt.timedelta(days=1), _MORNING)
        due = morning.replace(tzinfo=ZoneInfo(each.time_zone))
        if due > now:
            continue
        readers: list[int | None] = [*sorted(people[each.site_id])] or [None]
        for person in readers:
            rows += [each.pk, each.site_id, person, due, f"{each.pk}:{person or 'nobody'}"]
    if not rows:
        return _NOTHING, ()
    values = ", ".join([_CAST] * (len(rows) // 5))
    return f"SELECT * FROM (VALUES {values}) AS due", rows


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """Those of parcels of which something is still not settled, for who still ships there."""
    now = trial_now()
    late = {
        each.pk: each for each in _late(now, {each.object_id for each in notices if each.object_id})
    }
    people = _shippers({each.site_id for each in late.values()}, now)
    found = set()
    for notice in notices:
        parcel = late.get(notice.object_id) if notice.object_id else None
        if parcel is None:
            continue
        told = people[parcel.site_id]
        if notice.recipient_id in told or (notice.recipient_id is None and not told):
            found.add(notice.pk)
    return found


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    """The parcel of each notice."""
    ids = {each.object_id for each in notices if each.object_id}
    known = Shipment.objects.select_related("site").in_bulk(ids)
    return {each.pk: known[each.object_id] for each in notices if each.object_id in known}


def render(notice: Notice, user: User) -> Mail:
    """The code of the parcel, where it goes, and since when it is expected there."""
    parcel = notice.about
    assert isinstance(parcel, Shipment)
    said = {
        "person": user.full_name,
        "code": parcel.code,
        "to": parcel.destination,
        "day": parcel.due_on.isoformat() if parcel.due_on else "",
    }
    return Mail(
        subject=_("Shipment %(code)s is not received") % said,
        body=_(
            "%(person)s,\n\nthe shipment %(code)s to %(to)s was expected there by %(day)s. "
            "Not everything in it is received or explained."
        )
        % said,
        path=reverse("samples:shipment", args=[parcel.code]),
    )


register_planner(
    Planner(
        kind=KIND,
        title=gettext_lazy("Shipments of samples not received in time"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
        bundled=True,
    )
)
