"""Recording what a safety review decided, at a gate or about the study as a whole."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import OPENING, GateFacts, gate_facts, review_due_at, study_facts
from trialsite.conduct.models import Decision, GateReview, SafetySnapshot
from trialsite.conduct.order import decide_under_holds
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol.proposals import GateKind, GateProposal
from trialsite.review.signatures import canonical, sign

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
    snapshot: SafetySnapshot | None = None,
) -> GateReview:
    """Record what a safety review decided at a gate, by signature.

    A review that lets the study go on needs the data it reviews: as many subjects with data
    of the gate's day as the gate asks for. Pausing and stopping need nothing. Without a gate
    it is a review of the study as a whole, of a snapshot: it neither opens nor closes a gate
    and holds nothing; whoever may hold places the hold that was decided.
    """
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    decide_under_holds(changing=True)
    before = GateReview.objects.filter(gate=gate).order_by("-number").first()
    _expect_dated(document, meeting_on, next_on)
    facts = _facts(version, gate, decision, before, snapshot)
    if next_after is not None and (not gate or next_after <= facts.enrolled):
        raise DomainError(_("The next review must come after the next subject."))
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


def content_of_review(review: GateReview) -> str:
    """What is signed with a review; of the snapshot also what it holds."""
    names = ("gate", "number", "decision", "meeting_on", "document", "comment", "enrolled")
    more = ("with_data", "next_after", "next_on", "version_id", "snapshot_id")
    frozen = review.snapshot.sha256 if review.snapshot is not None else ""
    return canonical(
        {name: getattr(review, name) for name in (*names, *more)} | {"snapshot_sha256": frozen}
    )


def _facts(
    version: ProtocolVersion,
    gate: str,
    decision: Decision,
    before: GateReview | None,
    snapshot: SafetySnapshot | None,
) -> GateFacts:
    """The study at this moment, after whatever the gate demands of the review."""
    if not gate:
        if snapshot is None:
            raise DomainError(_("A review of the whole study names its snapshot."))
        return study_facts()
    found = _reviewed_gate(version, gate)
    facts = gate_facts(found, protocol_of(version.pk))
    due_at = review_due_at(found, before)
    if decision in OPENING and facts.with_data < due_at:
        raise DomainError(
            _("%(found)d of %(needed)d subjects have data of day %(day)d. Before that a review "
              "can pause or stop the study, not let it go on.")
            % {"found": facts.with_data, "needed": due_at, "day": found.day}
        )  # fmt: skip
    return facts


def _reviewed_gate(version: ProtocolVersion, key: str) -> GateProposal:
    for gate in protocol_of(version.pk).proposals.gates:
        if gate.key == key and gate.kind is GateKind.COHORT_REVIEW:
            return gate
    raise TransitionError(_("This version of the protocol proposes no such review."))


def _expect_dated(document: str, meeting_on: dt.date, next_on: dt.date | None) -> None:
    if not document.strip():
        raise DomainError(_("Name the document of the review."))
    if meeting_on > trial_now().date() + dt.timedelta(days=1):
        raise DomainError(_("This date lies in the future."))
    if next_on is not None and next_on < meeting_on:
        raise DomainError(_("The next review cannot lie before this one."))
