"""Rows of a spreadsheet as facts about people, for the engine that judges eligibility."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from screening.eligibility.facts import (
    AllergyFact,
    Answer,
    ConsentFact,
    Facts,
    ItemFact,
    JudgementFact,
    LabFact,
)
from screening.eligibility.rules.records import PARTICIPANT, SEVERE
from trialsite.core.units import unit_label
from trialsite.dashboard.feasibility.cells import Cells, coded
from trialsite.dashboard.feasibility.mapping import (
    SEXES,
    FeasibilityMapping,
    Measured,
    Recorded,
    Severity,
    Yes,
)
from trialsite.exports.reading.tables import name_key
from trialsite.labs.matching import Matcher
from trialsite.protocol import Protocol
from trialsite.protocol.rules import GradeAtMost, SevereAllergy

#: What may stand behind an age.
_YEARS = ("周岁", "岁", "years", "y")
_NOON = dt.time(12)
_OLDEST = 130
_YES = {Yes.YES.value: True, Yes.NO.value: False}
#: Half a year: whoever is N years old on a day has had the birthday this long ago.
_SINCE_BIRTHDAY = dt.timedelta(days=182)


@dataclass(frozen=True, slots=True)
class Person:
    """One row: what it is called in the answer, and what is known."""

    line: int
    place: str
    name: str
    facts: Facts


def born_from_age(years: int, on: dt.date) -> dt.date:
    """A birth date of somebody who is so many completed years old on a day."""
    day = on - _SINCE_BIRTHDAY
    year = day.year - years
    last = calendar.monthrange(year, day.month)[1]
    return dt.date(year, day.month, min(day.day, last, 28 if day.month == 2 else 31))


class PeopleReader:
    """Makes facts of rows by a mapping and the protocol that will judge them."""

    def __init__(self, mapping: FeasibilityMapping, protocol: Protocol, *, today: dt.date) -> None:
        self._mapping, self._today = mapping, mapping.everyone.assessed or today
        matcher = Matcher(protocol.labs.analytes)
        self._units = {
            each.column: matcher.units(each.analyte, each.unit)[0] for each in mapping.results
        }
        self._analytes = {analyte.key: analyte for analyte in protocol.labs.analytes}
        rules = [criterion.rule for criterion in protocol.criteria]
        self._agents = {a for rule in rules if isinstance(rule, SevereAllergy) for a in rule.agents}
        self._scales = {r.item_oid: r.scale for r in rules if isinstance(r, GradeAtMost)}
        self._sexes, self._truths = coded(mapping.sexes), coded(mapping.truths)
        self._causes = coded(mapping.aetiologies)
        self._codes = {each.column: coded(each.codes) for each in mapping.coded}

    def person(self, line: int, place: str, cells: Cells) -> Person:
        """What the present row of the cells says."""
        columns, everyone = self._mapping.columns, self._mapping.everyone
        day = cells.day(columns.assessed) or self._today
        moment = dt.datetime.combine(day, _NOON, dt.UTC)
        truth = cells.code(columns.dialysis, self._truths, _YES)
        dialysis = truth or (everyone.dialysis.value if everyone.dialysis else None)
        facts = Facts(
            day_zero=moment,
            consent=self._consent(cells),
            birth_date=self._born(cells, day),
            sex=cells.code(columns.sex, self._sexes, SEXES) or everyone.sex or None,
            labs=tuple(self._labs(cells, moment, line)),
            items=dict(self._items(cells, moment)),
            allergies=self._allergies(cells),
            aetiology=cells.named(columns.aetiology, self._causes) or everyone.aetiology or None,
            dialysis=None if dialysis is None else _YES[dialysis],
            judgements=dict(self._judgements(cells, moment)),
        )
        return Person(line, place, cells.text(columns.person), facts)

    def _consent(self, cells: Cells) -> ConsentFact | None:
        day = cells.day(self._mapping.columns.consented)
        if day is None:
            return None
        return ConsentFact(
            given_at=dt.datetime.combine(day, dt.time(0), dt.UTC),
            given_on=day,
            signer=PARTICIPANT,
            version="",
            valid=True,
            capacity="unknown",
            reconsent_due=False,
        )

    def _born(self, cells: Cells, on: dt.date) -> str | None:
        columns = self._mapping.columns
        if columns.born:
            return cells.born(columns.born)
        age = cells.number(columns.age, units=_YEARS)
        if age is None:
            return None
        if not 0 <= age < _OLDEST:
            cells.refuse(columns.age, _("%(age)s is no age in years.") % {"age": age})
            return None
        return born_from_age(int(age), on).isoformat()

    def _labs(self, cells: Cells, moment: dt.datetime, line: int) -> Iterator[LabFact]:
        for each in self._mapping.results:
            parsed = cells.result(
                each.column,
                zero_is_missing=each.zero_is_missing,
                units=(each.unit, self._units[each.column]),
            )
            if parsed is None or parsed.value is None:
                continue
            self._look(cells, each, parsed.value)
            yield LabFact(
                result_id=None,
                record_id=None,
                draw=UUID(int=(line << 32) + int(each.hours_before * 3600)),
                analyte=each.analyte,
                text=cells.printed(cells.text(each.column)),
                comparator=parsed.comparator,
                value=parsed.value,
                unit=self._units[each.column],
                canonical=None,
                canonical_unit="",
                laboratory="",
                collected_at=moment - dt.timedelta(seconds=int(each.hours_before * 3600)),
                low=each.lower_limit,
                high=each.upper_limit,
                hours_since_purification=None,
                routine_care=False,
                missing="",
            )

    def _look(self, cells: Cells, each: Measured, value: Decimal) -> None:
        """Beyond what a form takes without confirmation is most often another unit."""
        analyte, unit = self._analytes[each.analyte], self._units[each.column]
        number, hard = value * analyte.factor(unit), analyte.hard
        low = hard.low if hard else None
        high = hard.high if hard else None
        if (low is None or number >= low) and (high is None or number <= high):
            return
        message = _("%(value)s %(unit)s is unusual. Is the unit another, or does it mean missing?")
        said = {"value": cells.text(each.column), "unit": unit_label(unit)}
        cells.doubt(each.column, message % said)

    def _items(
        self, cells: Cells, moment: dt.datetime
    ) -> Iterator[tuple[str, tuple[ItemFact, ...]]]:
        for each in self._mapping.items:
            value = self._item(cells, each)
            if value is not None:
                fact = ItemFact(value=value, observed_at=moment, record_id=None)
                yield each.item, (fact,)

    def _item(self, cells: Cells, each: Recorded) -> str | bool | Decimal | None:
        """A grade of its scale, a yes or no, or a number."""
        codes, scale = self._codes[each.column], self._scales.get(each.item)
        if scale is not None:
            return cells.code(each.column, codes, scale)
        text = cells.text(each.column)
        key = name_key(text)
        word = codes.get(key, self._truths.get(key, text))
        if word in _YES:
            return _YES[word]
        return cells.number(each.column)

    def _allergies(self, cells: Cells) -> tuple[AllergyFact, ...] | None:
        """Nobody knows before every agent was asked for, unless one is severe already."""
        mapping = self._mapping.allergies
        said: Mapping[str, str | None] = {
            each.agent: cells.code(each.column, self._codes[each.column], tuple(Severity))
            for each in mapping
        }
        found = tuple(
            AllergyFact(
                agent=agent,
                severity="" if severity == Severity.ASKED else severity,
                record_id=None,
            )
            for agent, severity in said.items()
            if severity is not None and severity != Severity.NONE
        )
        if all(said.get(agent) is not None for agent in self._agents):
            return found
        return tuple(each for each in found if each.severity == SEVERE) or None

    def _judgements(self, cells: Cells, moment: dt.datetime) -> Iterator[tuple[str, JudgementFact]]:
        for each in self._mapping.judgements:
            answer = cells.code(each.column, self._codes[each.column], tuple(Answer))
            if answer is not None:
                yield each.criterion, JudgementFact(answer=Answer(answer), by="", at=moment)
