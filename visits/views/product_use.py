"""Movements of lots at sites, their accounts, and the recall of a lot."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.core.clock import trial_now
from visits.models import LotMovement, LotState, MovementKind
from visits.product_forms import DestructionForm, MovementForm, ReceiptForm, ReturnForm
from visits.selectors import products as reading
from visits.services.products import (
    destroy_units,
    recall_lot,
    receive_units,
    return_units,
    void_movement,
)
from visits.views.products import GET_AND_POST, act_page, found_lot, typed

HEADINGS = {
    MovementKind.RECEIVED: gettext_lazy("Receive units"),
    MovementKind.RETURNED: gettext_lazy("Return units"),
    MovementKind.DESTROYED: gettext_lazy("Destroy units"),
}
_ACTS: dict[str, Any] = {
    MovementKind.RECEIVED: receive_units,
    MovementKind.RETURNED: return_units,
    MovementKind.DESTROYED: destroy_units,
}


def _form(request: StaffRequest, kind: str) -> MovementForm:
    sites = request.user.access.sites(Capability.MANAGE_PRODUCT)
    mine = list(Site.objects.filter(pk__in=sites, active=True).order_by("code"))
    if kind == MovementKind.RECEIVED:
        return ReceiptForm(typed(request), sites=mine)
    if kind == MovementKind.RETURNED:
        return ReturnForm(typed(request), sites=mine)
    people = [each for each in reading.staff_at(mine) if each.pk != request.user.pk]
    return DestructionForm(typed(request), sites=mine, people=people)


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def move(request: StaffRequest, key: str, kind: str) -> HttpResponse:
    """Enter units that came to a site, went back or were destroyed."""
    found = found_lot(key)
    if kind not in _ACTS:
        raise Http404
    form = _form(request, kind)
    return act_page(
        request,
        form=form,
        act=lambda: _ACTS[kind](lot=found, site=form.at, facts=form.facts, by=request.user),
        done=_("The movement is entered."),
        heading=HEADINGS[MovementKind(kind)],
        back=("visits:lot", found.code),
        facts=[
            (_("Lot number"), found.code),
            (_("State"), found.get_state_display()),
            *(
                (_("In stock, site %(code)s") % {"code": each.site.code}, each.left)
                for each in reading.accounts(request.user, found)
            ),
        ],
    )


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def withdraw_movement(request: StaffRequest, movement_id: uuid.UUID) -> HttpResponse:
    """Void a movement that was never so."""
    seen = LotMovement.objects.visible_to(request.user, Capability.MANAGE_PRODUCT)
    movement = get_object_or_404(seen.select_related("lot", "site"), pk=movement_id)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: void_movement(
            movement=movement, reason=form.cleaned_data["reason"], by=request.user
        ),
        done=_("The movement is voided. It keeps its number."),
        heading=_("Void the movement"),
        back=("visits:lot", movement.lot.code),
        facts=[
            (_("Lot number"), movement.lot.code),
            (_("Site"), movement.site),
            (movement.get_kind_display(), movement.units),
        ],
        danger=True,
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def accountability(request: StaffRequest) -> HttpResponse:
    """What became of every lot at each of the person's sites."""
    found = reading.accounts(request.user)
    return render(request, "visits/accountability.html", {"accounts": found, "now": trial_now()})


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def recall(request: StaffRequest, key: str) -> HttpResponse:
    """Whom a lot reached, in which sessions, what is left where, and who has been told."""
    found = found_lot(key)
    context = {
        "lot": found,
        "recall": reading.recall(found, request.user),
        "study_wide": request.user.access.study_wide(Capability.VIEW_CASEBOOK),
        "decisions": reading.released_by(found),
        "now": trial_now(),
        "may_recall": request.user.access.study_wide(Capability.HOLD)
        and found.state != LotState.RECALLED,
    }
    return render(request, "visits/recall.html", context)


@requires(Capability.HOLD)
@require_http_methods(GET_AND_POST)
def recall_act(request: StaffRequest, key: str) -> HttpResponse:
    """Recall a lot for good."""
    found = found_lot(key)
    request.user.require_study_wide(Capability.HOLD)
    form = ReasonForm(typed(request))
    reached = reading.recall(found, request.user)
    return act_page(
        request,
        form=form,
        act=lambda: recall_lot(lot=found, reason=form.cleaned_data["reason"], by=request.user),
        done=_("The lot is recalled. Nobody can load it, and the sites are told."),
        heading=_("Recall the lot"),
        back=("visits:recall", found.code),
        facts=[
            (_("Lot number"), found.code),
            (_("State"), found.get_state_display()),
            (_("Participants"), len(reached.subjects)),
            (_("Sessions"), len(reached.sessions)),
            (_("Units in stock"), reached.left),
        ],
        warning=_("A recall is not undone. A lot that may be used again goes into quarantine."),
        danger=True,
    )
