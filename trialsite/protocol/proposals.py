"""Holds and gates a study proposes. A protocol file cannot switch one on: that is the
principal investigator's signed configuration."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import Name, Value


class HoldTrigger(StrEnum):
    DEATH_AFTER_SESSION = "death_after_session"
    DEATH_RELATED = "death_related"
    BARRIER_FAILURE = "barrier_failure"
    SUSAR = "susar"
    RELATED_SAE = "related_sae"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldProposal:
    """An event that would pause enrolment. Parameters a trigger does not use stay empty."""

    key: Name
    name: Text
    trigger: HoldTrigger
    active: bool
    within_hours: Annotated[int | None, Value("Within hours", "时限（小时）")] = None
    grade_at_least: Annotated[int | None, Value("CTCAE grade at least", "CTCAE分级不低于")] = None
    events_at_least: Annotated[int | None, Value("Events at least", "事件数不少于")] = None
    among_first: Annotated[int | None, Value("Among the first subjects", "前几例受试者中")] = None


class GateKind(StrEnum):
    SENTINEL = "sentinel"
    COHORT_REVIEW = "cohort_review"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateProposal:
    """A point where the next subject would wait: after `subjects` reached day `day`."""

    key: Name
    name: Text
    kind: GateKind
    active: bool
    subjects: Annotated[int, Value("Subjects", "例数")]
    day: Annotated[int, Value("Day each must reach", "须到达的天数")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorProposal:
    """A Bayesian toxicity monitor: Beta prior, stop when the posterior probability that the
    rate exceeds `rate_limit` is above `probability_limit`.

    The rest says what a toxicity is: an adverse event of that grade, judged related where
    `related`, begun within so many days of the start of a session. Without a grade and days
    the monitor counts nothing.
    """

    key: Name
    name: Text
    active: bool
    prior_alpha: Annotated[Decimal, Value("Prior alpha", "先验α")]
    prior_beta: Annotated[Decimal, Value("Prior beta", "先验β")]
    rate_limit: Annotated[Decimal, Value("Rate limit", "毒性率上限")]
    probability_limit: Annotated[Decimal, Value("Probability limit", "后验概率上限")]
    grade_at_least: Annotated[int | None, Value("CTCAE grade at least", "CTCAE分级不低于")] = None
    related: Annotated[bool, Value("Only related events", "仅计相关事件")] = True
    within_days: Annotated[int | None, Value("Within days of a session", "距治疗的天数以内")] = None

    @property
    def is_defined(self) -> bool:
        """Whether it says which events it counts."""
        return self.grade_at_least is not None and self.within_days is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyProposals:
    """Everything the study proposes for its safety board, all of it shipped off."""

    holds: tuple[HoldProposal, ...] = ()
    gates: tuple[GateProposal, ...] = ()
    monitors: tuple[MonitorProposal, ...] = ()
