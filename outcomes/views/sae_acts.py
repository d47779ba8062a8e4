"""What is done about a case: describe, correct, send, receive, confirm, agree, close."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from outcomes.models import SaeReceipt, SaeReport, SponsorAwareness, UnreportedDeath
from outcomes.sae_forms import (
    AwarenessForm,
    DecisionForm,
    DescribeForm,
    ExpeditedForm,
    PaperForm,
    ReceivedForm,
    SponsorKnewForm,
    SubmissionForm,
    VersionedForm,
    moment,
)
from outcomes.selectors.sae_board import CaseLine
from outcomes.services.sae_awareness import (
    Knowledge,
    record_sponsor_awareness,
    void_sponsor_awareness,
)
from outcomes.services.sae_cases import correct_awareness, describe_case
from outcomes.services.sae_deaths import settle_death
from outcomes.services.sae_decisions import (
    agree_easing,
    agree_taken_back,
    close_case,
    confirm_expedited,
    decline_easing,
    reopen_case,
)
from outcomes.services.sae_receipts import (
    record_receipt,
    void_acknowledgement,
    void_receipt,
)
from outcomes.services.sae_sending import Sending, record_paper_report, record_submission
from outcomes.views.safety import (
    board_page,
    case_page,
    found_line,
    paper_recipients,
    recipients_for,
)
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError


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
        except StaleError as stale:
            form.add_error(None, str(stale))
            if isinstance(form, VersionedForm):
                form.move_on(stale.version)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("outcomes:sae_case", line.case.pk)
    return case_page(request, found_line(request, line.case.pk), refused=(name, form))


def _said(form: forms.Form) -> dict[str, object]:
    """What the form says, as the services name it."""
    said = dict(form.cleaned_data)
    return {"seen_version": said.pop("version"), **said}


def _decide(
    request: StaffRequest,
    pk: uuid.UUID,
    name: str,
    service: Callable[..., object],
    done: str,
    form_class: type[VersionedForm] = DecisionForm,
) -> HttpResponse:
    """An act whose form says what its service asks, from the version that was read."""
    line, form = found_line(request, pk), form_class(request.POST, prefix=name)
    return _act(
        request,
        line,
        form,
        name,
        lambda: service(case=line.case, by=request.user, **_said(form)),
        done,
    )


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
        lambda: describe_case(case=line.case, by=request.user, **_said(form)),  # type: ignore[arg-type]
        _("Kept for the next report."),
    )


@requires(Capability.REPORT_SAE)
@require_POST
def awareness(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Correct the moment the clocks count from, with a reason."""
    done = _("The moment is corrected. The deadlines that stood are kept below.")
    return _decide(request, pk, "awareness", correct_awareness, done, AwarenessForm)


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
    form = ReceivedForm(request.POST, request.FILES, auto_id=f"received-{pk}-%s")

    def act() -> None:
        data = form.cleaned_data
        record_receipt(
            receipt=receipt,
            received_at=moment(data["received_at"], line.case.site.time_zone),
            number=data["receipt_number"],
            file=data["file"],
            by=request.user,
        )

    return _act(request, line, form, f"received-{pk}", act, _("The receipt is kept."))


def _void(
    request: StaffRequest,
    line: CaseLine,
    act: Callable[[str], object],
    said: dict[str, object],
    done: str,
) -> HttpResponse:
    """Ask for the reason, then take back what was entered by mistake."""
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act(form.cleaned_data["reason"])
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("outcomes:sae_case", line.case.pk)
    context = {"form": form, "line": line, "zone": line.case.site.time_zone, **said}
    status = 422 if form.errors else 200
    return render(request, "outcomes/sae_void.html", context, status=status)


def _void_of_receipt(
    request: StaffRequest,
    pk: uuid.UUID,
    service: Callable[..., object],
    heading: str,
    hint: str,
    done: str,
) -> HttpResponse:
    """Void a sending, or the receipt that was entered of it."""
    receipt = _receipt(request, pk)
    return _void(
        request,
        found_line(request, receipt.case_id),
        lambda reason: service(receipt=receipt, reason=reason, by=request.user),
        {"heading": heading, "receipt": receipt, "hint": hint},
        done,
    )


