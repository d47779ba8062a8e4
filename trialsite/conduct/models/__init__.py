"""Deviations; holds, the rules that the study has switched on, reviews of gates."""

from trialsite.conduct.models.deviations import (
    Category,
    Deviation,
    DeviationStatus,
    Importance,
    Origin,
)
from trialsite.conduct.models.holds import (
    OPENING,
    Decision,
    GateReview,
    Hold,
    RuleActivation,
    RuleKind,
    Scope,
)
from trialsite.conduct.models.proposed import ProposalStatus, ProposedHold
from trialsite.conduct.models.snapshots import SafetySnapshot

__all__ = [
    "OPENING",
    "Category",
    "Decision",
    "Deviation",
    "DeviationStatus",
    "GateReview",
    "Hold",
    "Importance",
    "Origin",
    "ProposalStatus",
    "ProposedHold",
    "RuleActivation",
    "RuleKind",
    "SafetySnapshot",
    "Scope",
]
