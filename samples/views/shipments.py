"""Shipments: the list, one parcel, and what is done with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.manifest import manifest_csv, manifest_pdf
from samples.models import (
    ExportPermission,
    LineState,
    Shipment,
    ShipmentLine,
    ShipmentState,
)
from samples.selectors.codes import read_code
from samples.selectors.shipping import (
    consents_asked,
    days_overdue,
    permissions_at,
    questions,
    shipments_of,
)
from samples.services.shipment_log import lines_of
from samples.services.shipments import (
    arrive,
    cancel_shipment,
    change_route,
    close_shipment,
    draft_shipment,
    explain,
    hand_over,
    name_permission,
    report_missing,
    report_rest_missing,
)
from samples.shipment_forms import (
    ArrivalForm,
    DraftForm,
    HandOverForm,
    NamePermissionForm,
    RouteForm,
)
from samples.views.acting import GET_AND_POST, act_page, did, typed
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.core.clock import trial_now, trial_today

PAGE = 50
#: What is done with a parcel in which state, the usual act first.
_ACTS: dict[str, tuple[str, ...]] = {
    ShipmentState.PACKING: ("hand_over", "route", "permission", "cancel"),
    ShipmentState.SENT: ("arrived", "rest_missing", "close"),
    ShipmentState.RECEIVED: ("close", "rest_missing", "arrived"),
}
_WORDS: dict[str, Callable[[], str]] = {
    "hand_over": lambda: _("Hand over to the carrier"),
    "route": lambda: _("Change carrier, day or address"),
    "permission": lambda: _("Name the export permission"),
    "cancel": lambda: _("Cancel the shipment"),
    "arrived": lambda: _("The parcel has arrived"),
    "rest_missing": lambda: _("The rest is missing"),
    "close": lambda: _("Close the shipment"),
}


def shipment_for(request: StaffRequest, code: str, capability: Capability) -> Shipment:
    """The shipment, for somebody who has the capability at its site; else 404."""
    seen = Shipment.objects.visible_to(request.user, capability)
    return get_object_or_404(
        seen.select_related("site", "permission", "sent_by"), code=read_code(code)
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def shipments(request: StaffRequest) -> HttpResponse:
    """The shipments of the person's sites, the newest first, with what is open in each."""
    found = shipments_of(request.user).order_by("-opened_at", "code")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    now = trial_now()
    context = {
        "shipping": True,
        "page": page,
        "rows": [
            (each, days_overdue(each, now, unsettled=each.unsettled)) for each in page.object_list
        ],
        "may_ship": request.user.can(Capability.SHIP_SAMPLES),
    }
    return render(request, "samples/shipments.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def shipment(request: StaffRequest, code: str) -> HttpResponse:
    """One parcel: where it stands, its manifest, and what came of each line."""
    found = shipment_for(request, code, Capability.VIEW_CASEBOOK)
    lines = lines_of(found)
    unsettled = sum(not each.is_settled for each in lines)
    may_ship = request.user.can(Capability.SHIP_SAMPLES, site=found.site_id)
    context = {
        "shipping": True,
        "shipment": found,
        "lines": lines,
        "unsettled": unsettled,
        "listed": sum(not each.unexpected for each in lines),
        "received": sum(each.state == LineState.RECEIVED for each in lines if not each.unexpected),
        "overdue": days_overdue(found, trial_now(), unsettled=unsettled > 0),
        "asked": questions(consents_asked(found)),
        "may_ship": may_ship,
        "acts": _acts(found, lines) if may_ship else [],
    }
    return render(request, "samples/shipment.html", context)


def _acts(found: Shipment, lines: list[ShipmentLine]) -> list[tuple[str, str]]:
    """What can be done with the parcel as it is now."""
    waiting = any(each.state == LineState.PACKED for each in lines)
    unfit = set() if found.needs_permission else {"permission"}
    if not waiting:
        unfit |= {"rest_missing", "hand_over"}
    if found.state != ShipmentState.PACKING and any(not each.is_settled for each in lines):
        unfit.add("close")
    return [(each, _WORDS[each]()) for each in _ACTS.get(found.state, ()) if each not in unfit]


@requires(Capability.SHIP_SAMPLES)
@require_http_methods(GET_AND_POST)
def new(request: StaffRequest) -> HttpResponse:
    """Begin a shipment."""
    own = request.user.access.sites(Capability.SHIP_SAMPLES)
    sites = list(Site.objects.filter(pk__in=own, active=True).order_by("code"))
    form = DraftForm(typed(request), sites=sites, permissions=_permissions(sites))
    made: list[Shipment] = []
    if form.is_valid() and did(
        request, form, lambda: made.append(draft_shipment(by=request.user, **form.said))
    ):
        return _to(made[0], "samples:shipment_scan", "pack")
    context = {"form": form, "heading": _("New shipment"), "back": reverse("samples:shipments")}
    return render(request, "samples/act.html", context, status=422 if form.errors else 200)


def _permissions(sites: list[Site]) -> list[ExportPermission]:
    return [each for site in sites for each in permissions_at(site, on=trial_today(site.time_zone))]


def _to(found: Shipment, name: str, *more: str) -> HttpResponse:
    answer = HttpResponse(status=302)
    answer["Location"] = reverse(name, args=[found.code, *more])
    return answer


def _heading(name: str) -> str:
    return _WORDS[name]()


@requires(Capability.SHIP_SAMPLES)
@require_http_methods(GET_AND_POST)
def act(request: StaffRequest, code: str, name: str) -> HttpResponse:
    """One act on a parcel, on a page of its own."""
    if name not in _DOING:
        raise Http404
    found = shipment_for(request, code, Capability.SHIP_SAMPLES)
    form, doing = _DOING[name](request, found)
    return act_page(
        request,
        form=form,
        act=doing,
        done=_("Entered."),
        heading=_heading(name),
        back=reverse("samples:shipment", args=[found.code]),
        facts=[(_("Shipment"), found.code), (_("Destination"), found.destination)],
        danger=name in {"cancel", "rest_missing"},
    )


_Doing = tuple[forms.Form, Callable[[], object]]


def _hand_over(request: StaffRequest, found: Shipment) -> _Doing:
    form = HandOverForm(typed(request), shipment=found)
    return form, lambda: hand_over(by=request.user, shipment=found, **form.said)


def _arrived(request: StaffRequest, found: Shipment) -> _Doing:
    form = ArrivalForm(typed(request), initial={"receiver": found.received_by_name})
    return form, lambda: arrive(by=request.user, shipment=found, **form.said)


def _route(request: StaffRequest, found: Shipment) -> _Doing:
    names = ("address", "planned_on", "carrier", "cooling")
    form = RouteForm(typed(request), initial={each: getattr(found, each) for each in names})
    return form, lambda: change_route(by=request.user, shipment=found, route=form.route)


def _permission(request: StaffRequest, found: Shipment) -> _Doing:
    form = NamePermissionForm(typed(request), permissions=_permissions([found.site]))
    return form, lambda: name_permission(by=request.user, shipment=found, permission=form.chosen)


def _cancel(request: StaffRequest, found: Shipment) -> _Doing:
    form = ReasonForm(typed(request))
    return form, lambda: cancel_shipment(
        by=request.user, shipment=found, reason=form.cleaned_data["reason"]
    )


def _rest_missing(request: StaffRequest, found: Shipment) -> _Doing:
    form = ReasonForm(typed(request))
    return form, lambda: report_rest_missing(
        by=request.user, shipment=found, reason=form.cleaned_data["reason"]
    )


def _close(request: StaffRequest, found: Shipment) -> _Doing:
    form = forms.Form(typed(request))
    return form, lambda: close_shipment(by=request.user, shipment=found)


_DOING: dict[str, Callable[[StaffRequest, Shipment], _Doing]] = {
    "hand_over": _hand_over,
    "arrived": _arrived,
    "route": _route,
    "permission": _permission,
    "cancel": _cancel,
    "rest_missing": _rest_missing,
    "close": _close,
}


@requires(Capability.SHIP_SAMPLES)
@require_http_methods(GET_AND_POST)
def line(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Say of one line that it is missing, or how its discrepancy came about."""
    seen = ShipmentLine.objects.visible_to(request.user, Capability.SHIP_SAMPLES)
    found = get_object_or_404(seen.select_related("shipment", "aliquot"), pk=pk)
    mistaken = found.state == LineState.RECEIVED and "missing" in request.GET
    waiting = found.state == LineState.PACKED or mistaken
    initial = {} if mistaken else {"reason": found.explanation}
    form = ReasonForm(typed(request), initial=initial)
    doing = report_missing if waiting else explain
    facts: list[tuple[Any, Any]] = [
        (_("Shipment"), found.shipment.code),
        (_("Code"), found.code),
        (_("State"), found.get_state_display()),
    ]
    if found.condition:
        facts.append((_("Condition on arrival"), found.get_condition_display()))
    return act_page(
        request,
        form=form,
        act=lambda: doing(by=request.user, line=found, reason=form.cleaned_data["reason"]),
        done=_("Entered."),
        heading=_("It is missing") if waiting else _("Explain"),
        back=reverse("samples:shipment", args=[found.shipment.code]),
        facts=facts,
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def manifest(request: StaffRequest, code: str, kind: str) -> HttpResponse:
    """The manifest as PDF or CSV: codes, and no names."""
    if kind not in {"pdf", "csv"}:
        raise Http404
    found = shipment_for(request, code, Capability.VIEW_CASEBOOK)
    lines = lines_of(found)
    if kind == "pdf":
        content, media = manifest_pdf(found, lines), "application/pdf"
    else:
        content, media = manifest_csv(found, lines), "text/csv; charset=utf-8"
    answer = HttpResponse(content, content_type=media)
    way = "inline" if kind == "pdf" else "attachment"
    answer["Content-Disposition"] = f'{way}; filename="{found.code}.{kind}"'
    return answer
