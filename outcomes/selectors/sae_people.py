"""Who is told of reports that are owed: investigators, the study's people, their deputies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from outcomes.models import Deputy
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership, Site
from trialsite.notify.planning import Rows

_CAST = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
_NOTHING = "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false"
_INVESTIGATORS = (Role.PRINCIPAL_INVESTIGATOR, Role.SUB_INVESTIGATOR)


def as_rows(rows: Sequence[Sequence[Any]]) -> Rows:
    """Notices that were thought out here, as the planner takes them."""
    if not rows:
        return _NOTHING, ()
    values = ", ".join([_CAST] * len(rows))
    return f"SELECT * FROM (VALUES {values}) AS due", [each for row in rows for each in row]


class People:
    """Who is responsible where today: investigators with their deputies, and the study's."""

    def __init__(self, sites: Iterable[Site], now: dt.datetime) -> None:
        known = {site.pk: site for site in sites}
        self._site: dict[int, set[int]] = {key: set() for key in known}
        self._study: dict[int, set[int]] = {key: set() for key in known}
        for key, site in known.items():
            self._read(key, now.astimezone(ZoneInfo(site.time_zone)).date())

    def _read(self, site: int, today: dt.date) -> None:
        lines = Membership.objects.on(today).filter(
            Q(site=site) | Q(site=None), user__is_active=True
        )
        for user, at, role in lines.values_list("user", "site", "role"):
            if role in _INVESTIGATORS and at is not None:
                self._site[site].add(user)
            if role == Role.SAFETY_OFFICER:
                self._study[site].add(user)
        heads = lines.filter(site=None, role=Role.PRINCIPAL_INVESTIGATOR)
        self._study[site] |= set(heads.values_list("user", flat=True))
        if not self._site[site]:
            # A study run by one investigator for all sites: they are responsible here too.
            wide = lines.filter(site=None, role__in=_INVESTIGATORS)
            self._site[site] |= set(wide.values_list("user", flat=True))
        deputies = Deputy.objects.filter(
            site=site,
            person__in=self._site[site] | self._study[site],
            first_day__lte=today,
            last_day__gte=today,
            ended_at=None,
            deputy__is_active=True,
        )
        holding = set(lines.values_list("user", flat=True))
        for person, deputy in deputies.values_list("person", "deputy"):
            for told in (self._site[site], self._study[site]):
                if person in told and deputy in holding:
                    told.add(deputy)

    def of(self, key: int, *, site: bool, study: bool) -> set[int]:
        """Those at this site who owe it, those of the study who watch, or both."""
        return (self._site[key] if site else set()) | (self._study[key] if study else set())
