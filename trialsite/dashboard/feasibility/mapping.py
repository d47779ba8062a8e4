"""What the columns of a hospital's spreadsheet mean: the schema of its mapping, and its checks.

The layout and the reading of the file are those of every import (`trialsite.exports.reading`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from screening.eligibility.engine import items_read
from screening.eligibility.facts import Answer
from trialsite.exports.reading.layout import Layout, format_problem
from trialsite.exports.reading.mappings import Marked, read_mapping
from trialsite.labs.importing.mapping import Code
from trialsite.labs.matching import Matcher
from trialsite.protocol import Protocol
from trialsite.protocol.rules import InvestigatorJudgement, SevereAllergy
from trialsite.protocol.values import Key

Header = Annotated[str, Key(r".{1,200}", "the header of a column")]


class Yes(StrEnum):
    YES = "yes"
    NO = "no"


class Severity(StrEnum):
    """How a column of allergies is read; `asked` is there, and nobody could grade it."""

    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    ASKED = "ungraded"


class TimeUnit(StrEnum):
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"

    @property
    def days(self) -> Decimal:
        """A month and a year are the Julian ones, as survival data have them."""
        return _DAYS[self]


_DAYS = {
    TimeUnit.DAYS: Decimal(1),
    TimeUnit.WEEKS: Decimal(7),
    TimeUnit.MONTHS: Decimal("30.4375"),
    TimeUnit.YEARS: Decimal("365.25"),
}


class Ended(StrEnum):
    """What the status of a survival table says."""

    CENSORED = "censored"
    TRANSPLANTED = "transplanted"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonColumns:
    """The headers of columns about the person, by what they hold.

    `person` is what a row is called in the answer; without it, its line. `assessed` is the day
    that is judged for, `age` counts on that day, `consented` is the day of the own consent.
    """

    person: str = ""
    assessed: str = ""
    sex: str = ""
    born: str = ""
    age: str = ""
    aetiology: str = ""
    dialysis: str = ""
    consented: str = ""

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(header for name in self.__slots__ if (header := getattr(self, name)))

    @property
    def judged(self) -> bool:
        """Whether a criterion can be told from any of them."""
        named = (self.sex, self.born, self.age, self.aetiology, self.dialysis, self.consented)
        return any(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A column of laboratory results: of which analyte, in which unit, drawn when.

    `lower_limit` and `upper_limit` are the laboratory's range in that unit; `hours_before` is
    how long before the moment judged for it was drawn.
    """

    column: Header
    analyte: str
    unit: str = ""
    zero_is_missing: bool = False
    lower_limit: Decimal | None = None
    upper_limit: Decimal | None = None
    hours_before: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A column of an item that a criterion reads, such as a grade."""

    column: Header
    item: str
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A column of an allergy: to which agent, and what its texts mean."""

    column: Header
    agent: str
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A column with an answer to a criterion that only a person can judge."""

    column: Header
    criterion: str
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Everyone:
    """What is true of every row although no column says it."""

    assessed: dt.date | None = None
    sex: str = ""
    aetiology: str = ""
    dialysis: Yes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalColumns:
    """The time and status of a survival table, and what each status means.

    `days` are further days to estimate at, beside those of the protocol.
    """

    time: str
    status: str
    codes: tuple[Code, ...]
    unit: TimeUnit = TimeUnit.DAYS
    days: tuple[int, ...] = ()


Coded = Recorded | Asked | Answered
_PLAIN, _NOBODY, _NOTHING = Layout(), PersonColumns(), Everyone()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeasibilityMapping:
    """The whole mapping of a spreadsheet of patients."""

    layout: Layout = _PLAIN
    columns: PersonColumns = _NOBODY
    results: tuple[Measured, ...] = ()
    items: tuple[Recorded, ...] = ()
    allergies: tuple[Asked, ...] = ()
    judgements: tuple[Answered, ...] = ()
    everyone: Everyone = _NOTHING
    sexes: tuple[Code, ...] = ()
    aetiologies: tuple[Code, ...] = ()
    truths: tuple[Code, ...] = ()
    survival: SurvivalColumns | None = None

    @property
    def judged(self) -> bool:
        """Whether there is anything to judge criteria by."""
        return self.columns.judged or bool(self.results or self.coded)

    @property
    def coded(self) -> tuple[Coded, ...]:
        """The columns whose texts have codes of their own."""
        return (*self.items, *self.allergies, *self.judgements)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header the file must have, in the order of the mapping."""
        members: tuple[Measured | Coded, ...] = (*self.results, *self.coded)
        times = (self.survival.time, self.survival.status) if self.survival else ()
        return (*self.columns.headers, *(each.column for each in members), *times)


