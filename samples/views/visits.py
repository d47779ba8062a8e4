"""The samples of one visit: expected, labelled, collected; and the list of what is missing."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from samples.forms import NotCollectedForm, PrepareForm
from samples.models import NotCollected
from samples.selectors.destruction import open_destructions
from samples.selectors.plan import KindOfVisit, missing_samples, samples_of_visit
from samples.selectors.shipping import overdue_shipments
from samples.selectors.waiting import to_freeze
from samples.services.expectations import state_not_collected, take_back_statement
from samples.services.specimens import prepare_specimens
from samples.views.acting import GET_AND_POST, act_page, did, typed
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import visit_name
from trialsite.core.clock import trial_now


def visit_for(request: StaffRequest, pk: uuid.UUID, capability: Capability) -> Visit:
    """The visit, for somebody who has the capability at its site; else 404."""
    seen = Visit.objects.visible_to(request.user, capability)
    return get_object_or_404(seen.select_related("subject__site", "site"), pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def overview(request: StaffRequest) -> HttpResponse:
    """What is to be frozen, the most urgent first, and what is missing at visits."""
    sites, now = request.user.access.sites(Capability.VIEW_CASEBOOK), trial_now()
    context = {
        "destroying": open_destructions(request.user),
        "freezing": to_freeze(request.user, now=now),
        "late_shipments": overdue_shipments(request.user, now=now),
        "missing": missing_samples(sites),
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES),
    }
    return render(request, "samples/overview.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def visit(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The sample plan of one visit beside what there is."""
    return _page(request, visit_for(request, pk, Capability.VIEW_CASEBOOK))


def _page(
    request: StaffRequest, found: Visit, refused: dict[str, Any] | None = None
) -> HttpResponse:
    samples = samples_of_visit(found)
    refused = refused or {}
    context = {
        "visit": found,
        "name": visit_name(found),
        "samples": samples,
        "rows": [_row(kind, refused) for kind in samples.kinds],
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES, site=found.site_id),
    }
    return render(request, "samples/visit.html", context, status=422 if refused else 200)


def _row(kind: KindOfVisit, refused: dict[str, Any]) -> dict[str, Any]:
    prepare = PrepareForm(
        initial={"kind": kind.key, "count": kind.to_label or 1}, auto_id=f"p-{kind.key}-%s"
    )
    not_collected = NotCollectedForm(initial={"kind": kind.key}, auto_id=f"n-{kind.key}-%s")
    return {
        "kind": kind,
        "prepare": refused.get(f"prepare:{kind.key}", prepare),
        "not_collected": refused.get(f"not_collected:{kind.key}", not_collected),
        "open": next((name for name in refused if name.endswith(f":{kind.key}")), ""),
    }


@requires(Capability.HANDLE_SAMPLES)
@require_POST
def prepare(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Give numbers to tubes; then their labels are printed."""
    found = visit_for(request, pk, Capability.HANDLE_SAMPLES)
    kind = request.POST.get("kind", "")[:20]
    form = PrepareForm(request.POST, auto_id=f"p-{kind}-%s")
    if form.is_valid() and did(
        request, form, lambda: prepare_specimens(visit=found, by=request.user, **form.cleaned_data)
    ):
        count = form.cleaned_data["count"]
        said = ngettext("%(count)d tube has its number.", "%(count)d tubes have numbers.", count)
        messages.success(request, said % {"count": count})
        return redirect("samples:visit", found.pk)
    return _page(request, found, {f"prepare:{kind}": form})


@requires(Capability.HANDLE_SAMPLES)
@require_POST
def prepare_all(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Give numbers to every tube of the plan that has none yet."""
    found = visit_for(request, pk, Capability.HANDLE_SAMPLES)
    form = PrepareForm(request.POST)
    for kind in samples_of_visit(found).kinds:
        wanted = 0 if kind.optional or kind.statement else kind.to_label
        if wanted and not did(
            request,
            form,
            lambda key=kind.key, count=wanted: prepare_specimens(  # type: ignore[misc]
                visit=found, kind=key, count=count, by=request.user
            ),
        ):
            for text in form.non_field_errors():
                messages.error(request, str(text))
            break
    return redirect("samples:visit", found.pk)


@requires(Capability.HANDLE_SAMPLES)
@require_POST
def not_collected(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """State why a planned specimen was not collected."""
    found = visit_for(request, pk, Capability.HANDLE_SAMPLES)
    kind = request.POST.get("kind", "")[:20]
    form = NotCollectedForm(request.POST, auto_id=f"n-{kind}-%s")
    if form.is_valid() and did(
        request,
        form,
        lambda: state_not_collected(visit=found, by=request.user, **form.cleaned_data),
    ):
        messages.success(request, _("Stated as not collected."))
        return redirect("samples:visit", found.pk)
    return _page(request, found, {f"not_collected:{kind}": form})


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def take_back(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back that something was not collected."""
    seen = NotCollected.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    statement = get_object_or_404(seen.select_related("visit__subject"), pk=pk)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: take_back_statement(
            statement=statement, reason=form.cleaned_data["reason"], by=request.user
        ),
        done=_("The statement is taken back."),
        heading=_("Take back “not collected”"),
        back=reverse("samples:visit", args=[statement.visit_id]),
        facts=[
            (_("Subject"), statement.visit.subject.label),
            (_("Visit"), visit_name(statement.visit)),
            (_("Why not collected"), statement.get_reason_display()),
        ],
    )
