"""Where enrolment gets its evidence: consent, the signed decision, holds and gates.

What is not there refuses: without consent and decision nobody is enrolled.
"""

from __future__ import annotations

from typing import Protocol

from screening.selectors.consent import consent_fact
from trialsite.casebook.models import Subject

__all__ = ["Decision", "consent_fact", "enrolment_refusals", "signed_decision"]


class Decision(Protocol):
    """What enrolment asks of a signed decision of eligibility."""

    @property
    def eligible(self) -> bool: ...
    @property
    def stands(self) -> bool: ...


def signed_decision(subject: Subject) -> Decision | None:  # noqa: ARG001
    """The investigator's signed decision of eligibility, the latest."""
    return None


def enrolment_refusals(
    *,
    site_id: int,  # noqa: ARG001
    version_id: int,  # noqa: ARG001
    enrolled_before: int,  # noqa: ARG001
) -> list[str]:
    """Why the conduct of the study refuses a further enrolment: holds, gates."""
    return []
