"""The pages of deviations: list, report, and what becomes of each."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import Subject
from trialsite.conduct.deviation_forms import (
    ChangeForm,
    DeviationFilter,
    DeviationForm,
    NewDeviationForm,
    initial_of,
)
from trialsite.conduct.kinds import title_of
from trialsite.conduct.models import Deviation, DeviationStatus
from trialsite.conduct.services.deviations import (
    DeviationError,
    accept_proposal,
    change_deviation,
    close_deviation,
    dismiss_proposal,
    report_deviation,
)
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError

PAGE = 50


def _visible(request: StaffRequest) -> Any:
    return Deviation.objects.visible_to(request.user).select_related(
        "site", "subject", "record", "decided_by", "closed_by"
    )


def _sites(request: StaffRequest, capability: Capability) -> Any:
    return Site.objects.filter(pk__in=request.user.access.sites(capability))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def deviations(request: StaffRequest) -> HttpResponse:
    """The deviations of the person's sites, narrowed by site, class and state."""
    asked = DeviationFilter(request.GET, sites=_sites(request, Capability.VIEW_CASEBOOK))
    rows = asked.narrow(_visible(request).filter(record__voided_at=None))
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "filter": asked,
        "narrowed": any(asked.cleaned_data.values()),
        "may_report": request.user.can(Capability.ENTER_DATA),
    }
    return render(request, "conduct/deviations.html", context)


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "POST"])
def new_deviation(request: StaffRequest) -> HttpResponse:
    """Report a deviation."""
    sites = _sites(request, Capability.ENTER_DATA)
    if request.method == "POST":
        form = NewDeviationForm(request.POST, sites=sites)
        made = _reported(request, form) if form.is_valid() else None
        if made is not None:
            messages.success(request, _("The deviation is reported."))
            return redirect("conduct:deviation", made.pk)
    else:
        form = NewDeviationForm(sites=sites, initial=_preset(request, sites))
    status = 422 if form.errors else 200
    return render(request, "conduct/new_deviation.html", {"form": form}, status=status)


def _preset(request: StaffRequest, sites: Any) -> dict[str, Any]:
    """The subject from whose casebook the person comes, and today."""
    preset: dict[str, Any] = {}
    mine = Subject.objects.visible_to(request.user, Capability.ENTER_DATA).select_related("site")
    try:
        subject = mine.filter(pk=uuid.UUID(request.GET.get("subject", ""))).first()
    except ValueError:
        subject = None
    site = subject.site if subject else sites.first() if sites.count() == 1 else None
    if subject is not None:
        preset["subject"] = subject.label
    if site is not None:
        preset |= {"site": site.pk, "discovered_on": trial_today(site.time_zone)}
    return preset


def _reported(request: StaffRequest, form: NewDeviationForm) -> Deviation | None:
    """The new deviation, or None with what stands in the way in the form."""
    site, number = form.cleaned_data["site"], form.cleaned_data["subject"].strip()
    subject = None
    if number:
        of_site = Subject.objects.visible_to(request.user, Capability.ENTER_DATA).filter(site=site)
        named = Q(screening_number__iexact=number) | Q(number__iexact=number)
        subject = of_site.filter(named).first()
        if subject is None:
            form.add_error("subject", _("This site has no such subject."))
            return None
    return _tried(
        form,
        lambda: report_deviation(site=site, subject=subject, facts=form.facts(), by=request.user),
    )


def _tried(form: forms.Form, act: Callable[[], Deviation]) -> Deviation | None:
    """Do it, or say in the form why not, beside the field that is meant."""
    try:
        return act()
    except NotPermittedError:
        raise
    except DeviationError as refused:
        for name, texts in refused.errors.items():
            form.add_error(name if name in form.fields else None, texts)
    except DomainError as refused:
        form.add_error(None, str(refused))
    return None


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def deviation(request: StaffRequest, deviation_id: uuid.UUID) -> HttpResponse:
    """One deviation, and what can be done about it now."""
    return _page(request, get_object_or_404(_visible(request), pk=deviation_id))


