"""Proposals of holds: raised by what happens, decided by whoever may hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.conduct.models import Hold, ProposalStatus, ProposedHold, RuleActivation, Scope
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.rules import Standing, rules_of
from trialsite.conduct.services.holds import place_by_rule, place_hold
from trialsite.conduct.watching import MONITOR
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol.proposals import (
    GateProposal,
    HoldProposal,
    HoldTrigger,
    MonitorProposal,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How grave a cause is: by each measure of the rule, and by the events it has counted.

    Higher is graver; a measure that is not named is 0.
    """

    measures: Mapping[str, int] = field(default_factory=dict)
    events: int | None = None

    def exceeds(self, decided: ProposedHold) -> bool:
        """Whether more is known now than what a decision was about."""
        known: Mapping[str, int] = decided.measures
        return any(each > known.get(name, 0) for name, each in self.measures.items())

    def keep_on(self, waiting: ProposedHold) -> None:
        """Let a proposal that waits be about the gravest that was known of it."""
        measures = dict(waiting.measures)
        for name, each in self.measures.items():
            measures[name] = max(each, measures.get(name, 0))
        events = max(filter(None, (self.events, waiting.events)), default=waiting.events)
        if (measures, events) != (waiting.measures, waiting.events):
            waiting.measures, waiting.events = measures, events
            waiting.save(update_fields=["measures", "events"])


NO_WEIGHT = Weight()


@transaction.atomic
def propose_hold(
    *,
    site: Site,
    rule: str,
    reason: str,
    key: str,
    subject: Subject | None = None,
    trigger: HoldTrigger | str = "",
    study_wide: bool = False,
    weight: Weight = NO_WEIGHT,
) -> ProposedHold:
    """Put a hold before those who may place one, once for what is known of each cause.

    The consequence of another act, whose rights have been checked: nobody proposes by hand.
    A cause that has become graver since the decision, or of which the rule counts more
    events than were decided about, is proposed anew. Where the study's principal
    investigator has switched the rule on by signature, the hold is placed in the same
    transaction (decisions C7); otherwise nothing is held.
    """
    # Before the site and every proposal: whoever switches a rule on holds for what waits, and
    # a session that starts proposes its deviations under the site's lock.
    decide_under_holds(changing=True)
    known = _rule(rule, subject)
    trigger = str(trigger or (known.trigger if known else ""))
    # Whoever raises the same at this moment waits here and then finds it made.
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    standing = ProposedHold.objects.filter(site=site, key=key, cause_ended_at=None)
    found = standing.order_by("-raised_at", "-decided_at").first()
    if found is not None and found.status == ProposalStatus.OPEN:
        weight.keep_on(found)
        return found
    if found is not None and not (weight.exceeds(found) or _counts_more(weight, trigger, rule)):
        return found
    raised = ProposedHold(
        site=site,
        subject=subject,
        rule=rule,
        trigger=trigger,
        key=key,
        study_wide=study_wide,
        reason=reason,
        measures=dict(weight.measures),
        events=weight.events,
        raised_at=trial_now(),
    )
    if known is not None and known.standing is not Standing.OFF:
        assert known.decision is not None
        raised.hold = place_by_rule(raised, known.decision)
        raised.status, raised.decided_at = ProposalStatus.PLACED, trial_now()
    raised.save(force_insert=True)
    return raised


def _counts_more(weight: Weight, trigger: str, rule: str) -> bool:
    events = weight.events
    return events is not None and not is_raised(trigger=trigger, rule=rule, events=events)


def propose_holds(
    *,
    trigger: HoldTrigger,
    site: Site,
    reason: str,
    about: str,
    subject: Subject | None = None,
    only: Collection[HoldProposal] | None = None,
    study_wide: bool = False,
    weight: Weight = NO_WEIGHT,
) -> list[ProposedHold]:
    """The same for every rule that the protocol ties to such an event, or `only` for some.

    A failure of the device is put before people also where a protocol has no rule for it.
    """
    rules: list[HoldProposal | None] = [*(rules_for(trigger, subject) if only is None else only)]
    if only is None:
        rules = rules or [None]
    return [
        propose_hold(
            site=site,
            rule=rule.key if rule else "",
            reason=reason,
            key=_key(trigger, rule, about),
            subject=subject,
            trigger=trigger,
            study_wide=study_wide,
            weight=weight,
        )
        for rule in rules
    ]


def propose_by_monitor(
    *,
    monitor: MonitorProposal,
    site: Site,
    reason: str,
    about: str,
    subject: Subject,
    weight: Weight = NO_WEIGHT,
) -> ProposedHold:
    """The same for a monitor whose limit an event has crossed: it would hold the whole study."""
    return propose_hold(
        site=site,
        rule=monitor.key,
        reason=reason,
        key=f"{MONITOR}:{monitor.key}:{about}",
        subject=subject,
        trigger=MONITOR,
        study_wide=True,
        weight=weight,
    )


