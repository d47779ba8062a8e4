"""Proposals of holds: raised by what happens, decided by whoever may hold."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.conduct.models import Hold, ProposalStatus, ProposedHold, RuleActivation, Scope
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.rules import Standing, rules_of
from trialsite.conduct.services.holds import place_hold
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol.proposals import HoldProposal, HoldTrigger


@transaction.atomic
def propose_hold(
    *,
    site: Site,
    rule: str,
    reason: str,
    key: str,
    subject: Subject | None = None,
    trigger: HoldTrigger | None = None,
) -> ProposedHold:
    """Put a hold before those who may place one, once for each cause that stands.

    The consequence of another act, whose rights have been checked: nobody proposes by hand.
    Where the study's principal investigator has switched the rule on by signature, the hold
    is placed in the same transaction (decisions C7); otherwise nothing is held.
    """
    known = _rule(rule, subject)
    if known is not None and known.standing is not Standing.OFF:
        # Before the site: a session that starts has asked for the holds, and then proposes
        # its deviations under the site's lock.
        decide_under_holds(changing=True)
    # Whoever raises the same at this moment waits here and then finds it made.
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    found = ProposedHold.objects.filter(site=site, key=key, cause_ended_at=None).first()
    if found is not None:
        return found
    raised = ProposedHold(
        site=site,
        subject=subject,
        rule=rule,
        trigger=known.proposal.trigger if known else trigger or "",
        key=key,
        reason=reason,
        raised_at=trial_now(),
    )
    if known is not None and known.standing is not Standing.OFF:
        raised.hold = _place_by_rule(site, known, reason)
        raised.status, raised.decided_at = ProposalStatus.PLACED, trial_now()
    raised.save(force_insert=True)
    return raised


def propose_holds(
    *, trigger: HoldTrigger, site: Site, reason: str, about: str, subject: Subject | None = None
) -> list[ProposedHold]:
    """The same for every rule that the protocol ties to such an event.

    A failure of the device is put before people also where a protocol has no rule for it.
    """
    rules: list[HoldProposal | None] = [*rules_for(trigger, subject)]
    return [
        propose_hold(
            site=site,
            rule=rule.key if rule else "",
            reason=reason,
            key=_key(trigger, rule, about),
            subject=subject,
            trigger=trigger,
        )
        for rule in rules or [None]
    ]


def rules_for(trigger: HoldTrigger, subject: Subject | None) -> list[HoldProposal]:
    """The rules that the protocol (of this subject) ties to an event."""
    version = subject.protocol_version_id if subject else current_version().pk
    return [rule for rule in protocol_of(version).proposals.holds if rule.trigger is trigger]


def _key(trigger: HoldTrigger, rule: HoldProposal | None, about: str) -> str:
    """What a rule proposes about one thing."""
    return f"{trigger}:{rule.key if rule else ''}:{about}"


@transaction.atomic
def end_causes(*, trigger: HoldTrigger, subject: Subject, about: str) -> None:
    """Note on the proposals about one thing that what raised them was corrected or voided.

    They stay to be decided, and a hold stays placed: a correction never lets the study go
    on by itself. Should it happen again, it is proposed anew.
    """
    raised = ProposedHold.objects.select_for_update(no_key=True).filter(
        subject=subject, trigger=trigger, key__endswith=f":{about}", cause_ended_at=None
    )
    for each in raised:
        each.cause_ended_at = trial_now()
        each.save(update_fields=["cause_ended_at"])


@transaction.atomic
def place_proposed(*, proposal: ProposedHold, scope: Scope, by: User) -> Hold:
    """Place the hold that was proposed, at its site."""
    proposal = _undecided(proposal, by)
    hold = place_hold(
        site=proposal.site, scope=scope, reason=proposal.reason, rule=proposal.rule, by=by
    )
    proposal.hold, proposal.status = hold, ProposalStatus.PLACED
    proposal.decided_by, proposal.decided_at = by, trial_now()
    proposal.save()
    return hold


@transaction.atomic
def dismiss_proposed(*, proposal: ProposedHold, reason: str, by: User) -> ProposedHold:
    """State why no hold is needed; the same cause is not proposed again."""
    proposal = _undecided(proposal, by)
    reason = reason.strip()[:500]
    if not reason:
        raise DomainError(_("Dismissing needs a reason."))
    proposal.status, proposal.dismiss_reason = ProposalStatus.DISMISSED, reason
    proposal.decided_by, proposal.decided_at = by, trial_now()
    with because(reason):
        proposal.save()
    return proposal


def _undecided(proposal: ProposedHold, by: User) -> ProposedHold:
    locked = ProposedHold.objects.select_for_update(no_key=True, of=("self",))
    proposal = locked.select_related("site").get(pk=proposal.pk)
    by.require(Capability.HOLD, site=proposal.site_id)
    if proposal.status != ProposalStatus.OPEN:
        raise TransitionError(_("This proposal has been decided already."))
    return proposal


@dataclass(frozen=True, slots=True)
class _HoldRule:
    """A rule for holds with its standing: on also under an amendment with other parameters,
    for a safety rule never falls away by itself."""

    proposal: HoldProposal
    standing: Standing
    decision: RuleActivation | None


def _rule(key: str, subject: Subject | None) -> _HoldRule | None:
    version = subject.protocol_version_id if subject else current_version().pk
    for rule in rules_of(protocol_of(version)) if key else ():
        if rule.key == key and isinstance(rule.proposal, HoldProposal):
            return _HoldRule(rule.proposal, rule.standing, rule.decision)
    return None


def _place_by_rule(site: Site, rule: _HoldRule, reason: str) -> Hold:
    """The hold that a signed rule places; it rests on that signature."""
    with because(reason):
        hold = Hold.objects.create(
            site=site,
            scope=Scope.BOTH,
            reason=reason,
            rule=rule.proposal.key,
            activation=rule.decision,
            placed_at=TrialNow(),
        )
    hold.refresh_from_db()
    return hold
