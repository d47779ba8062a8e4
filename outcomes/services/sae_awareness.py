"""That the sponsor knew of a serious event otherwise than by a report sent from here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import KnownBy, SaeCase, SponsorAwareness
from outcomes.services.sae_cases import REMINDER, expect_open, locked_case
from outcomes.services.sae_deadlines import Easing, derive_deadlines, easing_by, event_of_case
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """When the sponsor knew, how, who told it, and what of the event was known."""

    known_at: dt.datetime
    source: str
    told: str
    grave: bool = False
    suspected: bool = False


@transaction.atomic
def record_sponsor_awareness(
    *, case: SaeCase, knowledge: Knowledge, by: User, seen_version: int | None = None
) -> SponsorAwareness:
    """Enter that the sponsor knew: their clocks run from the earliest such moment (C13).

    The site and the sponsor's safety officer both may, for it starts a clock or lays it
    earlier and never later: a receipt that proves an earlier knowledge goes on counting.
    """
    if not by.can(Capability.MANAGE_SAFETY, site=case.site_id):
        by.require(Capability.REPORT_SAE, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if knowledge.source not in KnownBy.values or not knowledge.told.strip():
        raise DomainError(_("Say who told whom what."))
    if knowledge.known_at > trial_now():
        raise DomainError(_("The sponsor cannot have known in the future."))
    kept = SponsorAwareness.objects.create(
        case=case,
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        known_at=knowledge.known_at,
        source=knowledge.source,
        told=knowledge.told.strip()[:500],
        grave=knowledge.grave,
        suspected=knowledge.suspected,
        entered_by=by,
        entered_at=trial_now(),
    )
    derive_deadlines(
        case, event_of_case(case), reason=_("The sponsor knew"), by=by, easing=Easing.ASKED
    )
    announce(REMINDER)
    return kept


@transaction.atomic
def void_sponsor_awareness(
    *, awareness: SponsorAwareness, reason: str, by: User
) -> SponsorAwareness:
    """Take back such an entry: the sponsor's safety officer alone, for a clock may begin later
    or not at all without it."""
    by.require(Capability.MANAGE_SAFETY, site=awareness.site_id)
    case = locked_case(awareness.case)
    awareness = SponsorAwareness.objects.select_for_update(no_key=True, of=("self",)).get(
        pk=awareness.pk
    )
    if awareness.voided_at is not None:
        raise TransitionError(_("This entry is voided already."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        awareness.voided_at, awareness.voided_by = trial_now(), by
        awareness.void_reason = reason.strip()[:500]
        awareness.save(update_fields=["voided_at", "voided_by", "void_reason"])
        derive_deadlines(
            case,
            event_of_case(case),
            reason=reason.strip(),
            by=by,
            easing=easing_by(case, by, reason),
        )
    announce(REMINDER)
    return awareness
