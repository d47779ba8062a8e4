"""Freezers, racks, boxes as grids; moving one aliquot or a whole box."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.models import Aliquot, AliquotState, Box, Freezer, Rack, StorageExcursion
from samples.selectors.codes import read_code
from samples.services.aliquots import free_positions, move_aliquots
from samples.services.storage import (
    add_box,
    add_freezer,
    add_rack,
    close_box,
    move_box,
    retire_freezer,
)
from samples.storage_forms import (
    BoxForm,
    CloseBoxForm,
    FreezerForm,
    MoveAliquotForm,
    MoveBoxForm,
    RackForm,
)
from samples.views.acting import GET_AND_POST, act_page, typed
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site


@dataclass(frozen=True, slots=True)
class Cell:
    """One position of a box; an aliquot the person may not see is taken, and no more."""

    name: str
    aliquot: Aliquot | None
    taken: bool


def grid_of(box: Box, user: Any) -> list[tuple[str, list[Cell]]]:
    """The rows of a box with their positions; two queries."""
    rows = Aliquot.objects.visible_to(user).filter(box=box)
    seen = {
        each.position: each for each in rows.select_related("specimen__visit", "specimen__subject")
    }
    free = set(free_positions(box))
    grid = []
    for row in range(box.rows):
        first = row * box.columns + 1
        cells = [
            Cell(box.position_name(place), seen.get(place), place not in free)
            for place in range(first, first + box.columns)
        ]
        grid.append((box.position_name(first)[0], cells))
    return grid


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def freezers(request: StaffRequest) -> HttpResponse:
    """The freezers of the person's sites with their racks and boxes."""
    found = Freezer.objects.visible_to(request.user).filter(retired_at=None)
    boxes = Box.objects.annotate(taken=Count("aliquots"))
    context = {
        "freezers": found.select_related("site")
        .prefetch_related(Prefetch("racks__boxes", boxes.order_by("place")))
        .annotate(
            has_boxes=Exists(Box.objects.filter(rack__freezer=OuterRef("pk"))),
            too_warm=Exists(
                StorageExcursion.objects.standing().filter(ended_at=None, freezer=OuterRef("pk"))
            ),
        )
        .order_by("site__code", "name"),
        "loose": Box.objects.visible_to(request.user).filter(rack=None).order_by("code"),
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES),
        "may_manage": request.user.can(Capability.MANAGE_STORAGE),
    }
    return render(request, "samples/freezers.html", context)


def box_for(request: StaffRequest, code: str, capability: Capability) -> Box:
    seen = Box.objects.visible_to(request.user, capability)
    return get_object_or_404(seen.select_related("site", "rack__freezer"), code=read_code(code))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def box(request: StaffRequest, code: str) -> HttpResponse:
    """One box as a grid of positions."""
    found = box_for(request, code, Capability.VIEW_CASEBOOK)
    grid = grid_of(found, request.user)
    taken = sum(cell.taken for _row, cells in grid for cell in cells)
    free = [cell.name for _row, cells in grid for cell in cells if not cell.taken]
    context = {
        "box": found,
        "grid": grid,
        "columns": range(1, found.columns + 1),
        "taken": taken,
        "free": free[:5],
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES, site=found.site_id),
        "may_manage": request.user.can(Capability.MANAGE_STORAGE, site=found.site_id),
    }
    return render(request, "samples/box.html", context)


def _sites(request: StaffRequest) -> list[Site]:
    own = request.user.access.sites(Capability.MANAGE_STORAGE)
    return list(Site.objects.filter(pk__in=own, active=True).order_by("code"))


@requires(Capability.MANAGE_STORAGE)
@require_http_methods(GET_AND_POST)
def new_freezer(request: StaffRequest) -> HttpResponse:
    """Enter a freezer with its racks."""
    form = FreezerForm(typed(request), sites=_sites(request))
    return act_page(
        request,
        form=form,
        act=lambda: add_freezer(**form.said, by=request.user),
        done=_("The freezer is entered."),
        heading=_("Enter a freezer"),
        back=reverse("samples:freezers"),
    )


def _freezer(request: StaffRequest, pk: uuid.UUID) -> Freezer:
    seen = Freezer.objects.visible_to(request.user, Capability.MANAGE_STORAGE)
    return get_object_or_404(seen.select_related("site"), pk=pk)


