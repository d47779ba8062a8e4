"""Today, by role, and the lists behind its figures."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from outcomes.selectors.survival import unknown_survival
from samples.selectors.destruction import open_destructions
from samples.selectors.shipping import overdue_shipments
from samples.selectors.waiting import to_freeze
from screening.selectors.log import waiting_of
from trialsite.access.capabilities import Capability, Role
from trialsite.access.http import StaffRequest, open_to_staff, requires
from trialsite.casebook.models import Subject
from trialsite.casebook.windows import Lane
from trialsite.dashboard.beside import (
    asked,
    drafts_of,
    queries_of,
    unresolved_queries,
    waiting_queries,
)
from trialsite.dashboard.board import (
    WORDS,
    Section,
    Waiting,
    proposed_holds,
    sections_of,
    serious_events,
    sites_of,
    standing_holds,
    to_decide,
)
from trialsite.dashboard.oversight import people_lines, sample_lines, site_lines
from trialsite.dashboard.owed import owed_forms
from trialsite.dashboard.sessions import sessions_of
from trialsite.dashboard.shell import shell_of
from trialsite.dashboard.study import form_title, visit_name
from trialsite.dashboard.worklist import LaneOfToday, lanes_of
from trialsite.review.models import QueryStatus

PAGE = 50
#: Investigators see what needs them; the whole day's list is the nurse's.
_PRESSING = (Lane.OVERDUE, Lane.CLOSING)


@open_to_staff
@require_safe
def today(request: StaffRequest) -> HttpResponse:
    """What waits for the person, by the roles held at the site that is shown."""
    user, frame = request.user, shell_of(request)
    roles = user.access.roles(frame.site.pk if frame.site else None)
    sections = sections_of(roles)
    parts = {name: _PARTS[name](request) for name in Section if name in sections & {*_PARTS}}
    context: dict[str, Any] = {
        "sections": {name.value for name in sections},
        "words": [WORDS[role] for role in roles],
        "sees_casebook": user.can(Capability.VIEW_CASEBOOK),
        "sees_overview": user.can(Capability.VIEW_OVERVIEW),
        "may_add": user.can(Capability.SCREEN),
        "may_report": user.can(Capability.REPORT_SAE),
    }
    for part in parts.values():
        context |= part
    if Section.SIGNING in sections:
        context["decisions"] = to_decide(context["screening"])
    if Section.BOARD in sections:
        context["tiles"] = _tiles(request, roles, context)
    return render(request, "dashboard/today.html", context)


def _site_id(request: StaffRequest) -> int | None:
    site = shell_of(request).site
    return site.pk if site else None


def _own(request: StaffRequest) -> Any:
    frame = shell_of(request)
    return sites_of(request.user, frame.sites, frame.site)


def _tiles(request: StaffRequest, roles: tuple[Role, ...], found: dict[str, Any]) -> Any:
    sites = _own(request)
    holds = found["holds"] if "holds" in found else standing_holds(request.user, sites)
    waiting = Waiting(
        user=request.user,
        sites=sites,
        now=shell_of(request).now,
        decisions=len(found.get("decisions", ())),
        serious=len(found.get("serious", ())),
        holds=len(holds),
        proposals=len(found.get("proposals", ())),
    )
    return waiting.tiles(roles)


def _lanes(request: StaffRequest) -> dict[str, Any]:
    site_id, now = _site_id(request), shell_of(request).now
    lanes = lanes_of(request.user, now=now, site_id=site_id)
    all_lanes = Role.RESEARCH_NURSE in request.user.access.roles(site_id)
    return {
        "lanes": [lane for lane in lanes if _is_shown(lane, all_lanes=all_lanes)],
        "all_lanes": all_lanes,
        "any_subject": Subject.objects.visible_to(request.user).exists(),
        "unknown": unknown_survival(
            request.user, now=now, sites=None if site_id is None else [site_id]
        ),
    }


def _is_shown(lane: LaneOfToday, *, all_lanes: bool) -> bool:
    return bool(lane.rows) and (all_lanes or lane.key in _PRESSING)


def _safety(request: StaffRequest) -> dict[str, Any]:
    user, sites = request.user, _own(request)
    return {
        "serious": serious_events(user, sites),
        "holds": standing_holds(user, sites),
        "proposals": proposed_holds(user, sites),
    }


def _screening(request: StaffRequest) -> dict[str, Any]:
    now = shell_of(request).now
    return {"screening": waiting_of(request.user, now=now, site_id=_site_id(request))}


def _sessions(request: StaffRequest) -> dict[str, Any]:
    now = shell_of(request).now
    return {"sessions": sessions_of(request.user, now=now, site_id=_site_id(request))}


#: What reads the data of each section; the order is that of `Section`.
_PARTS: dict[Section, Any] = {
    Section.LANES: _lanes,
    Section.SAFETY: _safety,
    Section.SITES: lambda request: {
        "site_lines": site_lines(request.user, _own(request), now=shell_of(request).now)
    },
    Section.SAMPLES: lambda request: {
        "sample_lines": sample_lines(
            request.user, now=shell_of(request).now, site_id=_site_id(request)
        )
    },
    Section.FREEZING: lambda request: {
        "freezing": to_freeze(
            request.user, now=shell_of(request).now, site_id=_site_id(request), limit=50
        ),
        "destroying": open_destructions(request.user, _site_id(request)),
        "late_shipments": overdue_shipments(
            request.user, now=shell_of(request).now, site_id=_site_id(request)
        ),
    },
    Section.PEOPLE: lambda request: {
        "people": people_lines(request.user, now=shell_of(request).now)
    },
    Section.SESSIONS: _sessions,
    Section.SCREENING: _screening,
    Section.DRAFTS: lambda request: {"drafts": drafts_of(request.user)},
    Section.QUERIES: lambda request: {
        "queries": queries_of(request.user, site_id=_site_id(request))
    },
}


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def owed(request: StaffRequest) -> HttpResponse:
    """The forms still to be entered after visits that took place."""
    asked_site = request.GET.get("site", "")
    own = _own(request)
    sites = [site for site in own if site.code == asked_site] or own
    rows = owed_forms(request.user, sites).select_related("record", "visit", "subject", "site")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    lines = [
        (row, form_title(row.record.form_oid), visit_name(row.visit)) for row in page.object_list
    ]
    return render(request, "dashboard/owed_forms.html", {"page": page, "lines": lines})


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def queries(request: StaffRequest) -> HttpResponse:
    """Every query that waits for the person, oldest first; of one site or state where asked."""
    own = _own(request)
    status = request.GET.get("status", "")
    sites = [site.pk for site in own if site.code == request.GET.get("site", "")]
    if status in (QueryStatus.OPEN, QueryStatus.ANSWERED):
        rows = unresolved_queries(request.user, status)
    else:
        status, rows = "", waiting_queries(request.user)
    page = Paginator(rows.at(sites or [site.pk for site in own]), PAGE).get_page(
        request.GET.get("page")
    )
    answering = request.user.can(Capability.ANSWER_QUERY)
    context = {
        "page": page,
        "lines": asked(page.object_list),
        "answering": answering,
        "status": QueryStatus(status).label if status else "",
    }
    return render(request, "dashboard/queries.html", context)
