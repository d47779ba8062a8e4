"""The safety officer's board, the page of one case, and its papers."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_safe

from outcomes.models import (
    ReportKind,
    SaeDeadline,
    SaeReceipt,
    SaeReport,
    SaeReportPdf,
    To,
    VoidedAcknowledgement,
)
from outcomes.sae_forms import (
    AwarenessForm,
    BoardForm,
    DecisionForm,
    DescribeForm,
    ExpeditedForm,
    PaperForm,
    ReceivedForm,
    SponsorKnewForm,
    SubmissionForm,
)
from outcomes.selectors.sae_board import CaseLine, Look, case_lines, cases_seen
from outcomes.selectors.sae_content import LANGUAGES, content_of_report
from outcomes.selectors.sae_deaths import DeathLine
from outcomes.selectors.sae_owed import owed_seen
from outcomes.selectors.sae_paper import paper
from outcomes.services.sae_deadlines import may_ease
from outcomes.services.sae_receipts import may_void_acknowledgement
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.core.clock import trial_now

PAGE = 50
SITE_RECIPIENTS = (To.SPONSOR, To.INSTITUTION, To.ETHICS)


@requires(Capability.VIEW_SAFETY)
@require_safe
def board(request: StaffRequest) -> HttpResponse:
    """The cases with their clocks; what presses most stands first."""
    return board_page(request)


def board_page(
    request: StaffRequest, *, refused: tuple[uuid.UUID, forms.Form] | None = None
) -> HttpResponse:
    """The board, with a refused form as it was typed."""
    sites = list(
        Site.objects.filter(pk__in=request.user.access.sites(Capability.VIEW_SAFETY)).order_by(
            "code"
        )
    )
    form = BoardForm(request.GET or {"look": Look.OPEN}, sites=sites)
    asked = form.cleaned_data if form.is_valid() else {}
    look = asked.get("look") or Look.OPEN
    of_sites = [site.pk for site in sites if site.code == asked.get("site")] or None
    owed = owed_seen(request.user, trial_now(), of_sites)
    page = Paginator(owed.cases_in(look), PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "deaths": [_death(request, line, refused) for line in owed.deaths_in(look)],
        "filter": form,
        "look": look,
        "narrowed": look != Look.OPEN or bool(of_sites),
        "counts": [
            (each, owed.count(each))
            for each in (
                Look.OPEN,
                Look.DECIDE,
                Look.OVERDUE,
                Look.RUNNING,
                Look.LATE,
                Look.SUSPECTED,
            )
        ],
        "may_report": request.user.can(Capability.REPORT_SAE),
        "may_reconcile": request.user.access.study_wide(Capability.MANAGE_SAFETY),
        "several_sites": len(sites) > 1,
    }
    status = 422 if refused else 200
    return render(request, "outcomes/safety_board.html", context, status=status)


def _death(
    request: StaffRequest, line: DeathLine, refused: tuple[uuid.UUID, forms.Form] | None
) -> dict[str, Any]:
    """One death of the board, and what this person may do about it."""
    death = line.death
    form: forms.Form | None = None
    if refused is not None and refused[0] == death.pk:
        form = refused[1]
    elif request.user.can(Capability.MANAGE_SAFETY, site=death.site_id):
        form = ReasonForm(prefix=f"death-{death.pk}")
    return {
        "line": line,
        "form": form,
        "refused": refused is not None and refused[0] == death.pk,
        "may_report": request.user.can(Capability.REPORT_SAE, site=death.site_id),
    }


def found_line(request: StaffRequest, pk: uuid.UUID) -> CaseLine:
    """The case as this person sees it; another site's is no case at all."""
    case = get_object_or_404(cases_seen(request.user), pk=pk)
    return case_lines([case], trial_now())[0]


