"""What binds enrolment and treatment now: holds that stand, rules that are switched on."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import GateFacts, gate_facts, gate_refusal
from trialsite.conduct.models import GateReview, Hold, RuleKind, Scope
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.rules import Rule, Standing, proposals_of, rules_of
from trialsite.conduct.services.holds import content_of_review
from trialsite.protocol import Protocol
from trialsite.protocol.proposals import GateProposal
from trialsite.review.signatures import stands


def active_holds(site_id: int, what: Scope) -> QuerySet[Hold]:
    """The holds that stop enrolment or treatment at a site now, study-wide ones too."""
    return (
        Hold.objects.standing()
        .filter(Q(site=None) | Q(site_id=site_id), scope__in=[what, Scope.BOTH])
        .select_related("site", "placed_by")
    )


def enrolment_refusals(*, site_id: int, version_id: int, enrolled_before: int) -> list[str]:
    """Why no further subject may be enrolled at a site now; empty where enrolment is open.

    `enrolled_before` is the study's count of enrolled subjects, read under the lock of
    whoever enrols. Holds, rules and reviews do not change until this transaction ends.
    """
    decide_under_holds()
    protocol = protocol_of(version_id)
    holds = [_said(hold) for hold in active_holds(site_id, Scope.ENROLMENT)]
    gates = [
        _gate_says(rule, protocol, enrolled_before)
        for rule in rules_of(protocol)
        if rule.kind is RuleKind.GATE and rule.standing is not Standing.OFF
    ]
    return [*holds, *filter(None, gates)]


def treatment_refusals(*, site_id: int) -> list[str]:
    """Why no treatment may begin at a site now; empty where it may."""
    decide_under_holds()
    return [_said(hold) for hold in active_holds(site_id, Scope.TREATMENT)]


def _said(hold: Hold) -> str:
    text = (
        _("The whole study is on hold (%(what)s): %(reason)s")
        if hold.site_id is None
        else _("This site is on hold (%(what)s): %(reason)s")
    )
    return text % {"what": hold.get_scope_display(), "reason": hold.reason}


def _gate_says(rule: Rule, protocol: Protocol, enrolled: int) -> str:
    """An amendment that alters a gate closes it until the gate is signed anew: a safety rule
    never falls away by itself."""
    if rule.standing is Standing.CHANGED:
        return _(
            "%(gate)s: the protocol has other parameters than those that were signed. The "
            "principal investigator switches the rule on or off anew."
        ) % {"gate": rule.name}
    assert isinstance(rule.proposal, GateProposal)
    facts = gate_facts(rule.proposal, protocol)
    return gate_refusal(rule.proposal, enrolled=enrolled, facts=facts, review=last_review(rule.key))


def last_review(gate: str) -> GateReview | None:
    """The review in force at a gate: the last one whose signature stands."""
    reviews = GateReview.objects.filter(gate=gate).select_related("signature", "recorded_by")
    for review in reviews.order_by("-number"):
        if stands(review.signature, content_of_review(review)):
            return review
    return None


def rule_names(version_id: int) -> dict[str, str]:
    """The names of a version's rules by key, in the present language."""
    language = get_language() or "en"
    proposals = proposals_of(protocol_of(version_id))
    return {each.key: each.name.in_language(language) for _kind, each in proposals}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule for people: what it is, whether it is on, and what it says or would say."""

    rule: Rule
    facts: GateFacts | None = None
    review: GateReview | None = None
    says: str = ""


def rule_lines(version_id: int) -> list[RuleLine]:
    """Every rule of a version with what it says now, also where it is not switched on (C7)."""
    protocol = protocol_of(version_id)
    return [_line(rule, protocol) for rule in rules_of(protocol)]


def _line(rule: Rule, protocol: Protocol) -> RuleLine:
    if not isinstance(rule.proposal, GateProposal):
        return RuleLine(rule=rule)
    facts, review = gate_facts(rule.proposal, protocol), last_review(rule.key)
    says = gate_refusal(rule.proposal, enrolled=facts.enrolled, facts=facts, review=review)
    return RuleLine(rule=rule, facts=facts, review=review, says=says)