def _page(request: StaffRequest, found: Deviation, **refused: forms.Form) -> HttpResponse:
    """The page; a form that was refused comes back with what was typed."""
    may_act = (
        request.user.can(Capability.ENTER_DATA, site=found.site_id) and not found.is_closed_to_entry
    )
    offered: dict[str, forms.Form] = {}
    if may_act and found.status == DeviationStatus.PROPOSED:
        offered = {
            "accept": DeviationForm(initial=initial_of(found)),
            "dismiss": ReasonForm(prefix="dismiss"),
        }
    elif may_act and found.status == DeviationStatus.ACCEPTED:
        offered = {"change": ChangeForm(initial=initial_of(found)), "close": forms.Form()}
    context = {
        "deviation": found,
        "proposed_by": title_of(found.kind),
        "categories": _words(found),
        "forms": offered | {name: form for name, form in refused.items() if name in offered},
        "lost": [form for name, form in refused.items() if name not in offered],
    }
    status = 422 if refused else 200
    return render(request, "conduct/deviation.html", context, status=status)


def _words(found: Deviation) -> list[str]:
    """The categories in the order of the list."""
    choices = dict(Deviation._meta.get_field("categories").base_field.flatchoices)
    return [str(choices.get(code, code)) for code in found.categories]


def _mine(request: StaffRequest, deviation_id: uuid.UUID) -> Deviation:
    found: Deviation = get_object_or_404(_visible(request), pk=deviation_id)
    return found


def _version(request: StaffRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _act(
    request: StaffRequest,
    found: Deviation,
    name: str,
    form: forms.Form,
    service: Callable[[], Deviation],
    done: str,
) -> HttpResponse:
    """One act on a deviation; a refusal returns the page with everything typed."""
    if form.is_valid() and _tried(form, service) is not None:
        messages.success(request, done)
        return redirect("conduct:deviation", found.pk)
    found = _mine(request, found.pk)
    return _page(request, found, **{name: form})


@requires(Capability.ENTER_DATA)
@require_POST
def accept(request: StaffRequest, deviation_id: uuid.UUID) -> HttpResponse:
    """Accept a proposal."""
    found, form = _mine(request, deviation_id), DeviationForm(request.POST)
    return _act(
        request,
        found,
        "accept",
        form,
        lambda: accept_proposal(
            deviation=found, facts=form.facts(), by=request.user, base_version=_version(request)
        ),
        _("The deviation is accepted."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def dismiss(request: StaffRequest, deviation_id: uuid.UUID) -> HttpResponse:
    """Dismiss a proposal with a reason."""
    found, form = _mine(request, deviation_id), ReasonForm(request.POST, prefix="dismiss")
    return _act(
        request,
        found,
        "dismiss",
        form,
        lambda: dismiss_proposal(
            deviation=found,
            reason=form.cleaned_data["reason"],
            by=request.user,
            base_version=_version(request),
        ),
        _("The proposal is dismissed; it will not be made again."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def change(request: StaffRequest, deviation_id: uuid.UUID) -> HttpResponse:
    """Change an accepted deviation, with a reason."""
    found, form = _mine(request, deviation_id), ChangeForm(request.POST)
    return _act(
        request,
        found,
        "change",
        form,
        lambda: change_deviation(
            deviation=found,
            facts=form.facts(),
            reason=form.cleaned_data["reason"],
            by=request.user,
            base_version=_version(request),
        ),
        _("The deviation is saved."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def close(request: StaffRequest, deviation_id: uuid.UUID) -> HttpResponse:
    """Close a deviation that is answered."""
    found, form = _mine(request, deviation_id), forms.Form(request.POST)
    return _act(
        request,
        found,
        "close",
        form,
        lambda: close_deviation(deviation=found, by=request.user, base_version=_version(request)),
        _("The deviation is closed."),
    )