def rules_for(trigger: HoldTrigger, subject: Subject | None) -> list[HoldProposal]:
    """The rules that the protocol (of this subject) ties to an event."""
    version = subject.protocol_version_id if subject else current_version().pk
    return [rule for rule in protocol_of(version).proposals.holds if rule.trigger is trigger]


def _key(trigger: HoldTrigger, rule: HoldProposal | None, about: str) -> str:
    """What a rule proposes about one thing."""
    return f"{trigger}:{rule.key if rule else ''}:{about}"


def is_raised(*, trigger: HoldTrigger | str, rule: str, events: int = 0) -> bool:
    """Whether a proposal of a rule stands, at whatever site: one that waits, or one that was
    decided about as many events."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.hold_raised(%s, %s, %s)", [rule, str(trigger), events])
        return bool(cursor.fetchone()[0])


def end_causes(*, trigger: HoldTrigger | str, subject: Subject, about: str) -> None:
    """Note on the proposals about one thing that what raised them was corrected or voided.

    They stay to be decided, and a hold stays placed: a correction never lets the study go
    on by itself. Should it happen again, it is proposed anew.
    """
    _end(
        ProposedHold.objects.filter(
            subject=subject, trigger=str(trigger), key__endswith=f":{about}", cause_ended_at=None
        )
    )


def end_counted_causes(*, trigger: HoldTrigger | str, rule: str) -> None:
    """Note the same on every proposal of a rule whose count no longer meets it.

    Only rows of the acting person's sites are reached; the page says of all what holds now.
    """
    _end(ProposedHold.objects.filter(trigger=str(trigger), rule=rule, cause_ended_at=None))


@transaction.atomic
def _end(raised: QuerySet[ProposedHold]) -> None:
    """Under the order of holds, as every change of a proposal; only where there is any."""
    if not raised.exists():
        return
    decide_under_holds(changing=True)
    for each in raised.select_for_update(no_key=True).order_by("pk"):
        each.cause_ended_at = trial_now()
        each.save(update_fields=["cause_ended_at"])


@transaction.atomic
def place_proposed(*, proposal: ProposedHold, scope: Scope, by: User) -> Hold:
    """Place the hold that was proposed: at its site, or in the whole study where the rule
    counts over all of them."""
    proposal = _undecided(proposal, by)
    hold = place_hold(
        site=None if proposal.study_wide else proposal.site,
        scope=scope,
        reason=proposal.reason,
        rule=proposal.rule,
        by=by,
    )
    proposal.hold, proposal.status = hold, ProposalStatus.PLACED
    proposal.decided_by, proposal.decided_at = by, trial_now()
    proposal.save()
    return hold


@transaction.atomic
def dismiss_proposed(*, proposal: ProposedHold, reason: str, by: User) -> ProposedHold:
    """State why no hold is needed; the same is not proposed again before more is known."""
    proposal = _undecided(proposal, by)
    reason = reason.strip()[:500]
    if not reason:
        raise DomainError(_("Dismissing needs a reason."))
    proposal.status, proposal.dismiss_reason = ProposalStatus.DISMISSED, reason
    proposal.decided_by, proposal.decided_at = by, trial_now()
    with because(reason):
        proposal.save()
    return proposal


def may_decide(proposal: ProposedHold, by: User) -> bool:
    """Whether a proposal is this person's to decide: one of the whole study is no site's."""
    if proposal.study_wide and not by.access.study_wide(Capability.HOLD):
        return False
    return by.can(Capability.HOLD, site=proposal.site_id)


def _undecided(proposal: ProposedHold, by: User) -> ProposedHold:
    # The order of holds comes before every proposal: a rule that is switched on takes both too.
    decide_under_holds(changing=True)
    locked = ProposedHold.objects.select_for_update(no_key=True, of=("self",))
    proposal = locked.select_related("site").get(pk=proposal.pk)
    if proposal.study_wide:
        by.require_study_wide(Capability.HOLD)
    by.require(Capability.HOLD, site=proposal.site_id)
    if proposal.status != ProposalStatus.OPEN:
        raise TransitionError(_("This proposal has been decided already."))
    return proposal


@dataclass(frozen=True, slots=True)
class _HoldRule:
    """A rule for holds with its standing: on also under an amendment with other parameters,
    for a safety rule never falls away by itself."""

    trigger: str
    standing: Standing
    decision: RuleActivation | None


def _rule(key: str, subject: Subject | None) -> _HoldRule | None:
    version = subject.protocol_version_id if subject else current_version().pk
    for rule in rules_of(protocol_of(version)) if key else ():
        if rule.key != key or isinstance(rule.proposal, GateProposal):
            continue
        by_event = isinstance(rule.proposal, HoldProposal)
        trigger = str(rule.proposal.trigger) if by_event else MONITOR  # type: ignore[union-attr]
        return _HoldRule(trigger, rule.standing, rule.decision)
    return None
