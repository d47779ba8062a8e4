"""Holds, the rules that the study has switched on, reviews of gates."""

from trialsite.conduct.models.holds import (
    Decision,
    GateReview,
    Hold,
    RuleActivation,
    RuleKind,
    Scope,
)

__all__ = ["Decision", "GateReview", "Hold", "RuleActivation", "RuleKind", "Scope"]
