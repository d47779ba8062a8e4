"""The page of a proposed hold: what happened, and what is decided about it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.selectors import current_version
from trialsite.conduct.forms import ScopeForm
from trialsite.conduct.models import ProposalStatus, ProposedHold, Scope
from trialsite.conduct.selectors import rule_names
from trialsite.conduct.services.proposals import dismiss_proposed, may_decide, place_proposed
from trialsite.core.exceptions import DomainError, NotPermittedError


def _found(request: StaffRequest, pk: uuid.UUID) -> ProposedHold:
    rows = ProposedHold.objects.visible_to(request.user).select_related(
        "site", "subject", "decided_by", "hold__placed_by", "hold__activation__decided_by"
    )
    return get_object_or_404(rows, pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def proposal(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One proposed hold, and what can be done about it."""
    return _page(request, _found(request, pk))


def _page(request: StaffRequest, found: ProposedHold, **refused: Any) -> HttpResponse:
    forms = {}
    if may_decide(found, request.user) and found.status == ProposalStatus.OPEN:
        forms = {
            "place": ScopeForm(initial={"scope": Scope.BOTH}),
            "dismiss": ReasonForm(prefix="dismiss"),
        } | refused
    context = {
        "proposal": found,
        "rule": rule_names(current_version().pk).get(found.rule, found.rule),
        "forms": forms,
        "refusals": [text for form in refused.values() for text in form.non_field_errors()],
    }
    return render(request, "conduct/proposal.html", context, status=422 if refused else 200)


@requires(Capability.HOLD)
@require_POST
def place(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Place the hold that is proposed."""
    found, form = _found(request, pk), ScopeForm(request.POST)
    if form.is_valid():
        scope = Scope(form.cleaned_data["scope"])
        try:
            place_proposed(proposal=found, scope=scope, by=request.user)
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The hold is placed and binds from now on."))
            return redirect("conduct:holds")
    return _page(request, found, place=form)


@requires(Capability.HOLD)
@require_POST
def dismiss(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """State why no hold is needed."""
    found, form = _found(request, pk), ReasonForm(request.POST, prefix="dismiss")
    if form.is_valid():
        try:
            dismiss_proposed(proposal=found, reason=form.cleaned_data["reason"], by=request.user)
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(
                request, _("The proposal is dismissed. It is made again only when more is known.")
            )
            return redirect("conduct:holds")
    return _page(request, found, dismiss=form)
