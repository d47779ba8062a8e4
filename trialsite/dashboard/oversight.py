"""The sites side by side for who looks over them, samples for who draws up the tubes, and
people for who hands out access."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Membership, Site, Training, User
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.windows import Bar, Lane, Window
from trialsite.dashboard.compliance import Figures, dated
from trialsite.dashboard.owed import by_site, overdue_visits, owed_forms
from trialsite.dashboard.study import visit_name, window_margins
from trialsite.dashboard.worklist import waiting_visits
from trialsite.review.models import Query, QueryStatus

#: Windows that ended in these days tell how a site is doing now.
RECENT = dt.timedelta(days=28)
_UNTAKEN = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
_MOST = 50


@dataclass(frozen=True, slots=True)
class SiteLine:
    """One site with what is late or incomplete there."""

    site: Site
    overdue: int
    owed: int
    open_queries: int
    answered_queries: int
    recent: Figures

    @property
    def percent(self) -> Decimal | None:
        return self.recent.percent


def site_lines(user: User, sites: list[Site], *, now: dt.datetime) -> list[SiteLine]:
    """The person's sites; five queries, however many sites and visits there are."""
    overdue = by_site(overdue_visits(user, sites, now=now))
    owed = by_site(owed_forms(user, sites))
    queries = _queries(user, sites)
    recent = _recent(user, sites, now=now)
    return [
        SiteLine(
            site,
            overdue.get(site.pk, 0),
            owed.get(site.pk, 0),
            queries[site.pk, QueryStatus.OPEN],
            queries[site.pk, QueryStatus.ANSWERED],
            recent[site.pk],
        )
        for site in sites
    ]


def _queries(user: User, sites: list[Site]) -> dict[tuple[int, str], int]:
    waiting = Query.objects.visible_to(user).at([site.pk for site in sites])
    rows = (
        waiting.filter(status__in=(QueryStatus.OPEN, QueryStatus.ANSWERED), record__voided_at=None)
        .order_by()
        .values_list("site_id", "status")
        .annotate(n=Count("pk"))
    )
    return defaultdict(int, {(site, status): n for site, status, n in rows})


def _recent(user: User, sites: list[Site], *, now: dt.datetime) -> dict[int, Figures]:
    before, after = window_margins()
    day = now.astimezone(dt.UTC).date()
    visits = Visit.objects.visible_to(user).at([site.pk for site in sites])
    ended = visits.filter(
        target_on__range=(day - RECENT - after, day + before),
        last_day__range=(day - RECENT, day - dt.timedelta(days=1)),
    )
    found: dict[int, Figures] = defaultdict(Figures)
    rows = dated(ended, now=now, sites=sites).order_by().values_list("site_id", "kept", "outside")
    for site_id, kept, outside, count in rows.annotate(n=Count("pk")):
        found[site_id].add(kept, outside.days, count)
    return found


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One visit with the samples its protocol expects."""

    visit: Visit
    name: str
    window: Window | None
    lane: Lane
    today: dt.date
    samples: list[str]

    @property
    def bar(self) -> Bar | None:
        return Bar.of(self.window, self.today) if self.window else None


def sample_lines(user: User, *, now: dt.datetime, site_id: int | None) -> list[SampleLine]:
    """Visits open today or opening within seven days at which samples are to be drawn."""
    lines = []
    for visit in waiting_visits(user, now=now, site_id=site_id):
        window = Window.of(visit)
        today = now.astimezone(ZoneInfo(visit.site.time_zone)).date()
        lane = window.lane(today) if window else Lane.OPEN
        samples = _samples(visit)
        if visit.attended_on is not None or not samples or lane in (None, Lane.OVERDUE):
            continue
        lines.append(SampleLine(visit, visit_name(visit), window, lane, today, samples))
    return sorted(lines, key=lambda line: line.window.first if line.window else line.today)


def _samples(visit: Visit) -> list[str]:
    protocol = protocol_of(visit.protocol_version_id)
    plan, language = protocol.samples, get_language() or "en"
    if plan is None:
        return []
    keys = protocol.schedule.event(visit.event_oid).samples
    return [plan.specimen(key).name.in_language(language) for key in keys]


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One account whose access is not complete, and what it lacks."""

    person: User
    lacks: list[str]


def people_lines(by: User, *, now: dt.datetime) -> list[PersonLine]:
    """Whom the administrator has to look after: one query."""
    held = Membership.objects.on(now.date()).filter(user=OuterRef("pk"))
    people = User.objects.filter(is_active=True)
    if not by.access.study_wide(Capability.MANAGE_PEOPLE):
        own = by.access.sites(Capability.MANAGE_PEOPLE)
        people = people.filter(Exists(Membership.objects.filter(user=OuterRef("pk"), site__in=own)))
    found = people.annotate(
        has_role=Exists(held),
        trained=Exists(Training.objects.filter(user=OuterRef("pk"))),
    ).filter(Q(has_role=False) | Q(trained=False) | _UNTAKEN)
    return [PersonLine(person, _lacks(person)) for person in found.order_by("full_name")[:_MOST]]


def _lacks(person: Any) -> list[str]:
    signs = (
        (not person.has_usable_password(), _("invitation not yet taken")),
        (not person.has_role, _("no role")),
        (not person.trained, _("no training on record")),
    )
    return [word for holds, word in signs if holds]
