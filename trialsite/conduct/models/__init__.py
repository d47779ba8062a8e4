"""Deviations; holds, the rules that the study has switched on, reviews of gates."""

from trialsite.conduct.models.deviations import (
    Category,
    Deviation,
    DeviationStatus,
    Importance,
    Origin,
)
from trialsite.conduct.models.holds import (
    Decision,
    GateReview,
    Hold,
    RuleActivation,
    RuleKind,
    Scope,
)

__all__ = [
    "Category",
    "Decision",
    "Deviation",
    "DeviationStatus",
    "GateReview",
    "Hold",
    "Importance",
    "Origin",
    "RuleActivation",
    "RuleKind",
    "Scope",
]
