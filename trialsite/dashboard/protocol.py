"""The protocol as a page: its versions, where each is in force, and the file to load."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, open_to_staff, requires
from trialsite.access.models import Site, User
from trialsite.access.signing import statement
from trialsite.casebook.models import ProtocolVersion, SiteProtocolApproval
from trialsite.casebook.protocols import approve_version, protocol_of, register_version
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.registry import forms, items_by_oid
from trialsite.dashboard.assumptions import ConfirmForm, assumption_groups
from trialsite.dashboard.shell import own_sites, shell_of
from trialsite.dashboard.study import form_title
from trialsite.protocol import Problem, Protocol, ProtocolError, StudyEventDef, load
from trialsite.review.assumptions import CONFIRM_MEANING

READERS = (Capability.VIEW_CASEBOOK, Capability.CONFIGURE_STUDY, Capability.MANAGE_PEOPLE)


@dataclass(frozen=True, slots=True)
class ServerFile:
    """The protocol file as it stands on the server at this moment."""

    name: str
    protocol: Protocol | None = None
    problems: tuple[Problem, ...] = ()
    absent: bool = False
    #: The version of this number in the database, and whether it has this content.
    registered: ProtocolVersion | None = None

    @property
    def loaded(self) -> bool:
        return self._same_content is True

    @property
    def clashes(self) -> bool:
        """Its number is taken by another content."""
        return self._same_content is False

    @property
    def _same_content(self) -> bool | None:
        if self.protocol is None or self.registered is None:
            return None
        return self.registered.content_hash == self.protocol.content_hash


def server_file() -> ServerFile:
    """The file read anew, checked against the forms that exist here."""
    path = Path(settings.PROTOCOL_FILE)
    try:
        protocol = load(path, known_forms=forms(), known_items=items_by_oid())
    except OSError:
        return ServerFile(path.name, absent=True)
    except ProtocolError as error:
        return ServerFile(path.name, problems=error.problems)
    registered = ProtocolVersion.objects.filter(version=protocol.version).first()
    return ServerFile(path.name, protocol, registered=registered)


@dataclass(frozen=True, slots=True)
class SiteLine:
    """What a site works under today, and what comes."""

    site: Site
    in_force: SiteProtocolApproval | None
    coming: list[SiteProtocolApproval]


def site_lines(sites: list[Site]) -> list[SiteLine]:
    """In force is what `version_in_force` says; each site's day is its own."""
    now = trial_now()
    approvals = SiteProtocolApproval.objects.filter(site__in=sites).select_related("version")
    ordered = approvals.order_by("site_id", "effective_on", "id")
    by_site = {key: list(rows) for key, rows in groupby(ordered, key=lambda each: each.site_id)}
    return [
        _site_line(site, by_site.get(site.pk, []), now.astimezone(ZoneInfo(site.time_zone)).date())
        for site in sites
    ]