@requires(Capability.VIEW_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def unsend(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back a sending that was entered by mistake; its clock runs again."""
    hint = _(
        "Only what was entered by mistake is voided. It stays in the trail, and the clock of "
        "this recipient runs again."
    )
    done = _("The entry is voided. Its clock runs again.")
    return _void_of_receipt(request, pk, void_receipt, _("Void a sending"), hint, done)


@requires(Capability.VIEW_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def unreceive(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back a receipt that was entered by mistake; that it was sent stays."""
    hint = _(
        "Only who entered it or the safety officer voids a receipt. It is kept among the "
        "voided entries; that the report was sent stays."
    )
    done = _("The receipt is voided. That the report was sent stays.")
    return _void_of_receipt(request, pk, void_acknowledgement, _("Void a receipt"), hint, done)


@requires(Capability.VIEW_SAFETY)
@require_POST
def sponsor_knew(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Enter that the sponsor knew otherwise; their clocks count from the earliest."""
    line, form = found_line(request, pk), SponsorKnewForm(request.POST, prefix="knew")

    def act() -> None:
        said = _said(form)
        version = said.pop("seen_version")
        said["known_at"] = moment(form.cleaned_data["known_at"], line.case.site.time_zone)
        record_sponsor_awareness(
            case=line.case,
            knowledge=Knowledge(**said),  # type: ignore[arg-type]
            by=request.user,
            seen_version=version,  # type: ignore[arg-type]
        )

    done = _("Kept. The sponsor’s clocks count from the earliest moment they knew.")
    return _act(request, line, form, "knew", act, done)


@requires(Capability.MANAGE_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def sponsor_knew_not(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back such an entry; a clock may then begin later."""
    seen = SponsorAwareness.objects.visible_to(request.user, Capability.MANAGE_SAFETY)
    awareness = get_object_or_404(seen.select_related("case__site"), pk=pk)
    return _void(
        request,
        found_line(request, awareness.case_id),
        lambda reason: void_sponsor_awareness(awareness=awareness, reason=reason, by=request.user),
        {"heading": _("Void what the sponsor knew"), "awareness": awareness, "hint": _(
            "The sponsor’s clocks then count from the next moment they knew, or end."
        )},
        _("The entry is voided."),
    )  # fmt: skip


@requires(Capability.VIEW_SAFETY)
@require_POST
def ease(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Agree that a running deadline ends or lies later: an investigator or the officer."""
    done = _("Agreed. The deadline that stood is kept below.")
    return _decide(request, pk, "ease", agree_easing, done)


@requires(Capability.VIEW_SAFETY)
@require_POST
def decline(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Decline it, of the same form: the stricter deadline stands."""
    return _decide(request, pk, "ease", decline_easing, _("Declined. The deadline stands."))


@requires(Capability.MANAGE_SAFETY)
@require_POST
def confirm(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The sponsor's word whether it is a SUSAR or a UADE."""
    done = _("The sponsor’s word is kept.")
    return _decide(request, pk, "expedited", confirm_expedited, done, ExpeditedForm)


@requires(Capability.MANAGE_SAFETY)
@require_POST
def close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Close a case, or take a closed one up again."""
    if found_line(request, pk).case.closed_at is not None:
        return _decide(request, pk, "close", reopen_case, _("The case is open again."))
    return _decide(request, pk, "close", close_case, _("The case is closed."))


@requires(Capability.MANAGE_SAFETY)
@require_POST
def agree(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Agree that what the site has taken back is no longer reported."""
    done = _("Agreed. What nobody was told of is no longer due.")
    return _decide(request, pk, "agree", agree_taken_back, done)


@requires(Capability.REPORT_SAE)
@require_POST
def paper(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Keep that a report left on paper before it was signed here."""
    line = found_line(request, pk)
    form = PaperForm(
        request.POST, request.FILES, recipients=paper_recipients(request, line), prefix="paper"
    )

    def act() -> None:
        data = form.cleaned_data
        at = moment(data["submitted_at"], line.case.site.time_zone)
        record_paper_report(
            case=line.case,
            sendings=[
                Sending(recipient=to, submitted_at=at, way=data["way"]) for to in data["recipients"]
            ],
            evidence=data["file"],
            carried=form.carried(),
            by=request.user,
        )

    done = _("Kept as sent on paper. Its signature is still owed.")
    return _act(request, line, form, "paper", act, done)


@requires(Capability.MANAGE_SAFETY)
@require_POST
def settle(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Say that of a recorded death no serious adverse event is to be reported."""
    seen = UnreportedDeath.objects.visible_to(request.user, Capability.MANAGE_SAFETY)
    death = get_object_or_404(seen, pk=pk)
    form = ReasonForm(request.POST, prefix=f"death-{pk}")
    if form.is_valid():
        try:
            settle_death(death=death, reason=form.cleaned_data["reason"], by=request.user)
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("Kept: of this death no report is owed."))
            return redirect("outcomes:safety")
    return board_page(request, refused=(pk, form))
