"""Placing and lifting holds, switching rules."""

from __future__ import annotations

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.models import (
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
from trialsite.review.signatures import canonical, sign

LIFTED = "hold_lifted"

LIFT_MEANING: Promise = gettext_lazy(
    "I lift this hold. The reason for it no longer stands in the way of the subjects’ safety."
)
SWITCH_ON_MEANING: Promise = gettext_lazy(
    "I switch this rule on for the study, with the parameters shown."
)
SWITCH_OFF_MEANING: Promise = gettext_lazy("I switch this rule off for the study.")


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
