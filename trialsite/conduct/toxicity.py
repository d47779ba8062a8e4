"""The Bayesian toxicity monitor: a beta prior, the events seen, and where it would stop.

Pure arithmetic (clinical.md 2e). With n subjects of whom e had the event, the rate has the
distribution Beta(alpha + e, beta + n - e); the monitor is met when the probability that the
rate exceeds its limit is above the probability limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from trialsite.conduct.beta import probability_above
from trialsite.protocol.proposals import MonitorProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxicity:
    """The study as the monitor sees it, over all sites."""

    #: Subjects with a session that was started.
    treated: int
    #: Of these, those with the event, or seen to the end of its days without.
    evaluable: int
    with_event: int

    @property
    def pending(self) -> int:
        """Treated subjects whose days are not over, without the event so far."""
        return self.treated - self.evaluable


@lru_cache(maxsize=2048)
def _above(limit: Decimal, alpha: Decimal, beta: Decimal, n: int, events: int) -> Decimal:
    return probability_above(limit, alpha + events, beta + n - events)


def posterior(monitor: MonitorProposal, n: int, events: int) -> Decimal:
    """The probability that the rate exceeds the limit, after `events` in `n` subjects."""
    return _above(monitor.rate_limit, monitor.prior_alpha, monitor.prior_beta, n, events)


def is_crossed(monitor: MonitorProposal, n: int, events: int) -> bool:
    """Whether the monitor would stop; before the first subject it never does."""
    return n > 0 and posterior(monitor, n, events) > monitor.probability_limit


def boundary(monitor: MonitorProposal, n: int) -> int | None:
    """The fewest events among `n` subjects at which it would stop; None: no number does."""
    return next((events for events in range(n + 1) if is_crossed(monitor, n, events)), None)


def boundaries(monitor: MonitorProposal, upto: int) -> list[tuple[int, int | None]]:
    """The boundary for every number of subjects from one to `upto`."""
    return [(n, boundary(monitor, n)) for n in range(1, upto + 1)]
