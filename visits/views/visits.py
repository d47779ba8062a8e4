"""The page of one visit, what can be said of it, and adding a visit."""

from __future__ import annotations

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
from trialsite.casebook.models import LockState, Subject, SubjectStatus, Visit, VisitStatus
from trialsite.casebook.protocols import event_of, visit_name
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.protocol import EventRole
from visits.selectors.readiness import readiness
from visits.selectors.visits import VisitSheet, visit_sheet
from visits.services.visits import (
    VisitError,
    add,
    attend,
    begin,
    can_be_contacted_for,
    cancel,
    miss,
    start_form,
    take_back,
)
from visits.visit_forms import AddVisitForm, AttendForm, ReasonForm, VisitForm


def _visit(request: StaffRequest, pk: uuid.UUID, capability: Capability) -> Visit:
    seen = Visit.objects.visible_to(request.user, capability)
    return get_object_or_404(seen.select_related("subject__site", "stands_for"), pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def visit(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """One visit: its window, what is expected of it, and what can be done now."""
    return _page(request, _visit(request, visit_id, Capability.VIEW_CASEBOOK))


def _page(request: StaffRequest, found: Visit, **refused: forms.Form) -> HttpResponse:
    """The page; a form that was refused comes back with what was typed."""
    sheet = visit_sheet(found, now=trial_now())
    open_to_entry = LockState.OPEN == found.lock_state == found.subject.lock_state
    may_act = open_to_entry and request.user.can(Capability.ENTER_DATA, site=found.site_id)
    context = {
        "sheet": sheet,
        "visit": found,
        "subject": found.subject,
        "may_act": may_act,
        "locked": not open_to_entry,
        "acts": _acts(sheet) | refused if may_act else {},
        "refused": sorted(refused),
        "stands_for_name": visit_name(found.stands_for) if found.stands_for else "",
        "may_contact": may_act and can_be_contacted_for(found, sheet.today),
        "readiness": readiness(found.subject) if _asks_readiness(found) else None,
        "may_read_trail": request.user.can(Capability.VIEW_TRAIL, site=found.site_id),
    }
    return render(request, "visits/visit.html", context, status=422 if refused else 200)


def _asks_readiness(found: Visit) -> bool:
    """Whether the subject is one to be treated: enrolled, and this visit is not over."""
    over = (VisitStatus.MISSED, VisitStatus.NOT_REQUIRED)
    return found.subject.status == SubjectStatus.ENROLLED and found.status not in over


def _acts(sheet: VisitSheet) -> dict[str, forms.Form]:
    """What can be said of the visit as it stands, each with its form."""
    found, state = sheet.visit, sheet.state
    if event_of(found).role is EventRole.TREATMENT:
        return {}
    said = state in (VisitStatus.OPEN, VisitStatus.ATTENDED, VisitStatus.MISSED)
    added = event_of(found).target_day is None
    in_error = found.status == VisitStatus.NOT_REQUIRED and found.not_required_cause == "error"
    offered: dict[str, tuple[bool, forms.Form]] = {
        "begin": (found.status == VisitStatus.PLANNED, VisitForm(visit=found)),
        "attend": (not in_error, AttendForm(visit=found, today=sheet.today)),
        "miss": (state in (VisitStatus.DUE, VisitStatus.OPEN), ReasonForm(visit=found)),
        "take_back": (said, ReasonForm(visit=found)),
        "cancel": (added and state != VisitStatus.NOT_REQUIRED, ReasonForm(visit=found)),
    }
    for name, (_offered, form) in offered.items():
        form.auto_id = f"{name}-%s"
    return {name: form for name, (offer, form) in offered.items() if offer}


def _said(
    request: StaffRequest,
    found: Visit,
    form: AttendForm | ReasonForm | VisitForm,
    name: str,
    act: Callable[[dict[str, Any]], Visit],
    done: str,
) -> HttpResponse:
    """Do it, or show the page again with what stands in the way beside its field."""
    form.auto_id = f"{name}-%s"
    if form.is_valid():
        said = dict(form.cleaned_data)
        try:
            act({"base_version": said.pop("version"), **said})
        except NotPermittedError:
            raise
        except VisitError as refused:
            form.refuse(refused)
        except StaleError as refused:
            # What the person typed stays; the next attempt is made from what stands now.
            typed = request.POST.copy()
            typed["version"] = str(refused.version)
            form.data = typed
            form.add_error(None, str(refused))
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("visits:visit", found.pk)
    fresh = _visit(request, found.pk, Capability.ENTER_DATA)
    return _page(request, fresh, **{name: form})


@requires(Capability.ENTER_DATA)
@require_POST
def start(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """The visit begins now."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    return _said(
        request,
        found,
        VisitForm(request.POST, visit=found),
        "begin",
        lambda said: begin(visit=found, by=request.user, **said),
        _("The visit has begun."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def attended(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """The visit took place."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    today = trial_today(found.subject.site.time_zone)
    return _said(
        request,
        found,
        AttendForm(request.POST, visit=found, today=today),
        "attend",
        lambda said: attend(visit=found, by=request.user, **said),
        _("The visit is recorded as attended."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def missed(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """The visit did not take place."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    return _said(
        request,
        found,
        ReasonForm(request.POST, visit=found),
        "miss",
        lambda said: miss(visit=found, by=request.user, **said),
        _("The visit is recorded as missed."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def taken_back(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """What was said of the visit was an error."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    return _said(
        request,
        found,
        ReasonForm(request.POST, visit=found),
        "take_back",
        lambda said: take_back(visit=found, by=request.user, **said),
        _("The visit is planned again."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def cancelled(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """The visit was added in error."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    return _said(
        request,
        found,
        ReasonForm(request.POST, visit=found),
        "cancel",
        lambda said: cancel(visit=found, by=request.user, **said),
        _("The visit is taken out."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def open_form(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """Open a form that the protocol allows at the visit."""
    found = _visit(request, visit_id, Capability.ENTER_DATA)
    try:
        record = start_form(visit=found, form_oid=request.POST.get("form", ""), by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("visits:visit", found.pk)
    return redirect("crf:record", record.pk)


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def add_to(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Add a visit to a subject's schedule."""
    mine = Subject.objects.visible_to(request.user, Capability.ENTER_DATA)
    subject = get_object_or_404(mine.select_related("site"), pk=subject_id)
    today = trial_today(subject.site.time_zone)
    initial = {"role": request.GET.get("role", ""), "stands_for": request.GET.get("for", "")}
    form = AddVisitForm(request.POST or None, subject=subject, today=today, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = add(
                subject=subject,
                role=form.added_role,
                on=form.cleaned_data["on"],
                mode=form.cleaned_data["mode"],
                stands_for=form.cleaned_data["stands_for"],
                by=request.user,
            )
        except NotPermittedError:
            raise
        except VisitError as refused:
            form.refuse(refused)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The visit is added."))
            return redirect("visits:visit", made.pk)
    status = 422 if form.errors else 200
    context = {"subject": subject, "form": form}
    return render(request, "visits/add_visit.html", context, status=status)
