"""Temperature excursions: told of a freezer, a rack or a box, with what was inside."""

from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.excursion_forms import ExcursionEndForm, ExcursionForm, ExcursionVoidForm, Place
from samples.models import Box, Freezer, Rack, StorageExcursion
from samples.selectors.excursions import excursions, lines_of_excursion
from samples.services.excursions import (
    end_storage_excursion,
    note_storage_excursion,
    void_storage_excursion,
)
from samples.views.acting import GET_AND_POST, act_page, typed
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires

PAGE = 50
LINES = 200


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def overview(request: StaffRequest) -> HttpResponse:
    """The excursions of the person's sites, the latest first."""
    context = {
        "page": Paginator(excursions(request.user), PAGE).get_page(request.GET.get("page")),
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES),
        "excursion_tab": True,
    }
    return render(request, "samples/excursions.html", context)


def _found(request: StaffRequest, pk: uuid.UUID, capability: Capability) -> StorageExcursion:
    seen = StorageExcursion.objects.visible_to(request.user, capability)
    named = seen.select_related(
        "site", "freezer", "rack__freezer", "box__rack__freezer", "entered_by", "voided_by"
    )
    return get_object_or_404(named, pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def one(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One excursion with every aliquot that was inside, and where it is now."""
    found = _found(request, pk, Capability.VIEW_CASEBOOK)
    lines = Paginator(lines_of_excursion(found, request.user), LINES)
    context = {
        "excursion": found,
        "page": lines.get_page(request.GET.get("page")),
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES, site=found.site_id),
        "excursion_tab": True,
    }
    return render(request, "samples/excursion.html", context)


def _places(request: StaffRequest) -> list[Place]:
    """Freezers in use, their racks, and the boxes, as the person may handle them."""
    user, may = request.user, Capability.HANDLE_SAMPLES
    freezers = Freezer.objects.visible_to(user, may).filter(retired_at=None)
    racks = Rack.objects.visible_to(user, may).filter(freezer__retired_at=None)
    boxes = Box.objects.visible_to(user, may)
    return [
        *freezers.select_related("site").order_by("site__code", "name"),
        *racks.select_related("site", "freezer").order_by("site__code", "freezer__name", "name"),
        *boxes.select_related("site", "rack__freezer").order_by("site__code", "code"),
    ]


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def new(request: StaffRequest) -> HttpResponse:
    """Tell that it was too warm; `?where=` names the place from which the person comes."""
    form = ExcursionForm(
        typed(request),
        places=_places(request),
        initial={"where": request.GET.get("where", "")},
    )
    made: list[StorageExcursion] = []
    return act_page(
        request,
        form=form,
        act=lambda: made.append(note_storage_excursion(by=request.user, **form.said)),
        done=_("Entered. What was inside is listed, and a deviation is proposed."),
        heading=_("Enter a temperature excursion"),
        back=lambda: (
            reverse("samples:excursion", args=[made[0].pk])
            if made
            else reverse("samples:excursions")
        ),
    )


def _facts(found: StorageExcursion) -> list[tuple[str, object]]:
    return [
        (_("Location"), found.where),
        (_("Too warm from"), f"{found.began_at:%Y-%m-%d %H:%M}"),
        (_("What happened"), found.what),
    ]


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def end(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """It is cold again; or its end and temperature are put right."""
    found = _found(request, pk, Capability.HANDLE_SAMPLES)
    known = {"ended_at": found.ended_at, "celsius": found.celsius, "version": found.version}
    form = ExcursionEndForm(typed(request), initial=known)
    return act_page(
        request,
        form=form,
        act=lambda: end_storage_excursion(
            excursion=found,
            ended_at=form.moment,
            celsius=form.cleaned_data["celsius"],
            base_version=form.cleaned_data["version"],
            by=request.user,
        ),
        done=_("Entered."),
        heading=_("Put the end right") if found.ended_at else _("It is cold again"),
        back=reverse("samples:excursion", args=[found.pk]),
        facts=_facts(found),
    )


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def void(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """It was never so."""
    found = _found(request, pk, Capability.HANDLE_SAMPLES)
    form = ExcursionVoidForm(typed(request), initial={"version": found.version})
    return act_page(
        request,
        form=form,
        act=lambda: void_storage_excursion(
            excursion=found,
            reason=form.cleaned_data["reason"],
            base_version=form.cleaned_data["version"],
            by=request.user,
        ),
        done=_("Voided."),
        heading=_("Void the excursion"),
        back=reverse("samples:excursion", args=[found.pk]),
        facts=_facts(found),
        danger=True,
    )
