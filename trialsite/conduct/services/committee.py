"""Recording what a safety review decided, at a gate or about the study as a whole."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import (
    GateFacts,
    gate_facts,
    review_due_at,
    study_facts,
    subject_states,
)
from trialsite.conduct.models import OPENING, Decision, GateReview, SafetySnapshot
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.reviews import content_of_review, last_review, released_by, standing_reviews
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol.proposals import GateKind, GateProposal
from trialsite.review.signatures import sign

REVIEWED = "gate_reviewed"

REVIEW_MEANING: Promise = gettext_lazy(
    "I record the decision of this safety review as it stands in the named document."
)


@transaction.atomic
def record_review(
    *,
    version: ProtocolVersion,
    gate: str,
    decision: Decision,
    meeting_on: dt.date,
    document: str,
    by: User,
    proof: SigningProof,
    comment: str = "",
    next_after: int | None = None,
    next_on: dt.date | None = None,
    covers: Collection[uuid.UUID] = (),
    snapshot: SafetySnapshot | None = None,
) -> GateReview:
    """Record what a safety review decided at a gate, by signature.

    A review that lets the study go on needs what it reviews: as many subjects with data of
    the gate's day as the gate asks for; at a sentinel gate the subjects it lets pass, who died
    or left without those data (`covers`). Pausing and stopping need nothing. Without a gate
    it is a review of the study as a whole, of a snapshot: it neither opens nor closes a gate
    and holds nothing; whoever may hold places the hold that was decided.
    """
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    decide_under_holds(changing=True)
    before = GateReview.objects.filter(gate=gate).order_by("-number").first()
    _expect_dated(document, meeting_on, next_on)
    found = _reviewed_gate(version, gate) if gate else None
    facts = _facts(version, found, decision, covers) if found else _facts_of_study(snapshot, covers)
    _expect_next(found, next_after, facts)
    review = GateReview(
        pk=uuid.uuid4(),
        gate=gate,
        number=1 if before is None else before.number + 1,
        version=version,
        decision=decision,
        meeting_on=meeting_on,
        document=document.strip(),
        comment=comment.strip(),
        enrolled=facts.enrolled,
        with_data=facts.with_data,
        next_after=next_after,
        next_on=next_on,
        covers=sorted(set(covers)),
        snapshot=snapshot,
        recorded_by=by,
        recorded_at=TrialNow(),
    )
    review.signature = sign(
        kind=REVIEWED,
        target=review.pk,
        content=content_of_review(review),
        meaning=REVIEW_MEANING,
        by=by,
        proof=proof,
    )
    review.save(force_insert=True)
    review.refresh_from_db()
    return review


def _facts_of_study(snapshot: SafetySnapshot | None, covers: Collection[uuid.UUID]) -> GateFacts:
    if snapshot is None:
        raise DomainError(_("A review of the whole study names its snapshot."))
    if covers:
        raise DomainError(_("Only a review at a gate lets subjects pass."))
    return study_facts()


def _facts(
    version: ProtocolVersion,
    gate: GateProposal,
    decision: Decision,
    covers: Collection[uuid.UUID],
) -> GateFacts:
    """The study at this moment, after whatever the gate demands of the review."""
    protocol, reviews = protocol_of(version.pk), standing_reviews(gate.key)
    released = released_by(reviews)
    facts = gate_facts(gate, protocol, released)
    if gate.kind is GateKind.SENTINEL:
        states = subject_states(gate, protocol, released)
        may = {key for key, state in states.items() if state.reviewable}
        _expect_covers(decision, set(covers), may, last_review(gate.key))
        return facts
    if covers:
        raise DomainError(_("This gate looks at no subject by itself."))
    due_at = review_due_at(gate, next(iter(reviews), None))
    if decision in OPENING and facts.with_data < due_at:
        raise DomainError(
            _("%(found)d of %(needed)d subjects have data of day %(day)d. Before that a review "
              "can pause or stop the study, not let it go on.")
            % {"found": facts.with_data, "needed": due_at, "day": gate.day}
        )  # fmt: skip
    return facts


def _expect_covers(
    decision: Decision, covers: set[uuid.UUID], may: set[uuid.UUID], last: GateReview | None
) -> None:
    """Whom a review at a sentinel gate lets pass: those who need it, and by going on only."""
    if covers and decision not in OPENING:
        raise DomainError(_("A review that pauses or stops lets nobody pass."))
    if not covers <= may:
        raise DomainError(
            _("One of these subjects has not come to the day yet, or needs no review any more. "
              "Open this page again.")
        )  # fmt: skip
    resumes = last is not None and last.decision not in OPENING
    if decision in OPENING and not covers and not resumes:
        raise DomainError(_("Choose the subjects whom this review lets pass."))


def _expect_next(gate: GateProposal | None, next_after: int | None, facts: GateFacts) -> None:
    if next_after is None:
        return
    if gate is not None and gate.kind is GateKind.SENTINEL:
        raise DomainError(_("This gate asks of every subject anew: it has no number to wait for."))
    if gate is None or next_after <= facts.enrolled:
        raise DomainError(_("The next review must come after the next subject."))


def _reviewed_gate(version: ProtocolVersion, key: str) -> GateProposal:
    for gate in protocol_of(version.pk).proposals.gates:
        if gate.key == key:
            return gate
    raise TransitionError(_("This version of the protocol proposes no such review."))


def _expect_dated(document: str, meeting_on: dt.date, next_on: dt.date | None) -> None:
    if not document.strip():
        raise DomainError(_("Name the document of the review."))
    if meeting_on > trial_now().date() + dt.timedelta(days=1):
        raise DomainError(_("This date lies in the future."))
    if next_on is not None and next_on < meeting_on:
        raise DomainError(_("The next review cannot lie before this one."))
