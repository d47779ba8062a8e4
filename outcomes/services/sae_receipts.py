"""The receipts that recipients gave of a report, and taking back what was entered by mistake."""

from __future__ import annotations

import datetime as dt

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import SaeCase, SaeReceipt, To, VoidedAcknowledgement
from outcomes.services.sae_cases import REMINDER, locked_case
from outcomes.services.sae_deadlines import (
    Easing,
    derive_deadlines,
    easing_by,
    event_of_case,
    take_up,
)
from outcomes.services.sae_sending import kept_paper, require_for
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce


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

    The sponsor's receipt is the sponsor's awareness, from which their own clocks run: their
    safety officer enters it, or the paper proves it. Of another recipient the number does.
    """
    case = locked_case(receipt.case)
    require_for(case, receipt.recipient, by)
    receipt = SaeReceipt.objects.select_for_update(no_key=True, of=("self",)).get(pk=receipt.pk)
    if receipt.voided_at is not None or receipt.received_at is not None:
        raise TransitionError(_("The receipt of this report is kept already."))
    if not receipt.submitted_at <= received_at <= trial_now():
        raise DomainError(_("It was received between the sending and now."))
    own = receipt.recipient == To.SPONSOR and by.can(Capability.MANAGE_SAFETY, site=case.site_id)
    _expect_proof(receipt, own=own, number=number, file=file)
    receipt.received_at, receipt.acknowledged_by = received_at, by
    receipt.receipt_number, receipt.by_recipient = number.strip()[:100], own
    receipt.kept_at = trial_now()
    if file is not None:
        title = _("Receipt of a safety report: %(to)s") % {"to": receipt.get_recipient_display()}
        receipt.attachment = kept_paper(case, file, title, by)
    _save_receiving(receipt)
    if receipt.recipient == To.SPONSOR:
        derive_deadlines(
            case,
            event_of_case(case),
            reason=_("The sponsor received the report"),
            by=by,
            easing=Easing.PROVEN,
        )
    announce(REMINDER)
    return receipt


def _expect_proof(receipt: SaeReceipt, *, own: bool, number: str, file: File[bytes] | None) -> None:
    if own or file is not None:
        return
    if receipt.recipient == To.SPONSOR:
        raise DomainError(
            _("The sponsor’s receipt needs its paper, or the sponsor’s safety officer enters it.")
        )
    if not number.strip():
        raise DomainError(_("Give the number of the receipt, or its paper."))


def _save_receiving(receipt: SaeReceipt) -> None:
    receipt.save(
        update_fields=[
            "received_at",
            "acknowledged_by",
            "receipt_number",
            "by_recipient",
            "kept_at",
            "attachment",
        ]
    )


def may_void_acknowledgement(receipt: SaeReceipt, by: User) -> bool:
    """Whoever entered a receipt takes it back, or the safety officer."""
    return receipt.acknowledged_by_id == by.pk or by.can(
        Capability.MANAGE_SAFETY, site=receipt.site_id
    )


@transaction.atomic
def void_acknowledgement(*, receipt: SaeReceipt, reason: str, by: User) -> SaeReceipt:
    """Take back a receipt that was entered by mistake; that the report was sent stays. What
    stood is kept, and the sponsor's clock counts from the sending again."""
    case = locked_case(receipt.case)
    require_for(case, receipt.recipient, by)
    receipt = SaeReceipt.objects.select_for_update(no_key=True, of=("self",)).get(pk=receipt.pk)
    if receipt.received_at is None:
        raise TransitionError(_("No receipt is kept of this sending."))
    if not may_void_acknowledgement(receipt, by):
        by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        _keep_voided(receipt, reason, by)
        receipt.received_at, receipt.acknowledged_by, receipt.kept_at = None, None, None
        receipt.receipt_number, receipt.by_recipient, receipt.attachment = "", False, None
        _save_receiving(receipt)
        if case.closed_at is not None and receipt.recipient == To.SPONSOR:
            take_up(case)
        derive_deadlines(
            case,
            event_of_case(case),
            reason=reason.strip(),
            by=by,
            easing=easing_by(case, by, reason),
        )
    announce(REMINDER)
    return receipt


def _keep_voided(receipt: SaeReceipt, reason: str, by: User) -> None:
    assert receipt.received_at is not None
    assert receipt.kept_at is not None
    assert receipt.acknowledged_by is not None
    VoidedAcknowledgement.objects.create(
        site_id=receipt.site_id,
        subject_id=receipt.subject_id,
        record_id=receipt.record_id,
        receipt=receipt,
        received_at=receipt.received_at,
        receipt_number=receipt.receipt_number,
        acknowledged_by=receipt.acknowledged_by,
        kept_at=receipt.kept_at,
        by_recipient=receipt.by_recipient,
        attachment_id=receipt.attachment_id,
        voided_at=trial_now(),
        voided_by=by,
        void_reason=reason.strip()[:500],
    )


@transaction.atomic
def void_receipt(*, receipt: SaeReceipt, reason: str, by: User) -> SaeReceipt:
    """Take back that a report was sent: it was entered by mistake. Its clock runs again, and
    a case that was closed on the strength of it is open again. What a recipient has
    acknowledged was sent: its receipt is voided first. A clock of the sponsor's that began
    with it stands until an investigator or the safety officer agrees."""
    case = locked_case(receipt.case)
    require_for(case, receipt.recipient, by)
    receipt = SaeReceipt.objects.select_for_update(no_key=True, of=("self",)).get(pk=receipt.pk)
    if receipt.voided_at is not None:
        raise TransitionError(_("This entry is voided already."))
    if receipt.received_at is not None:
        raise TransitionError(
            _("The recipient has acknowledged this report: void its receipt first.")
        )
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        receipt.voided_at, receipt.void_reason = trial_now(), reason.strip()[:500]
        receipt.save(update_fields=["voided_at", "void_reason"])
        _run_again(case)
        derive_deadlines(
            case,
            event_of_case(case),
            reason=reason.strip(),
            by=by,
            easing=easing_by(case, by, reason),
        )
    announce(REMINDER)
    return receipt


def _run_again(case: SaeCase) -> None:
    if case.closed_at is not None:
        take_up(case)
    else:
        # What was reminded of before that sending may be reminded of anew.
        case.clock_version += 1
        case.save(update_fields=["clock_version"])
