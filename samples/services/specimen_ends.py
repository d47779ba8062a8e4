"""Specimens that ended, were found again or never were so; times put right."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import OVER, CustodyEvent, CustodyKind, Specimen
from samples.services.consenting import collection_refusal
from samples.services.freezing import end_freezing, judge_freezing
from samples.services.holding import demand, fresh, held_for
from samples.services.log import Happening, enter, held_specimen, hold_participants
from samples.services.refusing import sample_refusals
from samples.services.withdrawals import demand_witness, follow_late_entry, is_listed
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError

#: How a specimen can end before it was aliquoted.
ENDS = (CustodyKind.DISCARDED, CustodyKind.DESTROYED, CustodyKind.LOST)


@transaction.atomic
def end_specimen(
    *,
    specimen: Specimen,
    kind: CustodyKind,
    reason: str,
    by: User,
    at: dt.datetime | None = None,
    witness: User | None = None,
) -> Specimen:
    """A specimen was discarded, destroyed or lost before it was aliquoted. A second person
    witnesses destroying, and discarding once the consent for samples is withdrawn."""
    specimen = held_for(specimen, by)
    if kind not in ENDS:
        raise DomainError(_("A specimen is discarded, destroyed or lost."))
    if specimen.state == kind:
        return specimen
    demand(reason)
    seen_by = demand_witness(specimen, kind, by=by, at=at, witness=witness)
    said = Happening(at=at, reason=reason, witness=seen_by)
    enter(specimen, kind, by, said)
    return fresh(specimen)


@transaction.atomic
def find_specimen(
    *, specimen: Specimen, reason: str, by: User, at: dt.datetime | None = None
) -> Specimen:
    """A lost specimen was found again; it is as far as it was when it was lost."""
    specimen = held_for(specimen, by)
    demand(reason)
    enter(specimen, CustodyKind.FOUND, by, Happening(at=at, reason=reason))
    follow_late_entry(specimen.subject, by)
    return fresh(specimen)


@transaction.atomic
def correct_time(*, event: CustodyEvent, at: dt.datetime, reason: str, by: User) -> CustodyEvent:
    """Put the time of an event right; the event and its correction both stay.

    Whether the specimen was frozen in time is judged anew.
    """
    by.require(Capability.HANDLE_SAMPLES, site=event.site_id)
    demand(reason)
    hold_participants([event.subject_id])
    sample = event.aliquot or event.specimen
    if event.kind == CustodyKind.COLLECTED:
        specimen = held_specimen(event.specimen)
        # To put a time right attempts no procedure: nothing is noted (C4).
        if refusal := collection_refusal(specimen, at, event.time_zone):
            raise ImpossibleError({"happened_at": [refusal]})
    correction = enter(
        sample,
        CustodyKind.CORRECTED,
        by,
        Happening(at=at, zone=event.time_zone, reason=reason, corrects=event),
    )
    with because(reason.strip()):
        judge_freezing(fresh(event.specimen))
    return correction


@transaction.atomic
def void_specimen(*, specimen: Specimen, reason: str, by: User) -> Specimen:
    """Take out a specimen that was never so; it keeps its number.

    One with aliquots that are still somewhere is not voided: they are discarded first. Nor
    is one that is to be destroyed after a withdrawal: it is destroyed or explained first.
    """
    specimen = held_for(specimen, by)
    demand(reason)
    if specimen.aliquots.exclude(state__in=OVER).exists():
        raise TransitionError(
            _("Aliquots of it are still kept. Discard them first, with the reason.")
        )
    if is_listed(specimen):
        raise TransitionError(
            _("It is to be destroyed after a withdrawal. Enter first what became of it.")
        )
    specimen.voided_at, specimen.voided_by = trial_now(), by
    specimen.void_reason = reason.strip()[:500]
    with because(specimen.void_reason), sample_refusals(Specimen):
        specimen.save(update_fields=["voided_at", "voided_by", "void_reason"])
        end_freezing(specimen)
    return specimen
