"""Everything the criteria may look at, gathered at one moment: plain data, no tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from screening.facts import ConsentFact
from trialsite.labs.facts import LabFact

__all__ = [
    "AllergyFact",
    "Answer",
    "ConsentFact",
    "Facts",
    "ItemFact",
    "JudgementFact",
    "LabFact",
]


class Answer(StrEnum):
    """An investigator's answer to a criterion's own statement, as worded."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFact:
    """One recorded value of a CRF item: a code, a yes or no, or a number.

    `observed_at` is the bedside time, `complete` whether its form was completed; `label`
    is the English name of the value for people.
    """

    value: str | bool | Decimal
    observed_at: dt.datetime
    record_id: UUID | None
    complete: bool = True
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllergyFact:
    """One known allergy. `agent` is the protocol's code; `severity` is mild, moderate,
    severe, or empty where nobody could say."""

    agent: str
    severity: str
    record_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementFact:
    """What an investigator answered to one criterion."""

    answer: Answer
    by: str
    at: dt.datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one person.

    `day_zero` is the moment judged for: the planned start, or now; values after it do not
    count. Its offset says which calendar day that is at the site. `birth_date` is ISO text,
    to the year or month where no more is known. `sex` is M, F or U. `aetiology` is alcoholic,
    biliary or another code. None is what nobody recorded: `allergies` of () were asked for
    and there are none.
    """

    day_zero: dt.datetime
    consent: ConsentFact | None = None
    birth_date: str | None = None
    sex: str | None = None
    labs: tuple[LabFact, ...] = ()
    items: Mapping[str, tuple[ItemFact, ...]] = field(default_factory=dict)
    allergies: tuple[AllergyFact, ...] | None = None
    aetiology: str | None = None
    chronic_liver_disease: bool | None = None
    dialysis: bool | None = None
    judgements: Mapping[str, JudgementFact] = field(default_factory=dict)
