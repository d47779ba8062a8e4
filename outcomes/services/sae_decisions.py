"""What the sponsor's safety officer decides about a case."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import Expedited, SaeCase, SaeReceipt, To
from outcomes.sae_clock import expedited_of
from outcomes.services.sae_cases import REMINDER, expect_open, locked_case
from outcomes.services.sae_deadlines import (
    Easing,
    derive_deadlines,
    easing_by,
    event_of_case,
    keep,
    keep_deadlines,
    may_ease,
    owed_of,
    take_up,
)
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce


@transaction.atomic
def confirm_expedited(
    *, case: SaeCase, expedited: str, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """The sponsor's word whether it is a SUSAR or a UADE, beside what the site's judgement
    gives; either way with a reason (clinical C12)."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if expedited not in Expedited.values:
        raise DomainError(_("Say what it is held for."))
    if not reason.strip():
        raise DomainError(_("Confirming needs a reason."))
    event = event_of_case(case)
    computed = expedited_of(event)
    if computed is None:
        raise TransitionError(
            _("The site has not yet judged cause and expectedness; nothing can be confirmed.")
        )
    with because(reason):
        case.expedited, case.expedited_by, case.expedited_at = expedited, by, trial_now()
        case.expedited_reason, case.expedited_of = reason.strip()[:500], computed
        keep(
            case, "expedited", "expedited_by", "expedited_at", "expedited_reason", "expedited_of",
        )  # fmt: skip
        derive_deadlines(
            case, event, reason=reason.strip(), by=by, easing=easing_by(case, by, reason)
        )
    announce(REMINDER)
    return case


@transaction.atomic
def agree_taken_back(
    *, case: SaeCase, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """Agree that an event is not serious, or was entered by mistake: what nobody was told of
    is no longer due. Where a report was sent, the case stays open until all who have it are
    told; where none was, it closes."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if not case.is_taken_back:
        raise TransitionError(_("The site holds this event for serious."))
    if case.agreed_at is not None:
        raise TransitionError(_("This has been agreed to already."))
    if not reason.strip():
        raise DomainError(_("Agreeing needs a reason."))
    with because(reason):
        _agree(case, reason, by)
        derive_deadlines(
            case, event_of_case(case), reason=reason.strip(), by=by, easing=Easing.DECIDED
        )
        if not SaeReceipt.objects.standing().filter(case=case).exists():
            _close(case, reason)
    announce(REMINDER)
    return case


@transaction.atomic
def agree_easing(
    *, case: SaeCase, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """Agree that a running deadline ends or lies later by what was changed of the event: an
    investigator of the site, or the sponsor's safety officer, with a reason. Until then the
    stricter deadline stands."""
    case = _awaiting_easing(case, by, seen_version)
    if not reason.strip():
        raise DomainError(_("Agreeing needs a reason."))
    with because(reason):
        derive_deadlines(
            case, event_of_case(case), reason=reason.strip(), by=by, easing=Easing.DECIDED
        )
    announce(REMINDER)
    return case


@transaction.atomic
def decline_easing(
    *, case: SaeCase, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """Decline it: the stricter deadline stands by this person's word, who might have agreed.
    Whatever would ease it later asks anew, and is no agreement by itself."""
    case = _awaiting_easing(case, by, seen_version)
    if not reason.strip():
        raise DomainError(_("Declining needs a reason."))
    with because(reason):
        keep_deadlines(case, event_of_case(case), reason=reason.strip(), by=by)
    announce(REMINDER)
    return case


def _awaiting_easing(case: SaeCase, by: User, seen_version: int | None) -> SaeCase:
    """The locked case of which this person may say whether a deadline is eased."""
    if not may_ease(case, by):
        by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if not case.awaits_easing:
        raise TransitionError(_("No deadline waits for an agreement."))
    return case


def _agree(case: SaeCase, reason: str, by: User) -> None:
    case.agreed_at, case.agreed_by = trial_now(), by
    case.agreed_reason = reason.strip()[:500]
    keep(case, "agreed_at", "agreed_by", "agreed_reason")


def _close(case: SaeCase, reason: str) -> None:
    case.closed_at, case.close_reason = trial_now(), reason.strip()[:500]
    keep(case, "closed_at", "close_reason")


@transaction.atomic
def close_case(*, case: SaeCase, reason: str, by: User, seen_version: int | None = None) -> SaeCase:
    """End the reporting: the sponsor's safety officer finds that nothing more is owed. Of
    what was taken back this is the agreement too."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if not reason.strip():
        raise DomainError(_("Closing a case needs a reason."))
    if owed_of(case):
        raise TransitionError(
            _("A report has not been sent to every recipient yet; the case stays open.")
        )
    if case.reports.filter(signature=None).exists():
        raise TransitionError(
            _("A report that was sent on paper is not signed yet; the case stays open.")
        )
    unconfirmed = SaeReceipt.objects.standing().filter(
        case=case, recipient=To.SPONSOR, received_at=None
    )
    if unconfirmed.exists():
        raise TransitionError(
            _("The sponsor’s receipt of a report is not entered yet; the case stays open.")
        )
    with because(reason):
        if case.awaits_agreement:
            _agree(case, reason, by)
        _close(case, reason)
    return case


@transaction.atomic
def reopen_case(
    *, case: SaeCase, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """Take the reporting up again: something new is known."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case, seen_version)
    if case.closed_at is None:
        raise TransitionError(_("This case is open."))
    if not event_of_case(case).is_sae or case.record.voided_at is not None:
        raise TransitionError(_("Its event is not serious; the event’s form comes first."))
    if not reason.strip():
        raise DomainError(_("Reopening needs a reason."))
    with because(reason):
        take_up(case)
    announce(REMINDER)
    return case
