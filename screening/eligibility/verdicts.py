"""What the engine says: one verdict per criterion, with everything it stands on.

Texts for people are codes with parameters; `words` says them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

Parameter = str | bool | int | Decimal | dt.datetime | dt.date | tuple[str, ...]
Parameters = Mapping[str, Parameter]


class State(StrEnum):
    """Whether the criterion's own statement is true of the person. For an exclusion
    criterion `met` therefore means excluded."""

    MET = "met"
    NOT_MET = "not_met"
    NOT_YET_KNOWN = "not_yet_known"

    @classmethod
    def of(cls, truth: bool | None) -> State:  # noqa: FBT001 (the truth is the subject)
        if truth is None:
            return cls.NOT_YET_KNOWN
        return cls.MET if truth else cls.NOT_MET


class Outcome(StrEnum):
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    NOT_YET_KNOWN = "not_yet_known"


class Flag(StrEnum):
    """What the investigator should look at beside the verdict."""

    AT_BOUNDARY = "at_boundary"
    CENSORED = "censored"
    CONFLICTING = "conflicting"
    CROSS_LAB = "cross_lab"
    DISCORDANT = "discordant"
    INCOMPLETE_FORM = "incomplete_form"
    PARTIAL_DATE = "partial_date"
    POST_PURIFICATION = "post_purification"
    PROMPT = "prompt"
    ROUTINE_CARE = "routine_care"
    STALE = "stale"
    UNCONFIRMED_ASSUMPTION = "unconfirmed_assumption"


class Kind(StrEnum):
    """What a piece of evidence is."""

    AGE = "age"
    ALLERGY = "allergy"
    CONSENT = "consent"
    ITEM = "item"
    JUDGEMENT = "judgement"
    LAB = "lab"
    RISE = "rise"
    SCORE = "score"


class Why(StrEnum):
    """Why a value that is there was not used."""

    AFTER_DAY_ZERO = "after_day_zero"
    CONFLICTING = "conflicting"
    FORM_INCOMPLETE = "form_incomplete"
    NO_RANGE = "no_range"
    NOT_DECIDING = "not_deciding"
    OTHER_LABORATORY = "other_laboratory"
    POST_PURIFICATION = "post_purification"
    RESULT_MISSING = "result_missing"
    SHOWN_ONLY = "shown_only"
    STALE = "stale"
    UNIT_UNKNOWN = "unit_unknown"


class Need(StrEnum):
    """What somebody has to do before the verdict can be known."""

    AETIOLOGY = "aetiology"
    ALLERGIES = "allergies"
    ALLERGY_SEVERITY = "allergy_severity"
    BIRTH_DATE = "birth_date"
    CONFIRMATION = "confirmation"
    CONSENT = "consent"
    DIALYSIS = "dialysis"
    EXACT_RESULT = "exact_result"
    FORM_COMPLETION = "form_completion"
    FRESH_RESULT = "fresh_result"
    ITEM = "item"
    JUDGEMENT = "judgement"
    ONE_RESULT = "one_result"
    RANGE = "range"
    RESULT = "result"
    SCORE = "score"
    SECOND_DRAW = "second_draw"
    SEX = "sex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing to do; `name` is the analyte, item, criterion or protocol path."""

    need: Need
    name: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A sentence as code and parameters."""

    code: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One input of a score: as it was, and as the formula used it."""

    name: str
    value: str
    unit: str = ""
    used: Decimal | None = None
    result_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One value the verdict looked at, as reported and in the canonical unit.

    `used` says whether it took part in the decision, `why` what kept it out. `parameters`
    hold what only this kind of evidence has, `parts` what a score was computed from.
    """

    kind: Kind
    name: str
    text: str
    unit: str = ""
    canonical: Decimal | None = None
    canonical_unit: str = ""
    at: dt.datetime | None = None
    result_id: UUID | None = None
    record_id: UUID | None = None
    used: bool = True
    why: Why | None = None
    marks: tuple[Flag, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one reading of the protocol makes of one criterion; `truth` None is unknown."""

    truth: bool | None
    reason: Reason
    flags: frozenset[Flag] = frozenset()
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One criterion judged.

    `as_written` is what the protocol file says with all its assumptions taken for granted,
    `written` why; they differ from `state` and `reason` where an unconfirmed assumption
    (its paths are `assumptions`) would change the verdict.
    """

    criterion: str
    inclusion: bool
    state: State
    reason: Reason
    as_written: State
    written: Reason
    rule: str
    parameters: Parameters
    flags: tuple[Flag, ...]
    evidence: tuple[Evidence, ...]
    missing: tuple[Missing, ...]
    assumptions: tuple[str, ...]

    @property
    def favourable(self) -> bool | None:
        """Whether this criterion lets the person in; None while not yet known."""
        if self.state is State.NOT_YET_KNOWN:
            return None
        return (self.state is State.MET) is self.inclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All criteria of one protocol version judged for one moment.

    `confirmed` are the assumptions of the criteria that were confirmed then; with them, the
    protocol's text and the facts the same evaluation can be made again.
    """

    engine: str
    protocol_version: str
    protocol_hash: str
    confirmed: tuple[str, ...]
    facts_hash: str
    evaluated_for: dt.datetime
    outcome: Outcome
    verdicts: tuple[Verdict, ...]

    @property
    def against(self) -> tuple[str, ...]:
        """The criteria that keep the person out."""
        return tuple(each.criterion for each in self.verdicts if each.favourable is False)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The criteria not yet known."""
        return tuple(each.criterion for each in self.verdicts if each.favourable is None)

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What is still to be done, each thing once, in the order of the criteria."""
        return unique(need for each in self.verdicts for need in each.missing)

    def verdict(self, criterion: str) -> Verdict:
        """The verdict on this criterion; unknown: LookupError."""
        for each in self.verdicts:
            if each.criterion == criterion:
                return each
        message = f"There is no verdict on {criterion}."
        raise LookupError(message)


def unique(needs: Iterable[Missing]) -> tuple[Missing, ...]:
    """Each need once, in the order met."""
    found: list[Missing] = []
    for need in needs:
        if need not in found:
            found.append(need)
    return tuple(found)