@requires(Capability.VIEW_SAFETY)
@require_safe
def case(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One case: clocks, reports, receipts, what is missing, and what can be done."""
    return case_page(request, found_line(request, pk))


def case_page(
    request: StaffRequest, line: CaseLine, *, refused: tuple[str, forms.Form] | None = None
) -> HttpResponse:
    """The page, with a refused form as it was typed."""
    offered = _offered(request, line)
    if refused is not None:
        offered[refused[0]] = refused[1]
    sent = {(each.report_id, each.recipient) for each in line.receipts}
    context = {
        "line": line,
        "case": line.case,
        "event": line.event,
        "zone": line.case.site.time_zone,
        "forms": offered,
        "refused": refused[0] if refused else "",
        "history": SaeDeadline.objects.filter(case=line.case, replaced_at__isnull=False).order_by(
            "replaced_at"
        ),
        "voided": SaeReceipt.objects.filter(case=line.case, voided_at__isnull=False),
        "reports": [
            {
                "report": report,
                "receipts": [
                    _receipt(request, line, each, refused)
                    for each in line.receipts
                    if each.report_id == report.pk
                ],
                "lacking": [To(code) for code in SITE_RECIPIENTS if (report.pk, code) not in sent],
                "form": _submission(request, line, report, refused),
            }
            for report in line.reports
        ],
        "taken": VoidedAcknowledgement.objects.filter(receipt__case=line.case).select_related(
            "receipt", "voided_by"
        ),
        "languages": LANGUAGES,
        "may_sign": _may(request, line, Capability.SIGN_FORM) and line.case.closed_at is None,
        "next_kinds": _next_kinds(line) if line.unsigned is None else [],
        "may_close": _may(request, line, Capability.MANAGE_SAFETY),
        "may_attach": _may(request, line, Capability.ENTER_DATA),
    }
    status = 422 if refused else 200
    return render(request, "outcomes/sae_case.html", context, status=status)


def _may(request: StaffRequest, line: CaseLine, capability: Capability) -> bool:
    return request.user.can(capability, site=line.case.site_id)


def _next_kinds(line: CaseLine) -> list[ReportKind]:
    if not line.reports:
        return [ReportKind.INITIAL]
    if any(report.kind == ReportKind.FINAL for report in line.reports):
        # What becomes known after the final report is told all the same.
        return [ReportKind.FOLLOW_UP]
    return [ReportKind.FOLLOW_UP, ReportKind.FINAL]


def _offered(request: StaffRequest, line: CaseLine) -> dict[str, forms.Form]:
    """The forms of what this person may do now."""
    case = line.case
    offered: dict[str, forms.Form] = {}
    if case.closed_at is None and _may(request, line, Capability.REPORT_SAE):
        offered["describe"] = DescribeForm(
            initial={
                "version": case.version,
                "reporter": case.reporter,
                "suspected": case.suspected,
                "narrative": case.narrative,
            }
        )
        offered["awareness"] = AwarenessForm(
            initial={
                "aware_at": line.aware_local.replace(tzinfo=None),
                "version": case.version,
            },
            prefix="awareness",
        )
        if line.unsigned is None and _may(request, line, Capability.ENTER_DATA):
            wall = trial_now().astimezone(line.zone).replace(tzinfo=None)
            offered["paper"] = PaperForm(
                recipients=paper_recipients(request, line),
                initial={"submitted_at": wall, "recipients": sorted(line.owed_to)},
                prefix="paper",
            )
    versioned = {"version": case.version}
    if case.closed_at is None and any(
        _may(request, line, each) for each in (Capability.REPORT_SAE, Capability.MANAGE_SAFETY)
    ):
        offered["knew"] = SponsorKnewForm(initial=versioned, prefix="knew")
    if case.awaits_easing and case.closed_at is None and may_ease(case, request.user):
        offered["ease"] = DecisionForm(initial=versioned, prefix="ease")
    if _may(request, line, Capability.MANAGE_SAFETY):
        offered |= _managing(line)
    return offered


def _managing(line: CaseLine) -> dict[str, forms.Form]:
    """The forms of the sponsor's safety officer."""
    case, offered = line.case, dict[str, forms.Form]()
    if case.closed_at is None and line.expedited is not None:
        offered["expedited"] = ExpeditedForm(
            initial={"expedited": case.expedited or line.expedited, "version": case.version},
            prefix="expedited",
        )
    if case.awaits_agreement:
        offered["agree"] = DecisionForm(initial={"version": case.version}, prefix="agree")
    offered["close"] = DecisionForm(initial={"version": case.version}, prefix="close")
    return offered


def paper_recipients(request: StaffRequest, line: CaseLine) -> list[str]:
    """To whom this person may say that a report left on paper."""
    manages = _may(request, line, Capability.MANAGE_SAFETY)
    return [*SITE_RECIPIENTS, *([To.AUTHORITY] if manages else [])]


def recipients_for(request: StaffRequest, line: CaseLine, report: SaeReport) -> list[str]:
    """To whom this person may still say that the report was sent."""
    sent = {each.recipient for each in line.receipts if each.report_id == report.pk}
    mine: list[str] = []
    manages = _may(request, line, Capability.MANAGE_SAFETY)
    if manages or _may(request, line, Capability.REPORT_SAE):
        mine += SITE_RECIPIENTS
    if manages:
        mine.append(To.AUTHORITY)
    return [code for code in mine if code not in sent]


def _submission(
    request: StaffRequest,
    line: CaseLine,
    report: SaeReport,
    refused: tuple[str, forms.Form] | None,
) -> forms.Form | None:
    if refused is not None and refused[0] == f"send-{report.pk}":
        return refused[1]
    recipients = recipients_for(request, line, report)
    if not recipients:
        return None
    wall = trial_now().astimezone(line.zone).replace(tzinfo=None)
    return SubmissionForm(
        recipients=recipients, initial={"submitted_at": wall}, prefix=f"send-{report.pk}"
    )


def _receipt(
    request: StaffRequest,
    line: CaseLine,
    receipt: SaeReceipt,
    refused: tuple[str, forms.Form] | None,
) -> dict[str, Any]:
    """One sending, and what this person may do about it."""
    may = _may(request, line, Capability.MANAGE_SAFETY) or (
        receipt.recipient != To.AUTHORITY and _may(request, line, Capability.REPORT_SAE)
    )
    name = f"received-{receipt.pk}"
    form: forms.Form | None = None
    if refused is not None and refused[0] == name:
        form = refused[1]
    elif may and receipt.received_at is None:
        wall = trial_now().astimezone(line.zone).replace(tzinfo=None)
        form = ReceivedForm(initial={"received_at": wall}, auto_id=f"{name}-%s")
    return {
        "receipt": receipt,
        "form": form,
        "refused": refused is not None and refused[0] == name,
        "may_void": may and receipt.received_at is None,
        "may_void_receipt": may
        and receipt.received_at is not None
        and may_void_acknowledgement(receipt, request.user),
    }


@requires(Capability.VIEW_SAFETY)
@require_safe
def preview(request: StaffRequest, pk: uuid.UUID, language: str) -> HttpResponse:
    """The next report as it would be signed now, marked as a draft."""
    if language not in LANGUAGES:
        raise Http404
    line = found_line(request, pk)
    now = trial_now()
    content = content_of_report(
        line.case,
        line.event,
        kind=ReportKind.FOLLOW_UP if line.reports else ReportKind.INITIAL,
        number=len(line.reports),
        at=now,
    )
    made = paper(content, language=language, at=now)
    return _as_file(made, f"{line.number}-draft-{language}.pdf")


@requires(Capability.VIEW_SAFETY)
@require_safe
def report_pdf(request: StaffRequest, pk: uuid.UUID, language: str) -> HttpResponse:
    """A signed report as the paper that was kept when it was signed."""
    if language not in LANGUAGES:
        raise Http404
    seen = SaeReport.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    report = get_object_or_404(seen.select_related("case__subject", "record"), pk=pk)
    name = f"{report.case.subject.label}-SAE-{report.record.repeat_key}-{report.number}-{language}"
    if report.signature_id is None:
        # It left on paper: what was frozen then, and that nobody has signed it here.
        made = paper(
            report.content, language=language, at=report.made_at, digest=report.content_hash
        )
        return _as_file(made, f"{name}-draft.pdf")
    papers = SaeReportPdf.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    found = get_object_or_404(papers, report=report, language=language)
    return _as_file(bytes(found.content), f"{name}.pdf")


def _as_file(content: bytes, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="{get_valid_filename(name)}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
