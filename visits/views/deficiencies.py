"""The log of device deficiencies: list, report, correct, void."""

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
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import Subject
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.violations import ImpossibleError
from visits.deficiency_forms import (
    ChangeDeficiencyForm,
    DeficiencyForm,
    NewDeficiencyForm,
    initial_of,
)
from visits.models import TreatmentSession
from visits.models.deficiencies import DeviceDeficiency
from visits.services.deficiencies import change_deficiency, report_deficiency, void_deficiency

PAGE = 50


def _visible(request: StaffRequest) -> Any:
    return DeviceDeficiency.objects.visible_to(request.user).select_related(
        "site", "subject", "record", "session", "reported_by"
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def deficiencies(request: StaffRequest) -> HttpResponse:
    """The deficiencies of the person's sites; those that are reported first."""
    page = Paginator(_visible(request).standing(), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "may_report": request.user.can(Capability.ENTER_DATA)}
    return render(request, "visits/deficiencies.html", context)


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def new_deficiency(request: StaffRequest) -> HttpResponse:
    """Report a deficiency; from a run sheet it brings its session."""
    sites = Site.objects.filter(pk__in=request.user.access.sites(Capability.ENTER_DATA))
    session = _session(request)
    if request.method == "POST":
        form = NewDeficiencyForm(request.POST, sites=sites)
        made = _reported(request, form, session) if form.is_valid() else None
        if made is not None:
            messages.success(request, _("The deficiency is reported."))
            return redirect("visits:deficiency", made.pk)
    else:
        form = NewDeficiencyForm(sites=sites, initial=_preset(sites, session))
    context = {"form": form, "session": session}
    return render(
        request, "visits/new_deficiency.html", context, status=422 if form.errors else 200
    )


def _session(request: StaffRequest) -> TreatmentSession | None:
    """The session from whose run sheet the person comes."""
    try:
        key = uuid.UUID(request.GET.get("session", ""))
    except ValueError:
        return None
    mine = TreatmentSession.objects.visible_to(request.user, Capability.ENTER_DATA)
    return get_object_or_404(mine.select_related("site", "subject"), pk=key)


def _preset(sites: Any, session: TreatmentSession | None) -> dict[str, Any]:
    if session is None:
        return {"site": sites.first().pk} if sites.count() == 1 else {}
    preset: dict[str, Any] = {"site": session.site_id, "subject": session.subject.label}
    if session.started_at is not None:
        preset["occurred_on"] = session.started_at.date().isoformat()
    return preset


def _reported(
    request: StaffRequest, form: NewDeficiencyForm, session: TreatmentSession | None
) -> DeviceDeficiency | None:
    """The new deficiency, or None with what stands in the way in the form."""
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
        lambda: report_deficiency(
            site=site, facts=form.facts(), by=request.user, subject=subject, session=session
        ),
    )


def _tried(form: forms.Form, act: Callable[[], DeviceDeficiency]) -> DeviceDeficiency | None:
    """Do it, or say in the form why not, beside the field that is meant."""
    try:
        return act()
    except NotPermittedError:
        raise
    except ImpossibleError as refused:
        for name, texts in refused.errors.items():
            form.add_error(name if name in form.fields else None, texts)
    except DomainError as refused:
        form.add_error(None, str(refused))
    return None


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def deficiency(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One deficiency, and what can be done about it."""
    return _page(request, get_object_or_404(_visible(request), pk=pk))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def of_record(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The deficiency that a companion record heads."""
    return redirect("visits:deficiency", get_object_or_404(_visible(request), record=pk).pk)


def _page(request: StaffRequest, found: DeviceDeficiency, **refused: forms.Form) -> HttpResponse:
    offered: dict[str, forms.Form] = {}
    if request.user.can(Capability.ENTER_DATA, site=found.site_id) and not found.is_closed_to_entry:
        change = ChangeDeficiencyForm(initial=initial_of(found))
        offered = {"change": change, "void": ReasonForm(prefix="void")} | refused
    context = {
        "deficiency": found,
        "forms": offered,
        "refusals": [text for form in refused.values() for text in form.non_field_errors()],
    }
    return render(request, "visits/deficiency.html", context, status=422 if refused else 200)


def _version(request: StaffRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


@requires(Capability.ENTER_DATA)
@require_POST
def change(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Correct a deficiency, with a reason."""
    found, form = get_object_or_404(_visible(request), pk=pk), ChangeDeficiencyForm(request.POST)
    if form.is_valid() and _tried(
        form,
        lambda: change_deficiency(
            deficiency=found,
            facts=DeficiencyForm.facts(form),
            reason=form.cleaned_data["reason"],
            by=request.user,
            base_version=_version(request),
        ),
    ):
        messages.success(request, _("The deficiency is saved."))
        return redirect("visits:deficiency", pk)
    return _page(request, get_object_or_404(_visible(request), pk=pk), change=form)


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take a deficiency out, with a reason."""
    found, form = (
        get_object_or_404(_visible(request), pk=pk),
        ReasonForm(request.POST, prefix="void"),
    )
    if form.is_valid() and _tried(
        form,
        lambda: void_deficiency(
            deficiency=found, reason=form.cleaned_data["reason"], by=request.user
        ),
    ):
        messages.success(request, _("The record is voided. It stays in the trail."))
        return redirect("visits:deficiencies")
    return _page(request, get_object_or_404(_visible(request), pk=pk), void=form)


deficiency_patterns: list[URLPattern] = [
    path("device-deficiencies/", deficiencies, name="deficiencies"),
    path("device-deficiencies/new/", new_deficiency, name="new_deficiency"),
    path("device-deficiencies/<uuid:pk>/", deficiency, name="deficiency"),
    path("device-deficiencies/<uuid:pk>/change/", change, name="change_deficiency"),
    path("device-deficiencies/<uuid:pk>/void/", void, name="void_deficiency"),
    path("device-deficiencies/record/<uuid:pk>/", of_record, name="deficiency_record"),
]