def _site_line(site: Site, approvals: list[SiteProtocolApproval], today: dt.date) -> SiteLine:
    begun = [each for each in approvals if each.effective_on <= today]
    return SiteLine(site, begun[-1] if begun else None, approvals[len(begun) :])


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event of the schedule in words."""

    event: StudyEventDef
    name: str
    visitnum: str
    forms: list[str]
    optional_forms: list[str]


def event_line(event: StudyEventDef) -> EventLine:
    numbers = event.visitnums
    return EventLine(
        event,
        event.name.in_language(get_language() or "en"),
        f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else "".join(map(str, numbers)),
        [form_title(oid) for oid in event.forms],
        [form_title(oid) for oid in event.optional_forms],
    )


def configurable_sites(user: User) -> list[Site]:
    """Where the person may put a version in force."""
    return [
        site
        for site in own_sites(user)
        if site.active and user.can(Capability.CONFIGURE_STUDY, site=site)
    ]


def _shown_version(
    request: HttpRequest, versions: list[ProtocolVersion], lines: list[SiteLine]
) -> ProtocolVersion | None:
    """The version asked for; else the one in force at the chosen site, at any of one's
    sites; else the newest."""
    asked = request.GET.get("version")
    if asked is not None:
        found = next((each for each in versions if each.version == asked), None)
        if found is None:
            raise Http404
        return found
    chosen = shell_of(request).site
    in_force = [line.in_force for line in lines if line.in_force]
    here = [each for each in in_force if chosen and each.site_id == chosen.pk]
    current = max(here or in_force, key=lambda each: each.effective_on, default=None)
    if current is not None:
        return current.version
    return versions[-1] if versions else None


@open_to_staff
@require_safe
def protocol(request: StaffRequest) -> HttpResponse:
    """Versions, sites, schedule, assumptions, and the file on the server."""
    if not any(request.user.can(each) for each in READERS):
        raise NotPermittedError(
            _("The protocol is read by those who work with casebooks or sites.")
        )
    return protocol_page(request)


def protocol_page(
    request: StaffRequest,
    *,
    error: str = "",
    version: ProtocolVersion | None = None,
    confirming: ConfirmForm | None = None,
) -> HttpResponse:
    """The page; after a refusal with what was typed, and with the version it was typed for."""
    user = request.user
    lines = site_lines(own_sites(user))
    versions = list(ProtocolVersion.objects.all())
    file = server_file()
    version = version or _shown_version(request, versions, lines)
    shown = protocol_of(version.pk) if version else file.protocol
    context = {
        "versions": versions,
        "lines": lines,
        "file": file,
        "version": version,
        "shown": shown,
        "events": [event_line(event) for event in shown.schedule.events] if shown else [],
        "anchor": shown.anchor.printed.in_language(get_language() or "en") if shown else "",
        **(_assumptions(request, shown, version, confirming) if shown else {}),
        "may_configure": user.can(Capability.CONFIGURE_STUDY),
        "approvable": configurable_sites(user),
        "error": error,
        "typed": request.POST,
    }
    refused = error or confirming is not None
    return render(request, "dashboard/protocol.html", context, status=422 if refused else 200)


def _assumptions(
    request: StaffRequest,
    shown: Protocol,
    version: ProtocolVersion | None,
    confirming: ConfirmForm | None,
) -> dict[str, Any]:
    groups = assumption_groups(shown, version, request.POST if confirming else None)
    found: dict[str, Any] = {"groups": groups, "open_count": sum(each.open for each in groups)}
    by = request.user
    if version is not None and by.access.study_wide(Capability.CONFIGURE_STUDY):
        found["form"] = confirming or ConfirmForm(request=request, open_now=[])
        found["statement"] = statement(by=by, meaning=CONFIRM_MEANING)
    return found


@requires(Capability.CONFIGURE_STUDY)
@require_POST
def load_file(request: StaffRequest) -> HttpResponse:
    """Keep the file on the server as a version of the study."""
    try:
        version = register_version(
            Path(settings.PROTOCOL_FILE),
            by=request.user,
            known_forms=forms(),
            known_items=items_by_oid(),
            seen_hash=request.POST.get("hash", ""),
        )
    except NotPermittedError:
        raise
    except (OSError, ProtocolError):
        return protocol_page(
            request, error=_("The file cannot be used. What is wrong stands below.")
        )
    except DomainError as refused:
        return protocol_page(request, error=str(refused))
    messages.success(
        request,
        _("Version %(version)s is loaded. It is in force nowhere until you put it in force.")
        % {"version": version.version},
    )
    return redirect("dashboard:protocol")


@requires(Capability.CONFIGURE_STUDY)
@require_POST
def approve(request: StaffRequest) -> HttpResponse:
    """Put a version in force at a site from a day on."""
    typed = request.POST
    sites = {str(site.pk): site for site in configurable_sites(request.user)}
    site = sites.get(typed.get("site", ""))
    version = ProtocolVersion.objects.filter(version=typed.get("version", "")).first()
    effective_on = _date(typed.get("effective_on", ""))
    if site is None or version is None or effective_on is None:
        return protocol_page(
            request, error=_("Choose the site, the version and the first day in force.")
        )
    try:
        approval = approve_version(
            site=site,
            version=version,
            effective_on=effective_on,
            by=request.user,
            reference=typed.get("reference", "")[:500],
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        return protocol_page(request, error=str(refused))
    messages.success(
        request,
        _("Version %(version)s is in force at site %(site)s from %(date)s.")
        % {
            "version": version.version,
            "site": site.code,
            "date": approval.effective_on.isoformat(),
        },
    )
    return redirect("dashboard:protocol")


def _date(text: str) -> dt.date | None:
    """A real calendar date, or None."""
    try:
        return parse_date(text)
    except ValueError:
        return None