def read_feasibility_mapping(text: str, protocol: Protocol) -> FeasibilityMapping:
    """The mapping in a file; raises MappingError with every problem and its line."""
    found, marked = read_mapping(text, FeasibilityMapping)
    _check_shape(found, marked)
    _check_results(found, marked, Matcher(protocol.labs.analytes))
    _check_names(found, marked, protocol)
    _check_codes(found, marked)
    if found.survival:
        _check_survival(found.survival, marked)
    marked.expect_none()
    return found


def _check_shape(found: FeasibilityMapping, marked: Marked) -> None:
    if not found.judged and found.survival is None:
        marked.refuse("", "Nothing is mapped: name columns, results, items or survival.")
    if found.columns.born and found.columns.age:
        marked.refuse("columns.age", "Name the birth date or the age, not both.")
    headers = [*found.headers]
    for header in sorted({each for each in headers if headers.count(each) > 1}):
        marked.refuse("columns", f"The column {header!r} is named twice.")
    for text in found.layout.dates:
        if problem := format_problem(text):
            marked.refuse("layout.dates", problem)
    if not 1 <= found.layout.header_row <= 1000:
        marked.refuse("layout.header_row", "The header stands between row 1 and row 1000.")


def _check_results(found: FeasibilityMapping, marked: Marked, matcher: Matcher) -> None:
    for each in found.results:
        path = f"results.{each.column}"
        if each.analyte not in matcher.analytes:
            marked.refuse(f"{path}.analyte", f"The protocol has no analyte {each.analyte!r}.")
        elif len(matcher.units(each.analyte, each.unit)) != 1:
            accepted = ", ".join(matcher.analytes[each.analyte].accepted_units)
            said = f"is not accepted in {each.unit!r}" if each.unit else "needs its unit"
            marked.refuse(f"{path}.unit", f"{each.analyte} {said}; accepted are {accepted}.")
        if each.hours_before < 0:
            marked.refuse(f"{path}.hours_before", "Hours before are 0 or more.")
        if _upside_down(each):
            marked.refuse(f"{path}.upper_limit", "The upper limit is below the lower one.")


def _upside_down(each: Measured) -> bool:
    low, high = each.lower_limit, each.upper_limit
    return low is not None and high is not None and low > high


def _check_names(found: FeasibilityMapping, marked: Marked, protocol: Protocol) -> None:
    """Items, agents and criteria are those that the protocol's criteria name."""
    rules = {criterion.id: criterion.rule for criterion in protocol.criteria}
    agents = {a for rule in rules.values() if isinstance(rule, SevereAllergy) for a in rule.agents}
    judged = {key for key, rule in rules.items() if isinstance(rule, InvestigatorJudgement)}
    for path, name, known in (
        *((f"items.{each.column}.item", each.item, items_read(protocol)) for each in found.items),
        *((f"allergies.{each.column}.agent", each.agent, agents) for each in found.allergies),
        *((f"judgements.{e.column}.criterion", e.criterion, judged) for e in found.judgements),
    ):
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            marked.refuse(path, f"{name!r} is read by no criterion; there are {listed}.")


def _check_codes(found: FeasibilityMapping, marked: Marked) -> None:
    for path, codes, meant in _coded(found):
        for code in codes:
            if code.means not in meant:
                allowed = ", ".join(meant)
                marked.refuse(f"{path}.{code.text}", f"{code.means!r} is not one of {allowed}.")
    if found.everyone.sex and found.everyone.sex not in SEXES:
        marked.refuse("everyone.sex", f"A sex is one of {', '.join(SEXES)}.")


#: What the engine knows of a sex.
SEXES = ("M", "F", "U")


def _coded(found: FeasibilityMapping) -> Iterator[tuple[str, tuple[Code, ...], tuple[str, ...]]]:
    yield "sexes", found.sexes, SEXES
    yield "truths", found.truths, _values(Yes)
    for asked in found.allergies:
        yield f"allergies.{asked.column}.codes", asked.codes, _values(Severity)
    for answered in found.judgements:
        yield f"judgements.{answered.column}.codes", answered.codes, _values(Answer)
    if found.survival:
        yield "survival.codes", found.survival.codes, _values(Ended)


def _values(kind: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(each.value) for each in kind)


def _check_survival(survival: SurvivalColumns, marked: Marked) -> None:
    meant = {code.means for code in survival.codes}
    if Ended.CENSORED not in meant and Ended.DEAD not in meant:
        marked.refuse("survival.codes", "Say which status is censored and which is dead.")
    if any(not 0 <= day <= 36_525 for day in survival.days):
        marked.refuse("survival.days", "A day lies between 0 and 36525.")
