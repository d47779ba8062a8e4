"""What every page shows around its content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import DateField, Func, OuterRef, Subquery, Value
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.http import SITE_KEY
from trialsite.access.models import Site, User
from trialsite.casebook.models import SiteProtocolApproval
from trialsite.core.clock import trial_now
from trialsite.core.software import software_version
from trialsite.dashboard.study import study
from trialsite.notify.selectors import Bell, bell_of
from trialsite.protocol import Protocol

#: What `own_sites` says of each site beside its columns.
IN_FORCE = "version_in_force"
THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the rail: where it leads, and who finds it there."""

    url_name: str
    title: Promise
    icon: str
    capability: Capability | None = None
    #: Addresses below these belong to the place as well.
    under: tuple[str, ...] = ()
    #: Who may do this finds it as a tab of another place, and the rail stays short.
    elsewhere_for: Capability | None = None


#: In the order of the rail. A role sees at most seven.
PLACES = (
    Place("dashboard:today", _("Today"), "checklist", None, ("/calendar/", "/compliance/")),
    Place(
        "screening:log",
        _("Screening"),
        "user-search",
        Capability.VIEW_SCREENING,
        ("/screening/",),
    ),
    Place(
        "dashboard:subjects",
        _("Subjects"),
        "users",
        Capability.VIEW_CASEBOOK,
        ("/records/", "/queries/", "/visits/"),
    ),
    Place(
        "dashboard:overview",
        _("Study overview"),
        "chart-line",
        Capability.VIEW_OVERVIEW,
        ("/outcomes/",),
    ),
    Place(
        "outcomes:safety",
        _("Safety"),
        "alert-circle",
        Capability.VIEW_SAFETY,
        elsewhere_for=Capability.EXPORT,
    ),
    Place("samples:overview", _("Samples"), "test-pipe", Capability.HANDLE_SAMPLES),
    Place("dashboard:protocol", _("Protocol"), "file-certificate", Capability.VIEW_CASEBOOK),
    Place("dashboard:datasets", _("Datasets"), "table-export", Capability.EXPORT),
    Place(
        "crf:trail",
        _("Audit trail"),
        "history",
        Capability.VIEW_TRAIL,
        ("/access-report/",),
        elsewhere_for=Capability.ENTER_DATA,
    ),
    Place("access:people", _("People"), "user-cog", Capability.MANAGE_PEOPLE),
    Place("access:sites", _("Sites"), "building-hospital", Capability.MANAGE_PEOPLE),
    Place(
        "access:report",
        _("Access report"),
        "shield-check",
        Capability.VIEW_ACCESS_REPORT,
        elsewhere_for=Capability.VIEW_TRAIL,
    ),
)


#: The parts of the study's configuration, as tabs of the protocol's place.
STUDY_TABS = (
    Place("dashboard:protocol", _("Protocol"), "file-certificate"),
    Place(
        "screening:consent_documents",
        _("Consent documents"),
        "signature",
        Capability.VIEW_CASEBOOK,
    ),
    Place("labs:laboratories", _("Laboratories"), "flask", Capability.VIEW_CASEBOOK),
    Place("visits:products", _("Cell product"), "test-pipe", Capability.VIEW_CASEBOOK),
    Place("conduct:holds", _("Holds and gates"), "hand-stop", Capability.VIEW_CASEBOOK),
    Place("outcomes:events", _("Adverse events"), "alert-circle", Capability.VIEW_CASEBOOK),
    Place("dashboard:feasibility", _("Feasibility"), "filter", Capability.TRY_CRITERIA),
    Place("crf:coding", _("Coding"), "checklist", Capability.CODE_TERMS),
    Place("conduct:deviations", _("Deviations"), "route-off", Capability.VIEW_CASEBOOK),
    Place(
        "visits:deficiencies", _("Device deficiencies"), "alert-circle", Capability.VIEW_CASEBOOK
    ),
    # Whoever looks over the samples and handles none finds them here.
    Place(
        "samples:overview",
        _("Samples"),
        "test-pipe",
        Capability.VIEW_CASEBOOK,
        elsewhere_for=Capability.HANDLE_SAMPLES,
    ),
    Place("crf:trail", _("Audit trail"), "history", Capability.VIEW_TRAIL),
)


#: Who did what and who may do it, as tabs of the trail.
OVERSIGHT_TABS = (
    Place("crf:trail", _("Audit trail"), "history", Capability.VIEW_TRAIL),
    Place("access:report", _("Access report"), "shield-check", Capability.VIEW_ACCESS_REPORT),
)


#: What the study wants to know, as tabs of its outcomes.
OUTCOME_TABS = (
    Place("dashboard:overview", _("Study overview"), "chart-line", Capability.VIEW_OVERVIEW),
    Place("outcomes:endpoints", _("Endpoints"), "chart-line", Capability.VIEW_CASEBOOK),
    Place("outcomes:changes", _("Change from baseline"), "arrows-diff", Capability.VIEW_CASEBOOK),
    Place("outcomes:biomarkers", _("Biomarkers"), "chart-dots", Capability.VIEW_CASEBOOK),
)


