"""Window compliance as a table whose every figure opens to its visits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import Visit
from trialsite.casebook.windows import Window
from trialsite.dashboard.compliance import DEFINITIONS, DUE, Kept, blocks_of, dated, lines_of
from trialsite.dashboard.datasets import API
from trialsite.dashboard.shell import shell_of
from trialsite.dashboard.study import visit_name

PAGE = 50
#: What a list can be narrowed to: one box, or all that are due.
_STATES: dict[str, tuple[str, ...]] = {"due": DUE, **{kept.value: (kept,) for kept in Kept}}


def _sites(request: StaffRequest) -> list[Site]:
    """The sites that the page is about: the chosen one, else all of the person's."""
    own = request.user.access.sites(Capability.VIEW_CASEBOOK)
    frame = shell_of(request)
    return [
        site
        for site in frame.sites
        if site.pk in own and (frame.site is None or site.pk == frame.site.pk)
    ]


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def compliance(request: StaffRequest) -> HttpResponse:
    """How the visits of the person's sites keep their windows, by site and event."""
    sites = _sites(request)
    visits = Visit.objects.visible_to(request.user).at([site.pk for site in sites])
    lines = lines_of(visits, now=shell_of(request).now, sites=sites)
    may_export = request.user.can(Capability.EXPORT)
    context = {
        "blocks": blocks_of(lines),
        "definitions": DEFINITIONS,
        "csv_url": f"{API}datasets/compliance/?format=csv" if may_export else "",
    }
    return render(request, "dashboard/compliance.html", context)


@dataclass(frozen=True, slots=True)
class Line:
    """One visit of the list behind a figure."""

    visit: Visit
    name: str
    window: Window
    kept: Kept
    days: int


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def compliance_visits(request: StaffRequest) -> HttpResponse:
    """The visits behind a figure: narrowed by site, event and where they stand."""
    sites = _sites(request)
    asked = {name: request.GET.get(name, "") for name in ("site", "event", "state")}
    rows = Visit.objects.visible_to(request.user).at([site.pk for site in sites])
    if any(site.code == asked["site"] for site in sites):
        rows = rows.filter(site__code=asked["site"])
    if asked["event"]:
        rows = rows.filter(event_oid=asked["event"][:20])
    found = dated(rows, now=shell_of(request).now, sites=sites)
    if asked["state"] in _STATES:
        found = found.filter(kept__in=_STATES[asked["state"]])
    ordered = found.select_related("subject", "site").order_by(
        "target_on", "site__code", "subject__screening_number", "visit_number", "pk"
    )
    page = Paginator(ordered, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": list(_lines(page.object_list)),
        "asked": asked,
        "sites": sites,
        "states": [("due", DEFINITIONS[0].title), *Kept.choices],
    }
    return render(request, "dashboard/compliance_visits.html", context)


def _lines(visits: Iterable[Any]) -> Iterable[Line]:
    for visit in visits:
        window = Window.of(visit)
        assert window is not None
        yield Line(visit, visit_name(visit), window, Kept(visit.kept), visit.outside.days)
