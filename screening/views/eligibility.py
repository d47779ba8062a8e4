"""Eligibility of one subject: the criteria on the present data, the signed decisions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from screening.eligibility.again import frozen
from screening.eligibility.frozen import thawed
from screening.eligibility.verdicts import Evaluation
from screening.eligibility_lines import NOTHING, Said, lines_of, overall, places_of
from screening.forms.eligibility import EligibilityForm, answers_in, notes_in
from screening.models import EligibilityDraft, EligibilityEvaluation, ScreeningEntry
from screening.selectors.eligibility import (
    Decision,
    Live,
    history_of,
    live_evaluation,
    protocol_then,
    reproduce,
    signature_stands,
    signatures_of,
    signed_decision,
)
from screening.selectors.enrolment import refusals_of
from screening.services.consent_records import FieldsError
from screening.services.eligibility import MEANING, keep_answers, sign_eligibility
from screening.views.consent import subject_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.signing import statement
from trialsite.casebook.models import LockState, Subject, SubjectStatus
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.protocol import Protocol


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def eligibility(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Every criterion on the present data; the investigator's form; what was signed before."""
    return _page(request, subject_of(request, subject_id, Capability.VIEW_CASEBOOK))


def _page(
    request: StaffRequest, subject: Subject, *, form: EligibilityForm | None = None
) -> HttpResponse:
    entry = ScreeningEntry.objects.filter(subject=subject).first()
    decision = signed_decision(subject)
    context: dict[str, Any] = {
        "subject": subject,
        "entry": entry,
        "decision": decision,
        "past": history_of(subject),
        **_next(request, subject, entry, decision),
    }
    try:
        live = live_evaluation(subject)
    except DomainError as refused:
        return render(request, "screening/eligibility.html", context | {"problem": str(refused)})
    may_sign = _may_sign(request, subject)
    context |= _criteria(request, live, form=form, may_sign=may_sign)
    return render(
        request, "screening/eligibility.html", context, status=422 if form is not None else 200
    )


def _criteria(
    request: StaffRequest,
    live: Live,
    *,
    form: EligibilityForm | None,
    may_sign: bool,
) -> dict[str, Any]:
    """The criteria with what this person has answered, and the form to sign."""
    subject = live.subject
    said, kept = NOTHING, None
    if form is not None:
        said = Said(answers=form.answers, notes=form.notes, errors=form.refused)
    elif may_sign:
        kept = EligibilityDraft.objects.filter(subject=subject, user=request.user).first()
        if kept is not None:
            said = Said(answers=kept.answers, notes=kept.notes)
    lines = lines_of(
        live.protocol,
        live.evaluation,
        subject,
        places=places_of(subject),
        said=said,
    )
    return {
        "live": live,
        "overall": overall(live.protocol, live.evaluation, subject),
        "lines": lines,
        "may_sign": may_sign,
        "kept": kept,
        "form": form or (_form(request, live) if may_sign else None),
        "statement": statement(by=request.user, meaning=MEANING, site=subject.site),
    }


def _next(
    request: StaffRequest,
    subject: Subject,
    entry: ScreeningEntry | None,
    decision: Decision | None,
) -> dict[str, Any]:
    """What follows from a decision that stands: enrolment, or the end of the screening."""
    waits = entry is not None and entry.is_open and decision is not None and decision.stands
    may_enrol = waits and request.user.can(Capability.ADD_SUBJECT, site=subject.site)
    enrolling = bool(may_enrol and decision and decision.eligible)
    return {
        "enrolling": enrolling,
        "refusals": refusals_of(subject) if enrolling else [],
        "failing": bool(
            waits
            and decision
            and not decision.eligible
            and request.user.can(Capability.SCREEN, site=subject.site)
        ),
    }


def _may_sign(request: StaffRequest, subject: Subject) -> bool:
    return (
        subject.status == SubjectStatus.SCREENING
        and subject.lock_state == LockState.OPEN
        and request.user.can(Capability.SIGN_FORM, site=subject.site)
    )


def _form(request: StaffRequest, live: Live, data: Any = None) -> EligibilityForm:
    return EligibilityForm(
        data,
        request=request,
        subject=live.subject,
        criteria=_ids(live.protocol),
        by=request.user,
    )


def _ids(protocol: Protocol) -> list[str]:
    return [criterion.id for criterion in protocol.criteria]


@requires(Capability.SIGN_FORM)
@require_POST
def sign(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Sign the decision, or come back with each refusal beside its criterion."""
    subject = subject_of(request, subject_id, Capability.SIGN_FORM)
    try:
        form = _form(request, live_evaluation(subject), request.POST)
        if form.is_valid():
            signed = sign_eligibility(
                subject=subject,
                answers=form.answers,
                notes=form.notes,
                by=request.user,
                proof=form.proof,
            )
            messages.success(request, _signed(signed))
            return redirect("screening:eligibility", subject.pk)
    except NotPermittedError:
        raise
    except FieldsError as refused:
        form.refuse(refused.errors)
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("screening:eligibility", subject.pk)
    return _page(request, subject, form=form)


def _signed(evaluation: EligibilityEvaluation) -> str:
    return _("Signed: %(decision)s.") % {"decision": evaluation.get_decision_display()}


@requires(Capability.SIGN_FORM)
@require_POST
def keep(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Keep the answers so far, unsigned."""
    subject = subject_of(request, subject_id, Capability.SIGN_FORM)
    try:
        ids = _ids(live_evaluation(subject).protocol)
        keep_answers(
            subject=subject,
            answers=answers_in(request.POST, ids),
            notes=notes_in(request.POST, ids),
            by=request.user,
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("Your answers are kept. They count once they are signed."))
    return redirect("screening:eligibility", subject.pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def evaluation(request: StaffRequest, record_id: uuid.UUID) -> HttpResponse:
    """One signed evaluation as it was signed, and whether it can be made again."""
    visible = EligibilityEvaluation.objects.visible_to(request.user)
    found = get_object_or_404(
        visible.select_related("subject__site", "record", "protocol_version", "signed_by"),
        pk=record_id,
    )
    again = reproduce(found)
    same = frozen(again) == found.verdicts
    kept: Evaluation = again if same else thawed(Evaluation, found.verdicts)
    protocol = protocol_then(found)
    rows = found.answers.all()
    said = Said(
        answers={each.criterion: each.answer for each in rows},
        notes={each.criterion: each.note for each in rows},
    )
    signature = signatures_of([found]).get(found.pk)
    context = {
        "evaluation": found,
        "subject": found.subject,
        "signature": signature,
        "stands": signature_stands(found, signature),
        "same": same,
        "overall": overall(protocol, kept, found.subject),
        "lines": lines_of(protocol, kept, found.subject, said=said),
        "confirmed": [(protocol.provenance.leaves[path].label, path) for path in kept.confirmed],
    }
    return render(request, "screening/evaluation.html", context)
