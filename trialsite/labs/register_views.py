"""The register of laboratories with their dated ranges, and earlier blood purifications."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import Subject
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.labs.forms import CorrectionForm, LaboratoryForm, PurificationForm, RangeForm
from trialsite.labs.models import Laboratory, PurificationInterval, ReferenceRange
from trialsite.labs.names import analyte_names, present_labs
from trialsite.labs.rederivation import differing_results
from trialsite.labs.selectors import labs_of
from trialsite.labs.services.purification import record_purification, void_purification
from trialsite.labs.services.ranges import (
    RangeValues,
    correct_range,
    end_range,
    keep_laboratory,
    keep_range,
    void_range,
)


def _managed(request: StaffRequest) -> list[Site]:
    """The sites whose laboratories this person keeps."""
    sites = request.user.access.sites(Capability.MANAGE_LABS)
    return list(Site.objects.filter(pk__in=sites).order_by("code"))


def _did(form: forms.Form, act: Callable[[], object]) -> bool:
    """Whether the act was done; a refusal stands beside the field it is about."""
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as error:
        for name, found in getattr(error, "errors", {"": [str(error)]}).items():
            form.add_error(name if name in form.fields else None, found)
        return False
    return True


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def laboratories(request: StaffRequest) -> HttpResponse:
    """The laboratories of the person's sites."""
    context = {
        "laboratories": labs_of(request.user),
        "may_manage": request.user.can(Capability.MANAGE_LABS),
    }
    return render(request, "labs/laboratories.html", context)


@requires(Capability.MANAGE_LABS)
@require_http_methods(["GET", "HEAD", "POST"])
def add_laboratory(request: StaffRequest) -> HttpResponse:
    """Enter a laboratory into the register of a site."""
    form = LaboratoryForm(request.POST or None, sites=_managed(request))
    if request.method == "POST" and form.is_valid():
        kept: list[Laboratory] = []
        if _did(form, lambda: kept.append(_keep(request, form, None))):
            messages.success(request, _("The laboratory is in the register."))
            return redirect("labs:laboratory", kept[0].pk)
    return render(request, "labs/laboratory_form.html", {"form": form}, status=_status(form))


