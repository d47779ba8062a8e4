"""The study overview, and the rows behind each of its figures."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.dashboard.compliance import DEFINITIONS, Kept
from trialsite.dashboard.overview.board import board_of
from trialsite.dashboard.overview.conduct import STATES, VISIT_STATES
from trialsite.dashboard.overview.figures import FIGURES
from trialsite.dashboard.overview.rows import listing
from trialsite.dashboard.overview.scope import Scope, scope_of
from trialsite.dashboard.overview.tiles import tiles_of
from trialsite.dashboard.shell import shell_of
from visits.models.session_codes import ComplicationSeverity

PAGE = 50
#: The columns of the visits, as the page of window compliance defines them.
DEFINITION = {each.key: each for each in DEFINITIONS}
_LAST = (Kept.NOT_YET_DUE,)


def _scope(request: StaffRequest) -> Scope:
    frame = shell_of(request)
    return scope_of(request.user, now=frame.now, site=frame.site)


@requires(Capability.VIEW_OVERVIEW)
@require_safe
def overview(request: StaffRequest) -> HttpResponse:
    """The study of the person's sites at a glance."""
    scope = _scope(request)
    board = board_of(scope)
    context = {
        "scope": scope,
        "board": board,
        "figures": FIGURES,
        "states": STATES,
        "severities": [each.label for each in ComplicationSeverity],
        "visit_headings": [DEFINITION[key] for key in (*VISIT_STATES, "percent", *_LAST)],
        "tiles": tiles_of(board),
        "several": len(scope.sites) > 1,
    }
    return render(request, "dashboard/overview.html", context)


#: Its sections are read one after the other, and add up.
overview.one_moment = True  # type: ignore[attr-defined]


@requires(Capability.VIEW_OVERVIEW)
@require_safe
def overview_rows(request: StaffRequest, figure: str) -> HttpResponse:
    """The rows that a figure counts; who may not read them finds none of the lists."""
    scope: Scope | None = _scope(request)
    known, code = FIGURES.get(figure), request.GET.get("site", "")
    if code and scope is not None:
        scope = scope.at(code)
    if known is None or scope is None or not scope.may_open(known.needs):
        raise Http404
    found = listing(figure, scope, request.GET.get("part", ""))
    if found is None:
        raise Http404
    page = Paginator(found.found, PAGE).get_page(request.GET.get("page"))
    context = {
        "scope": scope,
        "figure": known,
        "listing": found,
        "page": page,
        "rows": found.show(page.object_list),
        "asked": {name: request.GET.get(name, "") for name in ("part", "site")},
    }
    return render(request, "dashboard/overview_rows.html", context)
