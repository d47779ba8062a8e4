"""Which criterion speaks against an invented person, found in the protocol by what it asks.

The protocol says which criteria there are and calls them as it likes; the story knows only
what each is about.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from trialsite.protocol import CriterionCategory, Protocol
from trialsite.protocol.criteria import Criterion
from trialsite.protocol.rules import (
    AgeRange,
    AnyAboveUln,
    InvestigatorJudgement,
    LabAtLeastOrDailyRise,
    Rule,
)


class Against(Enum):
    """What speaks against a person."""

    AGE = "age"
    STAGE = "stage"
    BILIRUBIN = "bilirubin"
    INFLAMMATION = "inflammation"
    COMMUNICATION = "communication"
    BLEEDING = "fibrinogen"
    CIRCULATION = "mean_arterial_pressure"
    HISTORY = "diabetes"
    OTHER = "other"


def criterion_against(protocol: Protocol, what: Against) -> str:
    """The id that this protocol gives the criterion; LookupError where it has none such."""
    for criterion in protocol.criteria:
        if _IS[what](protocol, criterion):
            return criterion.id
    raise LookupError(what)


def _asks(rule: type[Rule]) -> Callable[[Protocol, Criterion], bool]:
    return lambda _protocol, criterion: isinstance(criterion.rule, rule)


def _prompted(key: str) -> Callable[[Protocol, Criterion], bool]:
    def asked(_protocol: Protocol, criterion: Criterion) -> bool:
        rule = criterion.rule
        return isinstance(rule, InvestigatorJudgement) and key in {
            prompt.key for prompt in rule.prompts
        }

    return asked


def _judged(category: CriterionCategory, place: int) -> Callable[[Protocol, Criterion], bool]:
    """The judgement at this place among those of its category that no data prompt."""

    def asked(protocol: Protocol, criterion: Criterion) -> bool:
        free = [
            each.id
            for each in protocol.criteria
            if each.category is category
            and isinstance(each.rule, InvestigatorJudgement)
            and not each.rule.prompts
        ]
        return free[place : place + 1] == [criterion.id]

    return asked


_IS: dict[Against, Callable[[Protocol, Criterion], bool]] = {
    Against.AGE: _asks(AgeRange),
    Against.BILIRUBIN: _asks(LabAtLeastOrDailyRise),
    Against.INFLAMMATION: _asks(AnyAboveUln),
    Against.STAGE: _judged(CriterionCategory.INCLUSION, 0),
    Against.COMMUNICATION: _judged(CriterionCategory.INCLUSION, 1),
    Against.OTHER: _judged(CriterionCategory.EXCLUSION, 0),
    **{
        each: _prompted(each.value)
        for each in (Against.BLEEDING, Against.CIRCULATION, Against.HISTORY)
    },
}
