"""Whom a batch of notices is for: where they may read, on which clock, and how they want it."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from trialsite.access.models import Membership, Site, User
from trialsite.notify.hours import Quiet, after_quiet
from trialsite.notify.models import DIGEST, DIGEST_AT, READY_MADE, Hush, Lane, Notice, Preferences

log = logging.getLogger(__name__)

#: The quiet hours of a site; None where it has none.
QuietHours = Callable[[Site], Quiet | None]

_UTC = ZoneInfo("UTC")
_provided: list[QuietHours] = []


def provide_quiet_hours(provider: QuietHours) -> QuietHours:
    """Called from `AppConfig.ready` of an app above, which knows the site's protocol."""
    _provided.append(provider)
    return provider


def quiet_hours_of(site: Site) -> Quiet | None:
    """The quiet hours that hold at a site unless a person has chosen others.

    A provider that fails must not keep a notice back: it is logged, and nothing is quiet.
    """
    for provider in _provided:
        try:
            if (found := provider(site)) is not None:
                return found
        except Exception:
            log.exception("the quiet hours of site %s cannot be told", site.code)
    return None


@dataclass(frozen=True, slots=True)
class Reader:
    """One person as notices find them."""

    user: User
    #: Where they hold a role today.
    sites: frozenset[int] = frozenset()
    #: The first of these; its clock is theirs.
    home: Site | None = None
    zone: ZoneInfo = _UTC
    quiet: Quiet | None = None
    digest_at: dt.time = DIGEST_AT
    switched_off: frozenset[str] = field(default_factory=frozenset)

    def may_read(self, notice: Notice) -> bool:
        """Whether it may still be told to them: active, and with a role where it comes from."""
        if not self.user.is_active:
            return False
        anywhere = notice.site_id is None or notice.kind in {READY_MADE, DIGEST}
        return anywhere or notice.site_id in self.sites

    def wants(self, notice: Notice) -> bool:
        """Whether it is to leave Trialsite at all."""
        if notice.lane == Lane.URGENT or notice.kind == READY_MADE:
            return True
        return bool(self.user.email) and notice.kind not in self.switched_off

    def awake(self, notice: Notice, now: dt.datetime) -> dt.datetime:
        """The next moment at which they may be told; what is urgent is told at once."""
        if notice.lane == Lane.URGENT or notice.kind == READY_MADE:
            return now
        return after_quiet(now, self.quiet, self.zone)

    def today(self, now: dt.datetime) -> dt.date:
        """Their calendar day."""
        return now.astimezone(self.zone).date()


def readers_of(users: Iterable[User | None], now: dt.datetime) -> dict[int, Reader]:
    """The readers by account; three queries however many they are."""
    people = {user.pk: user for user in users if user is not None}
    if not people:
        return {}
    chosen = Preferences.objects.in_bulk(list(people))
    places = {site.pk: site for site in Site.objects.order_by("code")}
    quiet: dict[int, Quiet | None] = {}
    held = _sites_held(people, places, now)
    return {
        pk: _reader(user, chosen.get(pk), [places[each] for each in held[pk]], quiet)
        for pk, user in people.items()
    }


def _sites_held(
    people: Mapping[int, User], places: Mapping[int, Site], now: dt.datetime
) -> dict[int, list[int]]:
    """Where each holds a role today, in the order of the sites' codes."""
    lines: dict[int, set[int]] = defaultdict(set)
    rows = Membership.objects.on(now.date()).filter(user__in=people)
    for user, site in rows.values_list("user", "site"):
        lines[user] |= set(places) if site is None else {site}
    return {pk: [site for site in places if site in lines[pk]] for pk in people}


def _reader(
    user: User, chosen: Preferences | None, sites: list[Site], known: dict[int, Quiet | None]
) -> Reader:
    home = sites[0] if sites else None
    wish = Hush(chosen.quiet) if chosen else Hush.SITE
    quiet: Quiet | None = None
    if wish is Hush.OWN and chosen and chosen.quiet_from and chosen.quiet_until:
        quiet = Quiet(chosen.quiet_from, chosen.quiet_until)
    elif wish is Hush.SITE and home:
        if home.pk not in known:
            known[home.pk] = quiet_hours_of(home)
        quiet = known[home.pk]
    return Reader(
        user=user,
        sites=frozenset(site.pk for site in sites),
        home=home,
        zone=ZoneInfo(home.time_zone) if home else _UTC,
        quiet=quiet,
        digest_at=chosen.digest_at if chosen else DIGEST_AT,
        switched_off=frozenset(chosen.switched_off if chosen else ()),
    )
