"""Reading a report of a serious adverse event as a whole, and signing what was read."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from outcomes.models import ReportKind, SaeReport
from outcomes.selectors.sae_board import CaseLine
from outcomes.selectors.sae_content import LANGUAGES
from outcomes.services.sae_reports import MEANING, reading_of, sign_report, sign_sent_report
from outcomes.views.safety import found_line
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.signing import SigningForm, statement
from trialsite.core.exceptions import DomainError, NotPermittedError


class SignReportForm(SigningForm):
    """The signature under a report, of the very content that was read."""

    seen = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)


@requires(Capability.SIGN_FORM)
@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponse:
    """Read the next report and sign it, with both factors."""
    line = found_line(request, pk)
    request.user.require(Capability.SIGN_FORM, site=line.case.site_id)
    if kind not in ReportKind.values:
        raise Http404
    form = _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            sign_report(
                case=line.case,
                kind=kind,
                by=request.user,
                proof=form.proof,
                seen=form.cleaned_data["seen"],
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The report is signed. Now send it to each recipient."))
            return redirect("outcomes:sae_case", pk)
    read, digest = reading_of(line.case, line.event, kind)
    return _page(request, line, form, ReportKind(kind), read, digest)


@requires(Capability.SIGN_FORM)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_sent(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Read what was kept of a report that left on paper, and sign it."""
    seen = SaeReport.objects.visible_to(request.user, Capability.SIGN_FORM)
    report = get_object_or_404(seen.select_related("case"), pk=pk)
    line, form = found_line(request, report.case_id), _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            sign_sent_report(
                report=report, by=request.user, proof=form.proof, seen=form.cleaned_data["seen"]
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The report is signed."))
            return redirect("outcomes:sae_case", report.case_id)
    kind = ReportKind(report.kind)
    return _page(request, line, form, kind, report.content, report.content_hash)


def _form(request: StaffRequest) -> SignReportForm:
    return SignReportForm(request.POST if request.method == "POST" else None, request=request)


def _page(
    request: StaffRequest,
    line: CaseLine,
    form: SignReportForm,
    kind: ReportKind,
    read: dict[str, Any],
    digest: str,
) -> HttpResponse:
    """The whole report with its hash: what stands on the page is what is signed."""
    language = get_language() if get_language() in LANGUAGES else LANGUAGES[0]
    context = {
        "form": form,
        "line": line,
        "case": line.case,
        "kind": kind,
        "report": read[language],
        "seen": digest,
        "statement": statement(by=request.user, meaning=MEANING, site=line.case.site),
    }
    return render(request, "outcomes/sae_sign.html", context, status=422 if form.errors else 200)
