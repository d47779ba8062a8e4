"""Signing a report of a serious adverse event, sending it, and keeping each receipt."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import (
    ReportKind,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SaeReport,
    SaeReportPdf,
    To,
    Way,
)
from outcomes.sae_clock import lacking_of
from outcomes.selectors.sae_content import LANGUAGES, content_of_report
from outcomes.selectors.sae_paper import Signed, paper
from outcomes.services.sae_cases import (
    REMINDER,
    answers,
    derive_deadlines,
    event_of_case,
    locked_case,
)
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.attachments import add_attachment
from trialsite.casebook.models import AttachmentKind
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce
from trialsite.review.models import Sense
from trialsite.review.signatures import canonical, sign

#: The kind of the signature under a report.
SIGNED = "sae_report"
MEANING = gettext_lazy(
    "I have read this report of a serious adverse event. It says what I know of it at this moment."
)
#: Only what a valid report must have: participant, event, reporter, suspected cause.
_MINIMUM = ("reporter",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """That a report left: to whom, when on the trial's clock, and how."""

    recipient: str
    submitted_at: dt.datetime
    way: str


@transaction.atomic
def sign_report(
    *, case: SaeCase, kind: str, by: User, proof: SigningProof, seen_version: int
) -> SaeReport:
    """Freeze what is known now as the next report, signed by an investigator.

    The content is bound by the signature and kept as PDF in both languages. Raises
    TransitionError where the event was changed since the person read it.
    """
    case = locked_case(case)
    if case.closed_at is not None:
        raise TransitionError(_("This case is closed."))
    event = event_of_case(case)
    if event.record.version != seen_version:
        raise TransitionError(_("Somebody else changed this record. Read it again."))
    number = _next_number(case, kind)
    if set(_MINIMUM) & set(lacking_of(event, case)):
        raise DomainError(_("A report names its reporter. Please add who reported the event."))
    now = trial_now()
    key = uuid.uuid4()
    content = content_of_report(case, event, kind=kind, number=number, at=now)
    digest = hashlib.sha256(canonical(content).encode()).hexdigest()
    signature = sign(
        kind=SIGNED,
        target=key,
        content=digest,
        meaning=MEANING,
        by=by,
        proof=proof,
        record=case.record,
        sense=Sense.RESPONSIBILITY,
    )
    report = SaeReport.objects.create(
        id=key,
        **_of(case),
        number=number,
        kind=kind,
        content=content,
        content_hash=digest,
        lacking=lacking_of(event, case),
        record_version=event.record.version,
        signature=signature,
        signed_at=signature.trial_at,
        signed_by=by,
    )
    _keep_papers(report, by)
    return report


def _of(case: SaeCase) -> dict[str, object]:
    return {
        "case": case,
        "site_id": case.site_id,
        "subject_id": case.subject_id,
        "record_id": case.record_id,
    }


def _next_number(case: SaeCase, kind: str) -> int:
    kinds = list(case.reports.order_by("number").values_list("kind", flat=True))
    if kind not in ReportKind.values:
        raise DomainError(_("This is no kind of report."))
    if (kind == ReportKind.INITIAL) != (not kinds):
        raise TransitionError(
            _("The first report is the initial one, every later one is a follow-up or the final.")
        )
    # After the final one too: what becomes known later is a follow-up (E6(R3) 2.7.2).
    if kind == ReportKind.FINAL and kind in kinds:
        raise TransitionError(_("The final report is signed already."))
    return len(kinds)


def _keep_papers(report: SaeReport, by: User) -> None:
    signed = Signed(
        name=by.full_name,
        role=report.signature.role,
        meaning=report.signature.meaning,
        at=report.signed_at,
        zone=report.signature.time_zone,
    )
    for language in LANGUAGES:
        made = paper(
            report.content,
            language=language,
            at=report.signed_at,
            digest=report.content_hash,
            signed=signed,
        )
        SaeReportPdf.objects.create(
            report=report,
            site_id=report.site_id,
            subject_id=report.subject_id,
            record_id=report.record_id,
            language=language,
            content=made,
            sha256=hashlib.sha256(made).hexdigest(),
        )


