"""Destruction lists: what is to be destroyed, what became of each, and the end of the list."""

from __future__ import annotations

import uuid

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from samples.destruction_forms import DestroyForm, ExplainForm
from samples.models import Destruction, DestructionLine
from samples.selectors.destruction import destructions, lines_of, open_destructions, waiting_lines
from samples.selectors.people import witnesses_at
from samples.services.destruction import destroy_listed, explain_line
from samples.services.withdrawals import close_destruction
from samples.views.acting import GET_AND_POST, act_page, did, typed
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires

PAGE = 50


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def overview(request: StaffRequest) -> HttpResponse:
    """The lists of the person's sites: those with work left, then those that are over."""
    over = destructions(request.user).exclude(closed_at=None, lifted_at=None)
    context = {
        "open": open_destructions(request.user),
        "page": Paginator(over, PAGE).get_page(request.GET.get("page")),
        "destruction_tab": True,
    }
    return render(request, "samples/destructions.html", context)


def _found(request: StaffRequest, pk: uuid.UUID, capability: Capability) -> Destruction:
    seen = Destruction.objects.visible_to(request.user, capability)
    return get_object_or_404(
        seen.select_related("subject__site", "site", "opened_by", "closed_by"), pk=pk
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def one(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One list: where each sample is, or what became of it."""
    return _page(request, _found(request, pk, Capability.VIEW_CASEBOOK))


def _page(
    request: StaffRequest, destruction: Destruction, form: forms.Form | None = None
) -> HttpResponse:
    lines = lines_of(destruction)
    waiting = waiting_lines(lines)
    may = request.user.can(Capability.HANDLE_SAMPLES, site=destruction.site_id)
    may = may and destruction.is_open
    if form is None and may:
        form = DestroyForm(
            waiting=waiting, people=witnesses_at(destruction.site, beside=request.user)
        )
    context = {
        "destruction": destruction,
        "lines": lines,
        "waiting": len(waiting),
        "settled": len(lines) - len(waiting),
        "form": form,
        "chosen": set(form["lines"].value() or ()) if form is not None else set(),
        "may_handle": may,
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "samples/destruction.html", context, status=status)


@requires(Capability.HANDLE_SAMPLES)
@require_POST
def destroy(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The chosen samples were destroyed before a witness."""
    found = _found(request, pk, Capability.HANDLE_SAMPLES)
    form = DestroyForm(
        request.POST,
        waiting=waiting_lines(lines_of(found)),
        people=witnesses_at(found.site, beside=request.user),
    )
    done: list[int] = []
    if form.is_valid() and did(
        request,
        form,
        lambda: done.append(
            destroy_listed(
                destruction=found,
                lines=form.chosen,
                how=form.cleaned_data["how"],
                witness=form.second,
                at=form.moment,
                by=request.user,
            )
        ),
    ):
        said = ngettext(
            "%(count)d sample is destroyed.", "%(count)d samples are destroyed.", done[0]
        )
        messages.success(request, said % {"count": done[0]})
        return redirect("samples:destruction", found.pk)
    return _page(request, found, form)


@requires(Capability.HANDLE_SAMPLES)
@require_POST
def close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Close a list on which each sample is destroyed or explained."""
    found = _found(request, pk, Capability.HANDLE_SAMPLES)
    form = forms.Form(request.POST)
    if did(request, form, lambda: close_destruction(destruction=found, by=request.user)):
        messages.success(request, _("The list is closed."))
    else:
        for text in form.non_field_errors():
            messages.error(request, str(text))
    return redirect("samples:destruction", found.pk)


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def explain(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Say what became of one sample that is not destroyed here."""
    seen = DestructionLine.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    line = get_object_or_404(
        seen.select_related("specimen__visit", "aliquot", "destruction__subject"), pk=pk
    )
    form = ExplainForm(typed(request), line=line)
    return act_page(
        request,
        form=form,
        act=lambda: explain_line(
            line=line,
            why=form.cleaned_data["why"],
            explanation=form.cleaned_data["explanation"],
            confirmed_by=form.cleaned_data.get("confirmed_by", ""),
            at=form.moment,
            by=request.user,
        ),
        done=_("Entered."),
        heading=_("Not destroyed here: explain"),
        back=reverse("samples:destruction", args=[line.destruction_id]),
        facts=[
            (_("Code"), line.code),
            (_("Specimen"), line.specimen.kind_name),
            (_("Subject"), line.destruction.subject.label),
            (_("State"), line.sample.get_state_display()),
        ],
        warning=_("This ends the custody of the sample. A lost one can be found again."),
    )