@requires(Capability.MANAGE_LABS)
@require_http_methods(["GET", "HEAD", "POST"])
def change_laboratory(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Change what the register says of a laboratory."""
    found = _laboratory(request, pk, Capability.MANAGE_LABS)
    names = ("code", "name", "name_zh", "creatinine_method", "pt_reagent", "active")
    initial = {name: getattr(found, name) for name in names} | {"site": str(found.site_id)}
    form = LaboratoryForm(request.POST or None, sites=[found.site], initial=initial)
    if _sent(request, form) and _did(form, lambda: _keep(request, form, found)):
        messages.success(request, _("The laboratory is changed."))
        return redirect("labs:laboratory", found.pk)
    context = {"form": form, "laboratory": found}
    return render(request, "labs/laboratory_form.html", context, status=_status(form))


def _keep(request: StaffRequest, form: LaboratoryForm, found: Laboratory | None) -> Laboratory:
    said = dict(form.cleaned_data)
    site = form.sites[said.pop("site")]
    return keep_laboratory(site=site, laboratory=found, by=request.user, **said)


def _sent(request: StaffRequest, form: forms.Form) -> bool:
    return request.method == "POST" and form.is_valid()


def _status(form: forms.Form) -> int:
    return 422 if form.is_bound and form.errors else 200


def _laboratory(
    request: StaffRequest, pk: uuid.UUID, capability: Capability = Capability.VIEW_CASEBOOK
) -> Laboratory:
    seen = Laboratory.objects.visible_to(request.user, capability).select_related("site")
    return get_object_or_404(seen, pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def laboratory(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One laboratory with its ranges by analyte, and the results they would judge otherwise."""
    found = _laboratory(request, pk)
    return _render(request, found, RangeForm(analytes=present_labs().analytes))


def _render(request: StaffRequest, found: Laboratory, form: RangeForm) -> HttpResponse:
    names = analyte_names(present_labs())
    rows = ReferenceRange.objects.visible_to(request.user).filter(laboratory=found)
    rows = rows.order_by("analyte", "sex", "age_from", "valid", "voided_at")
    may_manage = request.user.can(Capability.MANAGE_LABS, site=found.site_id)
    context: dict[str, Any] = {
        "laboratory": found,
        "ranges": [(names.get(row.analyte, row.analyte), row) for row in rows],
        "form": form,
        "may_manage": may_manage,
        "differing": differing_results(found),
        "names": names,
    }
    return render(request, "labs/laboratory.html", context, status=_status(form))


@requires(Capability.MANAGE_LABS)
@require_POST
def add_range(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """State a range from a day on; the one before it ends that day."""
    found = _laboratory(request, pk, Capability.MANAGE_LABS)
    form = RangeForm(request.POST, analytes=present_labs().analytes)
    if form.is_valid():
        said = dict(form.cleaned_data)
        since, until = said.pop("since"), said.pop("until")
        values = RangeValues(**said)
        if _did(
            form,
            lambda: keep_range(
                laboratory=found, values=values, since=since, until=until, by=request.user
            ),
        ):
            messages.success(request, _("The range is in the register."))
            return redirect("labs:laboratory", found.pk)
    return _render(request, found, form)


def _range(request: StaffRequest, pk: uuid.UUID) -> ReferenceRange:
    seen = ReferenceRange.objects.visible_to(request.user, Capability.MANAGE_LABS)
    return get_object_or_404(seen.select_related("laboratory__site"), pk=pk)


@requires(Capability.MANAGE_LABS)
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Put a range right that was entered wrongly; no result changes by it."""
    found = _range(request, pk)
    initial = {"low": found.low, "high": found.high, "unit": found.unit}
    form = CorrectionForm(request.POST or None, initial=initial)
    if _sent(request, form) and _did(
        form, lambda: correct_range(found=found, by=request.user, **form.cleaned_data)
    ):
        messages.success(
            request, _("The range is corrected. Results that differ are listed below.")
        )
        return redirect("labs:laboratory", found.laboratory_id)
    names = analyte_names(present_labs())
    context = {"form": form, "found": found, "name": names.get(found.analyte, found.analyte)}
    return render(request, "labs/range.html", context, status=_status(form))


@requires(Capability.MANAGE_LABS)
@require_POST
def end(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """End a range, from a day on."""
    found = _range(request, pk)
    try:
        on = dt.date.fromisoformat(request.POST.get("until", ""))
    except ValueError:
        messages.error(request, _("Enter the day from which the range no longer holds."))
        return redirect("labs:correct_range", found.pk)
    return _act(
        request,
        lambda: end_range(found=found, on=on, by=request.user),
        _("The range is ended."),
        "labs:laboratory",
        found.laboratory_id,
    )


@requires(Capability.MANAGE_LABS)
@require_POST
def withdraw(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take a range out that was never right."""
    found, reason = _range(request, pk), request.POST.get("reason", "")
    return _act(
        request,
        lambda: void_range(found=found, reason=reason, by=request.user),
        _("The range is voided. It stays in the trail."),
        "labs:laboratory",
        found.laboratory_id,
    )


def _act(
    request: StaffRequest, act: Callable[[], object], done: str, to: str, pk: uuid.UUID
) -> HttpResponse:
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect(to, pk)


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def add_purification(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Enter an earlier treatment that purified a subject's blood."""
    mine = Subject.objects.visible_to(request.user, Capability.ENTER_DATA)
    subject = get_object_or_404(mine.select_related("site"), pk=pk)
    form = PurificationForm(request.POST or None)
    if (
        request.method == "POST"
        and form.is_valid()
        and _did(
            form,
            lambda: record_purification(subject=subject, by=request.user, **form.cleaned_data),
        )
    ):
        messages.success(request, _("The treatment is entered."))
        return redirect("labs:subject", subject.pk)
    context = {"form": form, "subject": subject}
    return render(request, "labs/purification_form.html", context, status=_status(form))


@requires(Capability.ENTER_DATA)
@require_POST
def withdraw_purification(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take an earlier treatment out that did not happen so."""
    seen = PurificationInterval.objects.visible_to(request.user, Capability.ENTER_DATA)
    found, reason = get_object_or_404(seen, pk=pk), request.POST.get("reason", "")
    return _act(
        request,
        lambda: void_purification(interval=found, reason=reason, by=request.user),
        _("The entry is voided. It stays in the trail."),
        "labs:subject",
        found.subject_id,
    )
