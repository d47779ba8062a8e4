"""What a gate says about the next subject. The judgement is pure; the facts are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.conduct.models import Decision, GateReview
from trialsite.protocol import Protocol
from trialsite.protocol.proposals import GateKind, GateProposal

#: Decisions of a review after which the study goes on.
OPENING = frozenset({Decision.CONTINUE, Decision.MODIFY})


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """The study at this moment, over all sites, for one gate (decisions D6)."""

    enrolled: int
    #: Past the gate's day since day zero, or dead, or out of the study.
    past_day: int
    #: Dead, or seen at a visit of the gate's day or later.
    with_data: int


def gate_facts(gate: GateProposal, protocol: Protocol) -> GateFacts:
    """The counts for a gate from the one function that may look at every site."""
    return study_facts(gate.day, events_from(gate, protocol))


def study_facts(day: int = 0, later: Sequence[str] = ()) -> GateFacts:
    """The counts for a day, and for the visits that give data of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.study_facts(%s, %s::text[])", [day, list(later)])
        enrolled, past_day, with_data = cursor.fetchone()[0]
    return GateFacts(enrolled=enrolled, past_day=past_day, with_data=with_data)


def events_from(gate: GateProposal, protocol: Protocol) -> list[str]:
    """The visits that give data of the gate's day: those planned for it or later."""
    return [
        event.oid
        for event in protocol.schedule.events
        if event.target_day is not None and event.target_day >= gate.day
    ]


def review_due_at(gate: GateProposal, last: GateReview | None) -> int:
    """How many subjects must have data before a review can let the study go on."""
    return gate.subjects if last is None or last.next_after is None else last.next_after


def gate_refusal(
    gate: GateProposal, *, enrolled: int, facts: GateFacts, review: GateReview | None
) -> str:
    """Why the next subject must wait at this gate, in words; empty where the gate is open."""
    if gate.kind is GateKind.SENTINEL:
        return _sentinel(gate, enrolled, facts)
    return _cohort_review(gate, enrolled, facts, review)


def _name(gate: GateProposal) -> str:
    return gate.name.in_language(get_language() or "en")


def _sentinel(gate: GateProposal, enrolled: int, facts: GateFacts) -> str:
    """No more than `subjects` enrolled subjects at a time before the gate's day.

    Who is not known to be past it counts as before it: a subject without day zero, too.
    """
    before = enrolled - facts.past_day
    if before < gate.subjects:
        return ""
    return _("%(gate)s: %(count)d enrolled before day %(day)d.") % {
        "gate": _name(gate),
        "count": before,
        "day": gate.day,
    }


def _cohort_review(
    gate: GateProposal, enrolled: int, facts: GateFacts, review: GateReview | None
) -> str:
    """After `subjects` subjects the next waits for a review that lets the study go on."""
    if review is not None and review.decision not in OPENING:
        return _("%(gate)s: the review of %(date)s decided “%(decision)s”.") % {
            "gate": _name(gate),
            "date": review.meeting_on.isoformat(),
            "decision": review.get_decision_display(),
        }
    if review is not None and review.next_after is None:
        return ""
    due_at = review_due_at(gate, review)
    if enrolled < due_at:
        return ""
    return _(
        "%(gate)s: a review is due after %(needed)d subjects; %(found)d of them have data of day "
        "%(day)d."
    ) % {
        "gate": _name(gate),
        "needed": due_at,
        "found": min(facts.with_data, due_at),
        "day": gate.day,
    }
