"""Sending a report of a serious adverse event, and keeping each receipt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import (
    ReportKind,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SaeReport,
    Standing,
    To,
    Way,
)
from outcomes.sae_clock import answering
from outcomes.services.sae_cases import REMINDER, expect_open, locked_case
from outcomes.services.sae_deadlines import Easing, derive_deadlines, event_of_case
from outcomes.services.sae_papers import Carried, more_than_known, paper_of
from outcomes.services.sae_reports import expect_minimum, frozen, signature_stands
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.attachments import add_attachment
from trialsite.casebook.models import Attachment, AttachmentKind
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """That a report left: to whom, when on the trial's clock, and how."""

    recipient: str
    submitted_at: dt.datetime
    way: str


@transaction.atomic
def record_submission(
    *, report: SaeReport, sending: Sending, by: User, evidence: Attachment | None = None
) -> SaeReceipt:
    """Say that a report was sent to one recipient; the site for those of the site's clock,
    the safety officer for all.

    The sponsor counts as knowing from then on, until their receipt says when. What is not
    signed here yet was sent on paper, which is the evidence.
    """
    case = locked_case(report.case)
    require_for(case, sending.recipient, by)
    report = SaeReport.objects.select_related("signature").get(pk=report.pk)
    if report.signature is None and evidence is None:
        evidence = _paper_of(report)
    _expect_sending(case, report, sending, evidence)
    receipt = _sent(case, report, sending, by, evidence)
    _derive(case, by, _("The report was sent"))
    announce(REMINDER)
    return receipt


@transaction.atomic
def record_paper_report(
    *,
    case: SaeCase,
    sendings: Iterable[Sending],
    evidence: Attachment | File[bytes],
    by: User,
    carried: Carried | None = None,
) -> SaeReport:
    """Keep that a report left on paper, by fax or mail before anybody could sign it here.

    Frozen is what the paper carried, beside the paper itself: what is known now only where
    that was known when it left. Where the case has changed since, or was not entered yet, the
    person says what the paper carried (`carried`), which cannot be more than was known then.
    Its clocks are met as it was sent, by what it carried; its signature is owed.
    """
    by.require(Capability.REPORT_SAE, site=case.site_id)
    case, wanted = locked_case(case), list(sendings)
    expect_open(case)
    if not wanted:
        raise DomainError(_("Say to whom and how it was sent."))
    if case.reports.filter(signature=None).exists():
        raise TransitionError(_("The report that was sent on paper is to be signed first."))
    event = event_of_case(case)
    expect_minimum(case, event)
    for sending in wanted:
        require_for(case, sending.recipient, by)
        _expect_moment(sending)
        _expect_known(case, sending)
    number = case.reports.count()
    paper = paper_of(case, event, sent_at=min(each.submitted_at for each in wanted),
                     carried=carried)  # fmt: skip
    kind = ReportKind.FOLLOW_UP if number else ReportKind.INITIAL
    report = frozen(case, event, kind=kind, number=number, paper=paper)
    report.save(force_insert=True)
    if not isinstance(evidence, Attachment):
        evidence = kept_paper(case, evidence, _("Safety report as it was sent"), by)
    for sending in wanted:
        _expect_sending(case, report, sending, evidence)
        _sent(case, report, sending, by, evidence)
    _derive(case, by, _("The report was sent"))
    announce(REMINDER)
    return report


def _derive(case: SaeCase, by: User, reason: str) -> None:
    """The clocks by what was sent and received."""
    derive_deadlines(case, event_of_case(case), reason=reason, by=by, easing=Easing.PROVEN)


def _sent(
    case: SaeCase, report: SaeReport, sending: Sending, by: User, evidence: Attachment | None
) -> SaeReceipt:
    return SaeReceipt.objects.create(
        case=case,
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        report=report,
        recipient=sending.recipient,
        due_at=_due(case, report, sending.recipient),
        submitted_at=sending.submitted_at,
        way=sending.way,
        submitted_by=by,
        entered_at=trial_now(),
        evidence=evidence,
    )