@transaction.atomic
def record_submission(*, report: SaeReport, sending: Sending, by: User) -> SaeReceipt:
    """Say that a report was sent to one recipient; the site for those of the site's clock,
    the safety officer for all."""
    case = locked_case(report.case)
    _require_for(case, sending.recipient, by)
    if sending.recipient not in To.values or sending.way not in Way.values:
        raise DomainError(_("Say to whom and how it was sent."))
    if sending.submitted_at > trial_now():
        raise DomainError(_("It cannot have been sent in the future."))
    if sending.submitted_at < report.signed_at.replace(second=0, microsecond=0):
        raise DomainError(_("It cannot have been sent before it was signed."))
    if SaeReceipt.objects.standing().filter(report=report, recipient=sending.recipient).exists():
        raise TransitionError(_("This report has been sent to this recipient already."))
    receipt = SaeReceipt.objects.create(
        **_of(case),
        report=report,
        recipient=sending.recipient,
        due_at=_due(case, report, sending.recipient),
        submitted_at=sending.submitted_at,
        way=sending.way,
        submitted_by=by,
        entered_at=trial_now(),
    )
    announce(REMINDER)
    return receipt


def _require_for(case: SaeCase, recipient: str, by: User) -> None:
    """The authority is the sponsor's; every other recipient is the site's to serve."""
    if by.can(Capability.MANAGE_SAFETY, site=case.site_id):
        return
    needed = Capability.MANAGE_SAFETY if recipient == To.AUTHORITY else Capability.REPORT_SAE
    by.require(needed, site=case.site_id)


def _due(case: SaeCase, report: SaeReport, recipient: str) -> dt.datetime | None:
    """The deadline this sending meets: the earliest that stands and is not met yet."""
    receipts = SaeReceipt.objects.standing().filter(case=case, recipient=recipient)
    sent = list(receipts.values_list("report__number", flat=True))
    standing = SaeDeadline.objects.standing().filter(case=case, recipient=recipient)
    for deadline in standing.order_by("due_at"):
        met = answers(deadline)
        if met(report.number) and not any(map(met, sent)):
            return deadline.due_at
    return None


@transaction.atomic
def record_receipt(
    *,
    receipt: SaeReceipt,
    received_at: dt.datetime,
    number: str,
    by: User,
    file: File[bytes] | None = None,
) -> SaeReceipt:
    """Keep that a recipient has the report, with its number and its paper.

    The sponsor's receipt is the sponsor's awareness: from it their own clocks run.
    """
    case = locked_case(receipt.case)
    _require_for(case, receipt.recipient, by)
    receipt = SaeReceipt.objects.select_for_update(no_key=True).get(pk=receipt.pk)
    if receipt.voided_at is not None or receipt.received_at is not None:
        raise TransitionError(_("The receipt of this report is kept already."))
    if not receipt.submitted_at <= received_at <= trial_now():
        raise DomainError(_("It was received between the sending and now."))
    receipt.received_at, receipt.acknowledged_by = received_at, by
    receipt.receipt_number = number.strip()[:100]
    if file is not None:
        receipt.attachment = add_attachment(
            subject=case.subject,
            record=case.record,
            file=file,
            title=_("Receipt of a safety report: %(to)s") % {"to": receipt.get_recipient_display()},
            kind=AttachmentKind.OTHER,
            by=by,
        )
    receipt.save(update_fields=["received_at", "acknowledged_by", "receipt_number", "attachment"])
    if receipt.recipient == To.SPONSOR:
        derive_deadlines(case, event_of_case(case), reason=_("The sponsor received the report"))
    announce(REMINDER)
    return receipt


@transaction.atomic
def void_receipt(*, receipt: SaeReceipt, reason: str, by: User) -> SaeReceipt:
    """Take back that a report was sent: it was entered by mistake. Its clock runs again."""
    case = locked_case(receipt.case)
    _require_for(case, receipt.recipient, by)
    receipt = SaeReceipt.objects.select_for_update(no_key=True).get(pk=receipt.pk)
    if receipt.voided_at is not None:
        raise TransitionError(_("This entry is voided already."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        receipt.voided_at, receipt.void_reason = trial_now(), reason.strip()[:500]
        receipt.save(update_fields=["voided_at", "void_reason"])
        # What was reminded of before that sending may be reminded of anew.
        case.clock_version += 1
        case.save(update_fields=["clock_version"])
        if receipt.recipient == To.SPONSOR:
            derive_deadlines(case, event_of_case(case), reason=reason.strip())
    announce(REMINDER)
    return receipt
