"""Where enrolment gets its evidence: consent, the signed decision, holds and gates.

What is not there refuses: without consent and decision nobody is enrolled.
"""

from __future__ import annotations

from typing import Protocol

from trialsite.casebook.models import Subject


class Consent(Protocol):
    """What enrolment asks of a consent."""

    @property
    def valid(self) -> bool: ...
    @property
    def reconsent_due(self) -> bool: ...


class Decision(Protocol):
    """What enrolment asks of a signed decision of eligibility."""

    @property
    def eligible(self) -> bool: ...
    @property
    def stands(self) -> bool: ...


def consent_fact(subject: Subject) -> Consent | None:  # noqa: ARG001
    """The subject's consent as it stands."""
    return None


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
