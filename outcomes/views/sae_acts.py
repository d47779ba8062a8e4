"""What is done about a case: describe, correct, sign, send, receive, confirm, close."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from outcomes.models import ReportKind, SaeReceipt, SaeReport
from outcomes.sae_forms import (
    AwarenessForm,
    DescribeForm,
    ExpeditedForm,
    ReceivedForm,
    SubmissionForm,
    moment,
)
from outcomes.selectors.sae_board import CaseLine
from outcomes.services.sae_cases import (
    close_case,
    confirm_expedited,
    correct_awareness,
    describe_case,
    reopen_case,
)
from outcomes.services.sae_reports import (
    MEANING,
    Sending,
    record_receipt,
    record_submission,
    sign_report,
    void_receipt,
)
from outcomes.views.safety import case_page, found_line, recipients_for
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.signing import SigningForm, statement
from trialsite.core.exceptions import DomainError, NotPermittedError


def _act(
    request: StaffRequest,
    line: CaseLine,
    form: forms.Form,
    name: str,
    act: Callable[[], object],
    done: str,
) -> HttpResponse:
    """Do it and return to the case, or show the form again with what was typed."""
    if form.is_valid():
        try:
            act()
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("outcomes:sae_case", line.case.pk)
    return case_page(request, found_line(request, line.case.pk), refused=(name, form))


@requires(Capability.REPORT_SAE)
@require_POST
def describe(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Keep reporter, suspicion and narrative for the next report."""
    line, form = found_line(request, pk), DescribeForm(request.POST)
    return _act(
        request,
        line,
        form,
        "describe",
        lambda: describe_case(case=line.case, by=request.user, **form.cleaned_data),
        _("Kept for the next report."),
    )


@requires(Capability.REPORT_SAE)
@require_POST
def awareness(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Correct the moment the clocks count from, with a reason."""
    line, form = found_line(request, pk), AwarenessForm(request.POST, prefix="awareness")
    return _act(
        request,
        line,
        form,
        "awareness",
        lambda: correct_awareness(case=line.case, by=request.user, **form.cleaned_data),
        _("The moment is corrected. The deadlines that stood are kept below."),
    )


@requires(Capability.SIGN_FORM)
@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponse:
    """Read the report and sign it, with both factors."""
    line = found_line(request, pk)
    request.user.require(Capability.SIGN_FORM, site=line.case.site_id)
    form = SignReportForm(
        request.POST if request.method == "POST" else None,
        request=request,
        initial={"version": line.event.record.version},
    )
    if request.method == "POST" and form.is_valid():
        try:
            sign_report(
                case=line.case,
                kind=kind,
                by=request.user,
                proof=form.proof,
                seen_version=form.cleaned_data["version"],
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The report is signed. Now send it to each recipient."))
            return redirect("outcomes:sae_case", pk)
    context = {
        "form": form,
        "line": line,
        "case": line.case,
        "event": line.event,
        "zone": line.case.site.time_zone,
        "kind": ReportKind(kind) if kind in ReportKind.values else ReportKind.INITIAL,
        "statement": statement(by=request.user, meaning=MEANING, site=line.case.site),
    }
    return render(request, "outcomes/sae_sign.html", context, status=422 if form.errors else 200)


class SignReportForm(SigningForm):
    """The signature under a report, of the version that was read."""

    version = forms.IntegerField(widget=forms.HiddenInput)


def _report(request: StaffRequest, pk: uuid.UUID) -> SaeReport:
    seen = SaeReport.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    found: SaeReport = get_object_or_404(seen.select_related("case__site"), pk=pk)
    return found


def _receipt(request: StaffRequest, pk: uuid.UUID) -> SaeReceipt:
    seen = SaeReceipt.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    found: SaeReceipt = get_object_or_404(seen.select_related("case__site", "report"), pk=pk)
    return found


@requires(Capability.VIEW_SAFETY)
@require_POST
def send(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Say that a report was sent to one recipient."""
    report = _report(request, pk)
    line = found_line(request, report.case_id)
    name = f"send-{pk}"
    form = SubmissionForm(
        request.POST, recipients=recipients_for(request, line, report), prefix=name
    )

    def act() -> None:
        data = form.cleaned_data
        sending = Sending(
            recipient=data["recipient"],
            submitted_at=moment(data["submitted_at"], line.case.site.time_zone),
            way=data["way"],
        )
        record_submission(report=report, sending=sending, by=request.user)

    return _act(request, line, form, name, act, _("Kept: the report was sent."))


@requires(Capability.VIEW_SAFETY)
@require_POST
def receive(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Keep the receipt of one recipient."""
    receipt = _receipt(request, pk)
    line = found_line(request, receipt.case_id)
    form = ReceivedForm(request.POST, request.FILES)

    def act() -> None:
        data = form.cleaned_data
        record_receipt(
            receipt=receipt,
            received_at=moment(data["received_at"], line.case.site.time_zone),
            number=data["receipt_number"],
            file=data["file"],
            by=request.user,
        )

    return _act(request, line, form, "received", act, _("The receipt is kept."))


@requires(Capability.VIEW_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def unsend(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back a sending that was entered by mistake; its clock runs again."""
    receipt = _receipt(request, pk)
    line = found_line(request, receipt.case_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            void_receipt(receipt=receipt, reason=form.cleaned_data["reason"], by=request.user)
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The entry is voided. Its clock runs again."))
            return redirect("outcomes:sae_case", line.case.pk)
    context = {"form": form, "receipt": receipt, "line": line, "zone": line.case.site.time_zone}
    status = 422 if form.errors else 200
    return render(request, "outcomes/sae_unsend.html", context, status=status)


@requires(Capability.MANAGE_SAFETY)
@require_POST
def confirm(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The sponsor's word whether it is a SUSAR or a UADE."""
    line, form = found_line(request, pk), ExpeditedForm(request.POST, prefix="expedited")
    return _act(
        request,
        line,
        form,
        "expedited",
        lambda: confirm_expedited(case=line.case, by=request.user, **form.cleaned_data),
        _("The sponsor’s word is kept."),
    )


@requires(Capability.MANAGE_SAFETY)
@require_POST
def close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Close a case, or take a closed one up again."""
    line, form = found_line(request, pk), ReasonForm(request.POST, prefix="close")
    closed = line.case.closed_at is not None
    service = reopen_case if closed else close_case
    return _act(
        request,
        line,
        form,
        "close",
        lambda: service(case=line.case, reason=form.cleaned_data["reason"], by=request.user),
        _("The case is open again.") if closed else _("The case is closed."),
    )