def _expect_sending(
    case: SaeCase, report: SaeReport, sending: Sending, evidence: Attachment | None
) -> None:
    if sending.recipient not in To.values or sending.way not in Way.values:
        raise DomainError(_("Say to whom and how it was sent."))
    _expect_moment(sending)
    if report.signature is None or (evidence is not None and _left_on_paper(report)):
        _expect_paper(case, report, sending, evidence)
    else:
        _expect_signed(report, sending)
    if evidence is not None and evidence.subject_id != case.subject_id:
        raise DomainError(_("This document belongs to another subject."))
    if SaeReceipt.objects.standing().filter(report=report, recipient=sending.recipient).exists():
        raise TransitionError(_("This report has been sent to this recipient already."))


def _expect_moment(sending: Sending) -> None:
    if sending.submitted_at > trial_now():
        raise DomainError(_("It cannot have been sent in the future."))


def _expect_known(case: SaeCase, sending: Sending) -> None:
    if sending.submitted_at < case.aware_at.replace(second=0, microsecond=0):
        raise DomainError(
            _("It cannot have been sent before the site knew. Correct that moment first.")
        )


def _paper_of(report: SaeReport) -> Attachment | None:
    """The paper by which an unsigned report left: a further recipient got the same."""
    sent = SaeReceipt.objects.filter(report=report, evidence__voided_at=None)
    first = sent.exclude(evidence=None).select_related("evidence").first()
    return first.evidence if first else None


def _left_on_paper(report: SaeReport) -> bool:
    return SaeReceipt.objects.filter(report=report, evidence__isnull=False).exists()


def _expect_paper(
    case: SaeCase, report: SaeReport, sending: Sending, evidence: Attachment | None
) -> None:
    if evidence is None or evidence.voided_at is not None:
        raise DomainError(_("It is not signed here yet: keep the paper that was sent with it."))
    _expect_known(case, sending)
    since = case.standing_since.replace(second=0, microsecond=0)
    grave = case.standing == Standing.GRAVE and report.content["facts"]["grave"]
    if grave and sending.submitted_at < since:
        raise DomainError(more_than_known())


def _expect_signed(report: SaeReport, sending: Sending) -> None:
    if not signature_stands(report):
        raise TransitionError(
            _("The signature under this report no longer stands. Sign and send a further one.")
        )
    assert report.signed_at is not None
    if sending.submitted_at < report.signed_at.replace(second=0, microsecond=0):
        raise DomainError(_("It cannot have been sent before it was signed."))


def require_for(case: SaeCase, recipient: str, by: User) -> None:
    """The authority is the sponsor's; every other recipient is the site's to serve."""
    if by.can(Capability.MANAGE_SAFETY, site=case.site_id):
        return
    needed = Capability.MANAGE_SAFETY if recipient == To.AUTHORITY else Capability.REPORT_SAE
    by.require(needed, site=case.site_id)


def _due(case: SaeCase, report: SaeReport, recipient: str) -> dt.datetime | None:
    """The deadline this sending meets: the earliest that stands and is not met yet."""
    receipts = SaeReceipt.objects.standing().filter(case=case, recipient=recipient)
    sent = list(receipts.values_list("report__counts_as", flat=True))
    standing = SaeDeadline.objects.standing().filter(case=case, recipient=recipient)
    for deadline in standing.order_by("due_at"):
        if not answering(deadline, sent) and answering(deadline, [*sent, report.counts_as]):
            return deadline.due_at
    return None


def kept_paper(case: SaeCase, file: File[bytes], title: str, by: User) -> Attachment:
    """The paper among the subject's documents; a voided record takes none of its own."""
    return add_attachment(
        subject=case.subject,
        record=case.record if case.record.voided_at is None else None,
        file=file,
        title=title,
        kind=AttachmentKind.OTHER,
        by=by,
    )
