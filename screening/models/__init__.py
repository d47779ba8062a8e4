"""What screening keeps: the log, consent, eligibility, and who was enrolled.

`Subject` itself is `trialsite.casebook.models.Subject`; what happens to it before and at
enrolment lives here.
"""

from __future__ import annotations

from screening.models import forms
from screening.models.consent import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    Withdrawal,
)
from screening.models.eligibility import (
    CriterionAnswer,
    EligibilityDraft,
    EligibilityEvaluation,
)
from screening.models.enrolment import Enrolment, StudyEnrolment
from screening.models.log import ScreeningEntry

__all__ = [
    "CapacityAssessment",
    "Consent",
    "ConsentApproval",
    "ConsentDocument",
    "CriterionAnswer",
    "EligibilityDraft",
    "EligibilityEvaluation",
    "Enrolment",
    "ScreeningEntry",
    "StudyEnrolment",
    "Withdrawal",
    "forms",
]
