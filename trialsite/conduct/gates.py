"""What a gate says about the next subject. The judgement is pure; the facts are the database's."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from trialsite.conduct.gate_sql import gate_states
from trialsite.conduct.models import OPENING, GateReview
from trialsite.protocol import Protocol
from trialsite.protocol.proposals import GateKind, GateProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """The study at this moment, over all sites, for one gate (decisions D6)."""

    enrolled: int
    #: Dead, or seen at a visit of the gate's day or later.
    with_data: int
    #: Whom a sentinel gate waits for no longer: `gate_sql` says who.
    cleared: int = 0
    treated: int = 0
    #: Treated, and not cleared.
    exposed: int = 0
    #: Of the exposed, those whom only a signed review can let pass.
    reviewable: int = 0


def gate_facts(
    gate: GateProposal, protocol: Protocol, released: Collection[uuid.UUID] = ()
) -> GateFacts:
    """The counts for a gate from the one function that may look at every site.

    `released` are the subjects whom standing reviews let pass.
    """
    return study_facts(gate.day, events_from(gate, protocol), released)


def study_facts(
    day: int = 0, later: Sequence[str] = (), released: Collection[uuid.UUID] = ()
) -> GateFacts:
    """The counts for a day, and for the visits that give data of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.study_facts(%s, %s::text[], %s::uuid[])",
            [day, list(later), list(released)],
        )
        counts = cursor.fetchone()[0]
    names = ("enrolled", "with_data", "cleared", "treated", "exposed", "reviewable")
    return GateFacts(**dict(zip(names, counts, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectState:
    """One enrolled subject before a gate (`gate_sql`)."""

    past_day: bool
    with_data: bool
    cleared: bool
    reviewable: bool


def subject_states(
    gate: GateProposal, protocol: Protocol, released: Collection[uuid.UUID] = ()
) -> dict[uuid.UUID, SubjectState]:
    """The same rule subject by subject, for the sites that the reader sees; one query."""
    query = gate_states("%(day)s", "%(events)s::text[]", "%(released)s::uuid[]")
    values: dict[str, Any] = {
        "day": gate.day,
        "events": events_from(gate, protocol),
        "released": list(released),
    }
    columns = "g.id, g.past_day, g.with_data, g.cleared, g.reviewable"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM ({query}) g", values)
        return {
            key: SubjectState(past_day=past, with_data=data, cleared=clear, reviewable=asks)
            for key, past, data, clear, asks in cursor.fetchall()
        }


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
    """Why the next subject must wait at this gate, in words; empty where the gate is open.

    A sentinel gate lets no more than its `subjects` be before its day. Who is not known to
    be past it counts as before it: whoever waits for the first treatment, too.
    """
    if closed := _closed_by(gate, review):
        return closed
    if gate.kind is GateKind.SENTINEL:
        return _sentinel(gate, enrolled - facts.cleared, facts)
    return _cohort_review(gate, enrolled, facts, review)


def treatment_refusal(gate: GateProposal, *, facts: GateFacts, review: GateReview | None) -> str:
    """Why a subject enrolled already must wait with the first treatment; empty: the gate is open.

    By the same rule as for enrolment, of the subjects who have been treated: rules may be
    switched on after several subjects were enrolled.
    """
    if closed := _closed_by(gate, review):
        return closed
    if gate.kind is GateKind.SENTINEL:
        return _sentinel(gate, facts.exposed, facts)
    return _cohort_review(gate, facts.treated, facts, review)


def _name(gate: GateProposal) -> str:
    return gate.name.in_language(get_language() or "en")


def _closed_by(gate: GateProposal, review: GateReview | None) -> str:
    if review is None or review.decision in OPENING:
        return ""
    return _("%(gate)s: the review of %(date)s decided “%(decision)s”.") % {
        "gate": _name(gate),
        "date": review.meeting_on.isoformat(),
        "decision": review.get_decision_display(),
    }


def _sentinel(gate: GateProposal, before: int, facts: GateFacts) -> str:
    if before < gate.subjects:
        return ""
    said = ngettext(
        "%(gate)s: %(count)d subject has no data of day %(day)d yet.",
        "%(gate)s: %(count)d subjects have no data of day %(day)d yet.",
        before,
    ) % {"gate": _name(gate), "count": before, "day": gate.day}
    if not facts.reviewable:
        return said
    needed = _("For %(n)d of them only a signed review lets the study go on.")
    return f"{said} {needed % {'n': facts.reviewable}}"


def _cohort_review(
    gate: GateProposal, count: int, facts: GateFacts, review: GateReview | None
) -> str:
    """After `subjects` subjects the next waits for a review that lets the study go on."""
    if review is not None and review.next_after is None:
        return ""
    due_at = review_due_at(gate, review)
    if count < due_at:
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
