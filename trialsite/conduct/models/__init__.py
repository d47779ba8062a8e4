"""Deviations from the protocol."""

from trialsite.conduct.models.deviations import (
    Category,
    Deviation,
    DeviationStatus,
    Importance,
    Origin,
)

__all__ = ["Category", "Deviation", "DeviationStatus", "Importance", "Origin"]
