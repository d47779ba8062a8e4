"""Where enrolment gets its evidence: consent, the signed decision, holds and gates.

What is not there refuses: without consent and decision nobody is enrolled.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Protocol

from screening.selectors.consent import consent_fact, standing_of
from trialsite.casebook.models import Subject
from trialsite.conduct.selectors import enrolment_refusals

__all__ = [
    "Decision",
    "capacity_refusals",
    "consent_fact",
    "enrolment_refusals",
    "signed_decision",
    "signed_decisions",
]


class Decision(Protocol):
    """What enrolment asks of a signed decision of eligibility."""

    @property
    def eligible(self) -> bool: ...
    @property
    def stands(self) -> bool: ...


def capacity_refusals(subject: Subject) -> list[str]:
    """Why nobody can speak for the subject now: capacity lost, and no representative yet."""
    return standing_of(subject).capacity_refusals()


def signed_decision(subject: Subject) -> Decision | None:  # noqa: ARG001
    """The investigator's signed decision of eligibility, the latest."""
    return None


def signed_decisions(subjects: Collection[Subject]) -> dict[uuid.UUID, Decision]:
    """The latest signed decision of each of these subjects that has one."""
    found = ((subject.pk, signed_decision(subject)) for subject in subjects)
    return {pk: decision for pk, decision in found if decision is not None}
