"""What binds enrolment and treatment now: holds that stand, rules that are switched on."""

from __future__ import annotations

import datetime as dt
from dataclasses import KW_ONLY, dataclass, field
from typing import cast
from zoneinfo import ZoneInfo

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject, SubjectStatus, Visit, VisitStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.gates import GateFacts, events_from, gate_facts, gate_refusal
from trialsite.conduct.models import (
    GateReview,
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleKind,
    Scope,
)
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.rules import Rule, Standing, proposals_of, rules_of
from trialsite.conduct.services.committee import content_of_review
from trialsite.conduct.watching import Watched, watched
from trialsite.core.clock import trial_now
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
    reviews = GateReview.objects.filter(gate=gate).select_related(
        "signature", "recorded_by", "snapshot"
    )
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
class GateSubject:
    """One enrolled subject before a gate: where it stands, and whether its data are there."""

    label: str
    site: str
    day_zero: dt.date | None
    #: Past the gate's day, dead, or out of the study; and why, where it is not the day.
    past_day: bool
    with_data: bool
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
    seen = _Seen(enrolled, waiting, trial_now(), whole=whole)
    return [_line(rule, protocol, seen) for rule in rules_of(protocol)]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is read once for all the lines."""

    enrolled: list[Subject]
    waiting: dict[str, int]
    now: dt.datetime
    _: KW_ONLY
    whole: bool


def _waiting() -> dict[str, int]:
    """Undecided proposals whose cause stands, by rule."""
    rows = ProposedHold.objects.filter(status=ProposalStatus.OPEN, cause_ended_at=None)
    counted = rows.order_by().values("rule").annotate(count=Count("pk"))
    return {row["rule"]: row["count"] for row in counted}


def _enrolled() -> list[Subject]:
    """Every enrolled subject with the visits it was seen at; two queries."""
    rows = Subject.objects.filter(
        number__isnull=False,
        status__in=[
            SubjectStatus.ENROLLED,
            SubjectStatus.COMPLETED,
            SubjectStatus.WITHDRAWN,
            SubjectStatus.DIED,
        ],
    )
    attended = Visit.objects.filter(status=VisitStatus.ATTENDED)
    seen = Prefetch("visits", queryset=attended, to_attr="attended")
    return list(rows.select_related("site").prefetch_related(seen).order_by("number"))


def _line(rule: Rule, protocol: Protocol, seen: _Seen) -> RuleLine:
    if not isinstance(rule.proposal, GateProposal):
        inputs = watched(rule.proposal) if seen.whole else None
        return RuleLine(rule=rule, watched=inputs, waiting=seen.waiting.get(rule.key, 0))
    facts, review = gate_facts(rule.proposal, protocol), last_review(rule.key)
    says = gate_refusal(rule.proposal, enrolled=facts.enrolled, facts=facts, review=review)
    later = set(events_from(rule.proposal, protocol))
    subjects = [_before_gate(each, rule.proposal, later, seen.now) for each in seen.enrolled]
    return RuleLine(rule=rule, facts=facts, review=review, says=says, subjects=subjects)


def _before_gate(
    subject: Subject, gate: GateProposal, later: set[str], now: dt.datetime
) -> GateSubject:
    """A subject by the same rules as `study_facts` counts it."""
    died = subject.status == SubjectStatus.DIED or bool(subject.died_on)
    out = subject.status != SubjectStatus.ENROLLED or bool(subject.died_on)
    today = now.astimezone(ZoneInfo(subject.site.time_zone)).date()
    reached = (
        subject.day_zero is not None and subject.day_zero + dt.timedelta(days=gate.day) <= today
    )
    attended = cast("list[Visit]", subject.attended)  # type: ignore[attr-defined]
    return GateSubject(
        label=subject.label,
        site=subject.site.code,
        day_zero=subject.day_zero,
        past_day=out or reached,
        with_data=died or any(visit.event_oid in later for visit in attended),
        ended=str(subject.get_status_display()) if out else "",
    )
