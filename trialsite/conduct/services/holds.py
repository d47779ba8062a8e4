"""Placing and lifting holds, switching rules, recording reviews."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import OPENING, gate_facts, review_due_at
from trialsite.conduct.models import (
    Decision,
    GateReview,
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleActivation,
    RuleKind,
    Scope,
)
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.rules import (
    ACTIVATED,
    content_of,
    content_of_decision,
    proposals_of,
)
from trialsite.conduct.watching import MONITOR
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol.proposals import GateKind, GateProposal
from trialsite.review.signatures import canonical, sign

LIFTED, REVIEWED = "hold_lifted", "gate_reviewed"

LIFT_MEANING: Promise = gettext_lazy(
    "I lift this hold. The reason for it no longer stands in the way of the subjects’ safety."
)
SWITCH_ON_MEANING: Promise = gettext_lazy(
    "I switch this rule on for the study, with the parameters shown."
)
SWITCH_OFF_MEANING: Promise = gettext_lazy("I switch this rule off for the study.")
REVIEW_MEANING: Promise = gettext_lazy(
    "I record the decision of this safety review as it stands in the named document."
)


@transaction.atomic
def place_hold(*, site: Site | None, scope: Scope, reason: str, by: User, rule: str = "") -> Hold:
    """Pause enrolment, treatment or both at a site, or in the whole study, from now on."""
    if site is None:
        by.require_study_wide(Capability.HOLD)
    else:
        by.require(Capability.HOLD, site=site)
    if not reason.strip():
        raise DomainError(_("A hold needs its reason."))
    decide_under_holds(changing=True)
    with because(reason.strip()):
        hold = Hold.objects.create(
            site=site,
            scope=scope,
            reason=reason.strip(),
            rule=rule,
            placed_by=by,
            placed_at=TrialNow(),
        )
    hold.refresh_from_db()
    return hold


@transaction.atomic
def lift_hold(*, hold: Hold, reason: str, by: User, proof: SigningProof) -> Hold:
    """Let the study go on, by signature of its principal investigator and with a reason."""
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    decide_under_holds(changing=True)
    waiting = Hold.objects.select_for_update(no_key=True, of=("self",)).select_related("site")
    hold = waiting.get(pk=hold.pk)
    if hold.lifted_at is not None:
        raise TransitionError(_("This hold is lifted already."))
    if not reason.strip():
        raise DomainError(_("Lifting a hold needs a reason."))
    with because(reason.strip()):
        hold.lift_signature = sign(
            kind=LIFTED,
            target=hold.pk,
            content=content_of_lift(hold, reason.strip()),
            meaning=LIFT_MEANING,
            by=by,
            proof=proof,
            site=hold.site,
            capability=Capability.CONFIGURE_STUDY,
        )
        hold.lifted_at, hold.lifted_by, hold.lift_reason = TrialNow(), by, reason.strip()
        hold.save(update_fields=["lifted_at", "lifted_by", "lift_reason", "lift_signature"])
    hold.refresh_from_db()
    return hold


def content_of_lift(hold: Hold, reason: str) -> str:
    """What is signed when a hold is lifted: the hold as it was placed, and the reason."""
    return canonical(
        {
            "hold": hold.pk,
            "site": hold.site_id,
            "scope": hold.scope,
            "reason": hold.reason,
            "rule": hold.rule,
            "lift_reason": reason,
        }
    )


@transaction.atomic
def switch_rule(
    *,
    version: ProtocolVersion,
    kind: RuleKind,
    rule: str,
    active: bool,
    reason: str,
    by: User,
    proof: SigningProof,
    seen: str | None = None,
) -> RuleActivation:
    """Switch a proposed rule of the protocol on or off, by signature (decisions C7).

    `seen` are the parameters that the person read (`content_of`); others are not signed.
    """
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    if not reason.strip():
        raise DomainError(_("Give the reason."))
    decide_under_holds(changing=True)
    proposals = {(each, found.key): found for each, found in proposals_of(protocol_of(version.pk))}
    proposal = proposals.get((kind, rule))
    if proposal is None:
        raise TransitionError(_("This version of the protocol proposes no such rule."))
    before = RuleActivation.objects.filter(kind=kind, rule=rule).order_by("-number").first()
    content = content_of(proposal)
    if seen is not None and seen != content:
        raise TransitionError(
            _("The rule has other parameters than those you read. Open this page again.")
        )
    if (before is not None and before.active) == active and (
        before is None or before.content == content
    ):
        raise TransitionError(_("The rule is in this state already."))
    decision = RuleActivation(
        kind=kind,
        rule=rule,
        number=1 if before is None else before.number + 1,
        version=version,
        content=content,
        active=active,
        reason=reason.strip(),
        decided_by=by,
        decided_at=TrialNow(),
    )
    with because(reason.strip()):
        decision.signature = sign(
            kind=ACTIVATED,
            target=decision.pk,
            content=content_of_decision(decision),
            meaning=SWITCH_ON_MEANING if active else SWITCH_OFF_MEANING,
            by=by,
            proof=proof,
        )
        decision.save(force_insert=True)
    decision.refresh_from_db()
    if active:
        _place_what_waits(decision)
    return decision


def _place_what_waits(decision: RuleActivation) -> None:
    """A rule that is switched on holds for what stands and nobody has decided yet."""
    waiting = ProposedHold.objects.select_for_update(no_key=True, of=("self",)).filter(
        rule=decision.rule, status=ProposalStatus.OPEN, cause_ended_at=None
    )
    monitors = decision.kind == RuleKind.MONITOR
    for proposal in waiting.select_related("site").order_by("raised_at", "pk"):
        if (proposal.trigger == MONITOR) is monitors:
            proposal.hold = place_by_rule(proposal, decision)
            proposal.status, proposal.decided_at = ProposalStatus.PLACED, trial_now()
            proposal.save(update_fields=["hold", "status", "decided_at"])


def place_by_rule(proposal: ProposedHold, decision: RuleActivation) -> Hold:
    """The hold that a signed rule places for a proposal; it rests on that signature.

    The consequence of another act: whoever calls it has the order of holds.
    """
    with because(proposal.reason):
        hold = Hold.objects.create(
            site=None if proposal.study_wide else proposal.site,
            scope=Scope.BOTH,
            reason=proposal.reason,
            rule=decision.rule,
            activation=decision,
            placed_at=TrialNow(),
        )
    hold.refresh_from_db()
    return hold


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
) -> GateReview:
    """Record what a safety review decided at a gate, by signature.

    A review that lets the study go on needs the data it reviews: as many subjects with data
    of the gate's day as the gate asks for. Pausing and stopping need nothing.
    """
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    decide_under_holds(changing=True)
    found = _reviewed_gate(version, gate)
    facts = gate_facts(found, protocol_of(version.pk))
    before = GateReview.objects.filter(gate=gate).order_by("-number").first()
    _expect_sound(found, before, decision, meeting_on, document, facts.with_data)
    if next_after is not None and next_after <= facts.enrolled:
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
    """What is signed with a review."""
    names = ("gate", "number", "decision", "meeting_on", "document", "comment", "enrolled")
    more = ("with_data", "next_after", "version_id")
    return canonical({name: getattr(review, name) for name in (*names, *more)})


def _reviewed_gate(version: ProtocolVersion, key: str) -> GateProposal:
    for gate in protocol_of(version.pk).proposals.gates:
        if gate.key == key and gate.kind is GateKind.COHORT_REVIEW:
            return gate
    raise TransitionError(_("This version of the protocol proposes no such review."))


def _expect_sound(
    gate: GateProposal,
    before: GateReview | None,
    decision: Decision,
    meeting_on: dt.date,
    document: str,
    with_data: int,
) -> None:
    if not document.strip():
        raise DomainError(_("Name the document of the review."))
    if meeting_on > trial_now().date() + dt.timedelta(days=1):
        raise DomainError(_("This date lies in the future."))
    due_at = review_due_at(gate, before)
    if decision in OPENING and with_data < due_at:
        raise DomainError(
            _("%(found)d of %(needed)d subjects have data of day %(day)d. Before that a review "
              "can pause or stop the study, not let it go on.")
            % {"found": with_data, "needed": due_at, "day": gate.day}
        )  # fmt: skip
