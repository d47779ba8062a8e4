"""What every page of the endpoints is asked for: which site, and as of which day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from outcomes.endpoints.course import Course
from outcomes.selectors.courses import courses_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import SITE_KEY, StaffRequest
from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version, sites_of
from trialsite.core.clock import trial_now
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol


@dataclass(slots=True)
class Asked:
    """The site and the day asked for, among the sites whose casebooks the person may see."""

    sites: list[Site]
    site: Site | None
    on: dt.date | None
    today: dt.date
    #: As typed, and what is wrong with it.
    typed: str = ""
    problem: str = ""
    #: The address asks for all sites, whichever is chosen above the page.
    every_site: bool = False

    @property
    def as_of(self) -> dt.date:
        """The day as of which the page speaks."""
        return self.on or self.today

    def query(self, **more: Any) -> str:
        """The address's question: what is asked now, with what is asked besides."""
        said = {
            "site": self.site.code if self.site and len(self.sites) > 1 else "",
            "on": self.on.isoformat() if self.on else "",
            **{name: str(value) for name, value in more.items()},
        }
        found = urlencode({name: value for name, value in said.items() if value})
        if self.every_site:
            found = f"site=&{found}".rstrip("&")
        return f"?{found}" if found else ""


def asked_of(request: StaffRequest) -> Asked:
    """What this request asks for; a site that is not the person's is as one there is not.

    Without a site in the address it is the one chosen above the page. A day that is no
    date, or still to come, is said to be wrong, and the page is as of today.
    """
    sites = list(sites_of(request.user).order_by("code"))
    code = request.GET.get("site")
    if code is None:
        chosen = request.session.get(SITE_KEY)
        site = next((each for each in sites if each.pk == chosen), None)
    else:
        site = next((each for each in sites if each.code == code), None)
    now = trial_now()
    here = [site] if site else sites
    today = max(
        (now.astimezone(ZoneInfo(each.time_zone)).date() for each in here), default=now.date()
    )
    typed = request.GET.get("on", "").strip()[:20]
    on, problem = _day(typed, today)
    return Asked(
        sites=sites,
        site=site,
        on=on,
        today=today,
        typed=typed,
        problem=problem,
        every_site=code is not None and site is None,
    )


def _day(typed: str, today: dt.date) -> tuple[dt.date | None, str]:
    if not typed:
        return None, ""
    try:
        on = dt.date.fromisoformat(typed)
    except ValueError:
        return None, _("Give the day as year-month-day, such as 2026-03-05.")
    if on > today:
        return None, _("This day has not come yet.")
    return (None if on == today else on), ""


def courses_asked(request: StaffRequest, asked: Asked) -> list[Course]:
    """The courses that the page is about."""
    code = asked.site.code if asked.site else ""
    return courses_of(request.user, site=code, on=asked.on)


def protocol_asked() -> Protocol | None:
    """The protocol in force, with what has been confirmed of it; none before one is loaded."""
    try:
        return confirmed_protocol(current_version().pk)
    except ProtocolVersion.DoesNotExist:
        return None


def frame(asked: Asked, protocol: Protocol | None) -> dict[str, Any]:
    """What the head of each of these pages shows."""
    return {
        "asked": asked,
        "protocol": protocol,
        "anchor": protocol.anchor.printed.in_language(get_language() or "en") if protocol else "",
        "anchor_open": bool(protocol and protocol.assumptions_under("anchor")),
    }


def csv_of(request: StaffRequest, dataset: str) -> str:
    """Where a dataset comes as a file; empty for who may not export."""
    may = request.user.can(Capability.EXPORT)
    return f"/api/v1/datasets/{dataset}/?format=csv" if may else ""