#: The visits in time, as tabs of Today.
VISIT_TABS = (
    Place("dashboard:today", _("Today"), "checklist"),
    Place("dashboard:calendar", _("Month"), "calendar-month", Capability.VIEW_CASEBOOK),
    Place("dashboard:compliance", _("Window compliance"), "target", Capability.VIEW_CASEBOOK),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A place as this person meets it on this page."""

    href: str
    title: str
    icon: str
    here: bool


def _address(url_name: str) -> str | None:
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return None


def links(user: User, path: str) -> list[Link]:
    """The person's places; the one that holds the page is marked."""
    found = _links(PLACES, user, path)
    tabs = tuple(tab.href for tab in _links(STUDY_TABS, user, path))
    if any(link.here for link in found) or not path.startswith(tabs):
        return found
    # A tab of the protocol's place that is no place of its own for this person.
    return [replace(link, here=link.href == tabs[0]) for link in found]


def study_tabs(user: User, path: str) -> list[Link]:
    """The tabs of the protocol's place that exist and that the person may see."""
    return _links(STUDY_TABS, user, path)


def _links(places: Iterable[Place], user: User, path: str) -> list[Link]:
    found = []
    for place in places:
        href = _address(place.url_name)
        if href is None or (place.capability and not user.can(place.capability)):
            continue
        if place.elsewhere_for and user.can(place.elsewhere_for):
            continue
        roots = place.under if href == "/" else (href, *place.under)
        here = path == href or path.startswith(roots)
        found.append(Link(href, str(place.title), place.icon, here))
    return found


class Shell:
    """Asked for by the template, piece by piece; what a page does not show costs nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def theme(self) -> str:
        chosen = self._request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else "auto"

    @property
    def environment_name(self) -> str:
        return str(ENVIRONMENTS.get(settings.ENVIRONMENT, settings.ENVIRONMENT))

    @cached_property
    def _study(self) -> Protocol | None:
        return study()

    @property
    def study_id(self) -> str:
        """In a demonstration the number says so wherever it stands (decisions, Demo)."""
        number = self._study.study.study_id if self._study else ""
        return f"DEMO {number}".strip() if settings.DEMO else number

    @property
    def study_name(self) -> str:
        if self._study is None:
            return ""
        return self._study.study.short_name.in_language(get_language() or "en")

    @property
    def protocol_version(self) -> str:
        """What is in force today at the chosen site, or at each of one's own; before anything
        is, and before the sign-in, the version of the file."""
        sites = [self.site] if self.site else self.sites
        found = {getattr(site, IN_FORCE) for site in sites} - {None}
        if found:
            return ", ".join(sorted(found))
        return self._study.version if self._study else "–"

    @property
    def version(self) -> str:
        return software_version()

    @cached_property
    def places(self) -> list[Link]:
        user = self._request.user
        return links(user, self._request.path) if isinstance(user, User) else []

    @cached_property
    def study_tabs(self) -> list[Link]:
        user = self._request.user
        return study_tabs(user, self._request.path) if isinstance(user, User) else []

    @cached_property
    def visit_tabs(self) -> list[Link]:
        user = self._request.user
        return _links(VISIT_TABS, user, self._request.path) if isinstance(user, User) else []

    @cached_property
    def oversight_tabs(self) -> list[Link]:
        user = self._request.user
        return _links(OVERSIGHT_TABS, user, self._request.path) if isinstance(user, User) else []

    @cached_property
    def outcome_tabs(self) -> list[Link]:
        user = self._request.user
        return _links(OUTCOME_TABS, user, self._request.path) if isinstance(user, User) else []

    @cached_property
    def sites(self) -> list[Site]:
        """The person's own sites."""
        user = self._request.user
        return own_sites(user) if isinstance(user, User) else []

    @cached_property
    def site(self) -> Site | None:
        """The one site whose rows the lists show; None for all of the person's."""
        if len(self.sites) == 1:
            return self.sites[0]
        chosen = self._request.session.get(SITE_KEY)
        return next((site for site in self.sites if site.pk == chosen), None)

    @cached_property
    def bell(self) -> Bell:
        """How many notices are new to the person, and how many reached nobody."""
        user = self._request.user
        return bell_of(user) if isinstance(user, User) else Bell()

    @property
    def zone(self) -> str:
        """The time zone of the clock: the chosen site's, else the first own one's."""
        site = self.site or (self.sites[0] if self.sites else None)
        return site.time_zone if site else "UTC"

    @cached_property
    def now(self) -> dt.datetime:
        """The trial's present moment on the clock of the site."""
        return trial_now().astimezone(ZoneInfo(self.zone))


ENVIRONMENTS = {
    "DEMO": _("Demo"),
    "TRAINING": _("Training"),
    "PRODUCTION": _("Production"),
    "TEST": _("Test"),
}


def own_sites(user: User) -> list[Site]:
    """The sites where a person holds any role, in the order of their codes, each with the name
    of the version in force there today, on its own calendar."""
    mine = Site.objects.filter(pk__in=user.access.sites())
    there = Func(OuterRef("time_zone"), Value(trial_now()), function="timezone")
    begun = SiteProtocolApproval.objects.filter(
        site=OuterRef("pk"), effective_on__lte=Cast(there, DateField())
    ).order_by("-effective_on", "-id")
    return list(mine.annotate(**{IN_FORCE: Subquery(begun.values("version__version")[:1])}))


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of the shell: environment, places, sites, clock."""
    found = getattr(request, "_shell", None) or Shell(request)
    request._shell = found  # type: ignore[attr-defined]
    return {"ENVIRONMENT": settings.ENVIRONMENT, "DEMO": settings.DEMO, "shell": found}


def shell_of(request: HttpRequest) -> Shell:
    """The same object for a view: its site and its clock are the page's."""
    found: Shell = shell(request)["shell"]
    return found
