"""What screening keeps: the log, consent, and who was enrolled."""

from __future__ import annotations

from screening.models.consent import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    Withdrawal,
)
from screening.models.enrolment import Enrolment, StudyEnrolment
from screening.models.log import ScreeningEntry

__all__ = [
    "CapacityAssessment",
    "Consent",
    "ConsentApproval",
    "ConsentDocument",
    "Enrolment",
    "ScreeningEntry",
    "StudyEnrolment",
    "Withdrawal",
]
