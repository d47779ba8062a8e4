"""Screening and enrolment: from first contact to day zero.

`Subject` itself is `trialsite.casebook.models.Subject`; what happens to it before and at
enrolment lives here.
"""

from __future__ import annotations

from screening.models.consent import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    Withdrawal,
)

__all__ = [
    "CapacityAssessment",
    "Consent",
    "ConsentApproval",
    "ConsentDocument",
    "Withdrawal",
]
