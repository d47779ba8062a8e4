"""What binds enrolment and treatment now: holds that stand, rules that are switched on."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import KW_ONLY, dataclass, field

from django.db.models import Count, Q, QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import (
    GateFacts,
    SubjectState,
    gate_facts,
    gate_refusal,
    subject_states,
    treatment_refusal,
)
from trialsite.conduct.models import (
    GateReview,
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleKind,
    Scope,
)
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.reviews import released_by, standing_reviews
from trialsite.conduct.rules import Rule, Standing, proposals_of, rules_of
from trialsite.conduct.watching import Watched, watched
from trialsite.protocol import Protocol
from trialsite.protocol.proposals import GateProposal


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
    gates = [_gate_says(rule, protocol, enrolled_before) for rule in _gates_on(protocol)]
    return [*holds, *filter(None, gates)]


def treatment_refusals(*, site_id: int, first_under: int | None = None) -> list[str]:
    """Why no treatment may begin at a site now; empty where it may.

    `first_under` is the protocol version of a subject who has not been treated yet: the
    gates speak of the next subject, and of nobody whom the treatment has reached (C7).
    """
    decide_under_holds()
    holds = [_said(hold) for hold in active_holds(site_id, Scope.TREATMENT)]
    if first_under is None:
        return holds
    protocol = protocol_of(first_under)
    gates = [_gate_says(rule, protocol, None) for rule in _gates_on(protocol)]
    return [*holds, *filter(None, gates)]


def _gates_on(protocol: Protocol) -> list[Rule]:
    return [
        rule
        for rule in rules_of(protocol)
        if rule.kind is RuleKind.GATE and rule.standing is not Standing.OFF
    ]


def _said(hold: Hold) -> str:
    text = (
        _("The whole study is on hold (%(what)s): %(reason)s")
        if hold.site_id is None
        else _("This site is on hold (%(what)s): %(reason)s")
    )
    return text % {"what": hold.get_scope_display(), "reason": hold.reason}


def _gate_says(rule: Rule, protocol: Protocol, enrolled: int | None) -> str:
    """What a gate says to an enrolment after so many, or to a first treatment (None).

    An amendment that alters a gate closes it until the gate is signed anew: a safety rule
    never falls away by itself."""
    if rule.standing is Standing.CHANGED:
        return _(
            "%(gate)s: the protocol has other parameters than those that were signed. The "
            "principal investigator switches the rule on or off anew."
        ) % {"gate": rule.name}
    gate = rule.proposal
    assert isinstance(gate, GateProposal)
    reviews = standing_reviews(gate.key)
    facts = gate_facts(gate, protocol, released_by(reviews))
    review = next(iter(reviews), None)
    if enrolled is None:
        return treatment_refusal(gate, facts=facts, review=review)
    return gate_refusal(gate, enrolled=enrolled, facts=facts, review=review)


def rule_names(version_id: int) -> dict[str, str]:
    """The names of a version's rules by key, in the present language."""
    language = get_language() or "en"
    proposals = proposals_of(protocol_of(version_id))
    return {each.key: each.name.in_language(language) for _kind, each in proposals}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSubject:
    """One enrolled subject before a gate: where it stands, and whether its data are there."""

    pk: uuid.UUID
    label: str
    site: str
    day_zero: dt.date | None
    state: SubjectState
    #: How the subject left the study or died, where it did.
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule for people: what it is, whether it is on, and what it says or would say.

    `watched` and `subjects` are of the whole study: only for whoever sees every site.
    """

    rule: Rule
    facts: GateFacts | None = None
    review: GateReview | None = None
    says: str = ""
    watched: Watched | None = None
    subjects: list[GateSubject] = field(default_factory=list)
    #: Proposals of it that wait: switched on, it holds for them at once.
    waiting: int = 0

    @property
    def is_off(self) -> bool:
        return self.rule.standing is Standing.OFF

    @property
    def verdict(self) -> str:
        """What it does now, or would do if it were on (C7)."""
        if self.watched is None:
            return ""
        if self.watched.met is None:
            return _("It cannot be judged.")
        if self.is_off:
            return (
                _("Not active. It would hold.")
                if self.watched.met
                else _("Not active. It would not hold.")
            )
        if self.rule.standing is Standing.CHANGED:
            return _("Signed with other parameters: it goes on holding until signed anew.")
        return _("The rule is met.") if self.watched.met else _("The rule is not met.")


def sees_every_site(user: User) -> bool:
    """Whether a person may see the figures of the whole study."""
    return user.access.study_wide(Capability.VIEW_CASEBOOK)


def rule_lines(version_id: int, *, viewer: User | None = None) -> list[RuleLine]:
    """Every rule of a version with what it says now, also where it is not switched on (C7).

    A `viewer` who sees every site is told the inputs, too.
    """
    protocol = protocol_of(version_id)
    whole = viewer is not None and sees_every_site(viewer)
    waiting = _waiting() if whole else {}
    enrolled = _enrolled() if whole and protocol.proposals.gates else []
    seen = _Seen(enrolled, waiting, whole=whole)
    return [_line(rule, protocol, seen) for rule in rules_of(protocol)]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is read once for all the lines."""

    enrolled: list[Subject]
    waiting: dict[str, int]
    _: KW_ONLY
    whole: bool


def _waiting() -> dict[str, int]:
    """Undecided proposals whose cause stands, by rule."""
    rows = ProposedHold.objects.filter(status=ProposalStatus.OPEN, cause_ended_at=None)
    counted = rows.order_by().values("rule").annotate(count=Count("pk"))
    return {row["rule"]: row["count"] for row in counted}


def _enrolled() -> list[Subject]:
    """Every enrolled subject, whatever became of it."""
    rows = Subject.objects.filter(
        number__isnull=False,
        status__in=[
            SubjectStatus.ENROLLED,
            SubjectStatus.COMPLETED,
            SubjectStatus.WITHDRAWN,
            SubjectStatus.DIED,
        ],
    )
    return list(rows.select_related("site").order_by("number"))


def _line(rule: Rule, protocol: Protocol, seen: _Seen) -> RuleLine:
    if not isinstance(rule.proposal, GateProposal):
        inputs = watched(rule.proposal) if seen.whole else None
        return RuleLine(rule=rule, watched=inputs, waiting=seen.waiting.get(rule.key, 0))
    gate, reviews = rule.proposal, standing_reviews(rule.key)
    released = released_by(reviews)
    facts, review = gate_facts(gate, protocol, released), next(iter(reviews), None)
    says = gate_refusal(gate, enrolled=facts.enrolled, facts=facts, review=review)
    states = subject_states(gate, protocol, released) if seen.enrolled else {}
    subjects = [_before_gate(each, states[each.pk]) for each in seen.enrolled]
    return RuleLine(rule=rule, facts=facts, review=review, says=says, subjects=subjects)


def _before_gate(subject: Subject, state: SubjectState) -> GateSubject:
    out = subject.status != SubjectStatus.ENROLLED or bool(subject.died_on)
    return GateSubject(
        pk=subject.pk,
        label=subject.label,
        site=subject.site.code,
        day_zero=subject.day_zero,
        state=state,
        ended=_ended(subject) if out else "",
    )


def _ended(subject: Subject) -> str:
    """Dead is said of whoever is, whatever the status says by then."""
    if subject.died_on:
        return _("Died on %(date)s") % {"date": subject.died_on}
    return str(subject.get_status_display())