@requires(Capability.MANAGE_STORAGE)
@require_http_methods(GET_AND_POST)
def new_rack(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Enter one more rack of a freezer."""
    freezer, form = _freezer(request, pk), RackForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: add_rack(freezer=freezer, by=request.user, **form.cleaned_data),
        done=_("The rack is entered."),
        heading=_("Enter a rack"),
        back=reverse("samples:freezers"),
        facts=[(_("Freezer"), freezer.name)],
    )


@requires(Capability.MANAGE_STORAGE)
@require_http_methods(GET_AND_POST)
def retire(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take an empty freezer out of use."""
    freezer, form = _freezer(request, pk), ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: retire_freezer(
            freezer=freezer, reason=form.cleaned_data["reason"], by=request.user
        ),
        done=_("The freezer is out of use."),
        heading=_("Take the freezer out of use"),
        back=reverse("samples:freezers"),
        facts=[(_("Freezer"), freezer.name), (_("Site"), freezer.site)],
        danger=True,
    )


def _racks(request: StaffRequest, capability: Capability, site_id: int | None = None) -> list[Rack]:
    rows = Rack.objects.visible_to(request.user, capability).filter(freezer__retired_at=None)
    rows = rows if site_id is None else rows.filter(site=site_id)
    return list(rows.select_related("freezer", "site").order_by("site__code", "freezer", "name"))


@requires(Capability.MANAGE_STORAGE)
@require_http_methods(GET_AND_POST)
def new_box(request: StaffRequest) -> HttpResponse:
    """Enter a box at a place of a rack."""
    form = BoxForm(typed(request), racks=_racks(request, Capability.MANAGE_STORAGE))
    return act_page(
        request,
        form=form,
        act=lambda: add_box(**form.said, by=request.user),
        done=_("The box is entered. Put its label on it."),
        heading=_("Enter a box"),
        back=reverse("samples:freezers"),
    )


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def box_elsewhere(request: StaffRequest, code: str) -> HttpResponse:
    """Put a whole box into another rack, or take it out."""
    found = box_for(request, code, Capability.HANDLE_SAMPLES)
    racks = _racks(request, Capability.HANDLE_SAMPLES, found.site_id)
    form = MoveBoxForm(typed(request), racks=racks)
    return act_page(
        request,
        form=form,
        act=lambda: move_box(box=found, by=request.user, **form.said),
        done=_("The box has its new place."),
        heading=_("Move the whole box"),
        back=reverse("samples:box", args=[found.code]),
        facts=[
            (_("Box"), found.code),
            (_("Location"), f"{found.rack} / {found.place}" if found.rack else _("in no rack")),
        ],
    )


@requires(Capability.MANAGE_STORAGE)
@require_http_methods(GET_AND_POST)
def box_closed(request: StaffRequest, code: str) -> HttpResponse:
    """Close a box, or open it again."""
    found = box_for(request, code, Capability.MANAGE_STORAGE)
    form = CloseBoxForm(typed(request))
    heading = _("Open the box again") if found.closed else _("Close the box")
    return act_page(
        request,
        form=form,
        act=lambda: close_box(box=found, closed=not found.closed, by=request.user),
        done=_("Entered."),
        heading=heading,
        back=reverse("samples:box", args=[found.code]),
        facts=[(_("Box"), found.code)],
    )


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def move_one(request: StaffRequest, code: str) -> HttpResponse:
    """Move one stored aliquot into a box that is scanned, at a position named or free."""
    seen = Aliquot.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    aliquot = get_object_or_404(seen.select_related("box", "site"), code=read_code(code))
    if aliquot.state != AliquotState.STORED:
        raise Http404
    boxes = Box.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    form = MoveAliquotForm(typed(request), boxes=boxes)
    return act_page(
        request,
        form=form,
        act=lambda: move_aliquots(
            aliquots=[aliquot], box=form.box, positions=form.positions, by=request.user
        ),
        done=_("The aliquot is moved."),
        heading=_("Move the aliquot"),
        back=reverse("samples:sample", args=[aliquot.code]),
        facts=[
            (_("Aliquot"), aliquot.code),
            (_("Location"), aliquot.place_name or _("in a freezer of another site")),
        ],
    )
