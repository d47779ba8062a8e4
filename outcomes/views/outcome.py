"""The page of a subject's outcome, and what begins there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from outcomes.models import Scope, SurvivalContact
from outcomes.selectors.outcome import Overview, overview_of
from outcomes.selectors.survival import attempt_log, source_said
from outcomes.services.deaths import begin_death
from outcomes.services.dispositions import open_disposition
from outcomes.services.survival import start_contact
from outcomes.services.transplants import open_transplantation
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import CrfRecord, LockState, Subject, Visit
from trialsite.casebook.protocols import visit_name
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.registry import form
from visits.services.visits import can_be_contacted_for, contact_problem


def _subject(request: StaffRequest, pk: uuid.UUID) -> Subject:
    mine = Subject.objects.visible_to(request.user).select_related("site", "protocol_version")
    return get_object_or_404(mine, pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def outcome(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Survival, attempts at contact, transplantation, death, and how it ended."""
    subject = _subject(request, subject_id)
    seen = overview_of(subject)
    may_enter = request.user.can(Capability.ENTER_DATA, site=subject.site_id)
    context = {
        "subject": subject,
        "seen": seen,
        "sighted_by": source_said(seen.sighted_by),
        "sighted_form": form(seen.sighting.record.form_oid).title if seen.sighting else "",
        "log": attempt_log(subject),
        "endings": [_ending(scope, seen) for scope in Scope],
        "waiting": _waiting(subject, seen),
        "not_asked": contact_problem(subject, seen.today),
        "may_enter": may_enter and subject.lock_state == LockState.OPEN,
    }
    return render(request, "outcomes/outcome.html", context)


def _ending(scope: Scope, seen: Overview) -> dict[str, Any]:
    proposal = next((each for each in seen.proposals if each.scope == scope), None)
    return {"scope": scope, "said": seen.ended(scope), "proposal": proposal}


def _waiting(subject: Subject, seen: Overview) -> list[tuple[Visit, str]]:
    """The milestones of which survival is not proven yet, for which a contact may stand."""
    today = seen.today
    unproven = {each.on for each in seen.milestones if each.state == "unknown"}
    visits = subject.visits.filter(target_on__isnull=False).order_by("target_on")
    return [
        (each, visit_name(each))
        for each in visits
        if each.target_on in unproven and can_be_contacted_for(each, today)
    ]


def _begun(request: StaffRequest, subject: Subject, begin: Callable[[], CrfRecord]) -> HttpResponse:
    """Go on to the record that was begun, or back with the reason why there is none."""
    try:
        record = begin()
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("outcomes:outcome", subject.pk)
    return redirect("crf:record", record.pk)


@requires(Capability.ENTER_DATA)
@require_POST
def contact(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Begin a survival contact, for the milestone named where there is one."""
    subject = _subject(request, subject_id)
    named = request.POST.get("visit", "")
    visit = None
    if named:
        try:
            visit = get_object_or_404(subject.visits.all(), pk=uuid.UUID(named))
        except ValueError as error:
            raise Http404 from error
    return _begun(
        request,
        subject,
        lambda: start_contact(subject=subject, stands_for=visit, by=request.user),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def transplantation(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Open the record of the subject's transplantation."""
    subject = _subject(request, subject_id)
    return _begun(request, subject, lambda: open_transplantation(subject=subject, by=request.user))


@requires(Capability.ENTER_DATA)
@require_POST
def ending(request: StaffRequest, subject_id: uuid.UUID, scope: str) -> HttpResponse:
    """Open the record of how treatment or study ended, with what is proposed as a draft."""
    subject = _subject(request, subject_id)
    known = next((each for each in Scope if each.name.lower() == scope), None)
    if known is None:
        raise Http404
    proposal = None
    if "proposed" in request.POST:
        proposals = overview_of(subject).proposals
        proposal = next((each for each in proposals if each.scope == known), None)
    return _begun(
        request,
        subject,
        lambda: open_disposition(
            subject=subject,
            scope=known,
            by=request.user,
            reason=proposal.reason if proposal else "",
            ended_on=proposal.on if proposal else None,
        ),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def told_death(request: StaffRequest, record_id: uuid.UUID) -> HttpResponse:
    """From a contact that tells of a death to its record, begun with what is known."""
    rows = SurvivalContact.objects.visible_to(request.user).select_related("record", "subject")
    found = get_object_or_404(rows, pk=record_id)
    return _begun(request, found.subject, lambda: begin_death(contact=found, by=request.user))
