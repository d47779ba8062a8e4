"""MELD of many subjects, in any version: at baseline and at every visit.

The inputs of a visit are the visit's own values, the latest of each. The baseline's are of one
calendar day before the first treatment: the last on which every input was recorded. No input
is ever taken from another day, and none is imputed.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from outcomes.changes.readings import Purified, Reading, before_treatment, latest
from outcomes.selectors.readings import BySubject, Followed
from screening.selectors.eligibility_facts import female_by_subject, score_backgrounds
from trialsite.labs.background import Background
from trialsite.labs.scores import Given, Score, Why, meld
from trialsite.protocol import Protocol
from trialsite.protocol.rules import ScoreAbove

#: Name in the formula, LBTESTCD, and the unit that the formula takes.
MELD_INPUTS = (
    ("bilirubin", "BILI", "umol/L"),
    ("inr", "INR", "{INR}"),
    ("creatinine", "CREAT", "umol/L"),
    ("sodium", "SODIUM", "mmol/L"),
    ("albumin", "ALB", "g/L"),
)

#: Name in the formula -> value of that input.
Inputs = Mapping[str, Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeldOfDay:
    """Computes the score from what was gathered for all subjects at once."""

    labs: Mapping[str, BySubject]
    #: Name in the formula -> key of the analyte, and the factor that leads to its unit.
    analytes: Mapping[str, tuple[str, Decimal]]
    floors: bool
    background: Callable[[uuid.UUID, dt.datetime], Background]
    female: Mapping[uuid.UUID, bool]
    purified: Purified

    def of(self, one: Followed, version: str) -> tuple[Reading | None, Sequence[Reading]]:
        """The baseline in this version, and the score of each visit that has any input."""
        return self._baseline(one, version), self._of_visits(one, version)

    def _values(self, one: Followed) -> Mapping[str, list[Reading]]:
        return {
            name: [
                each
                for each in self.labs.get(key, {}).get(one.key, [])
                if self.purified.counts(each)
            ]
            for name, (key, _factor) in self.analytes.items()
        }

    def _baseline(self, one: Followed, version: str) -> Reading | None:
        days: dict[dt.date, dict[str, Reading]] = defaultdict(dict)
        for name, values in self._values(one).items():
            for reading in before_treatment(values, one.person):
                days[one.person.day_of(reading.at)].setdefault(name, reading)
        for day in sorted(days, reverse=True):
            found = self._reading(one, version, days[day])
            if found is not None:
                return found
        return None

    def _of_visits(self, one: Followed, version: str) -> list[Reading]:
        visits: dict[str, dict[str, list[Reading]]] = defaultdict(lambda: defaultdict(list))
        for name, values in self._values(one).items():
            for reading in values:
                if reading.event_oid:
                    visits[reading.event_oid][name].append(reading)
        found = []
        for inputs in visits.values():
            last = {name: latest(values) for name, values in inputs.items()}
            score = self._reading(one, version, {n: each for n, each in last.items() if each})
            if score is not None:
                found.append(score)
        return found

    def _reading(self, one: Followed, version: str, inputs: Inputs) -> Reading | None:
        """The score of these inputs; None where one is missing.

        A score of which an input is known only as a limit has no number either, and is not
        passed over: its day was measured.
        """
        if not inputs:
            return None
        last = max(inputs.values(), key=lambda each: each.at)
        score = self._score(one, version, inputs, last.at)
        if score.displayed is None and score.reason is not Why.CENSORED:
            return None
        hours = [each.hours for each in inputs.values() if each.hours is not None]
        return Reading(
            at=last.at,
            text="" if score.displayed is None else f"{score.displayed:f}",
            number=score.displayed,
            event_oid=last.event_oid,
            record_id=last.record_id,
            hours=min(hours, default=None),
            routine_care=any(each.routine_care for each in inputs.values()),
            laboratory=last.laboratory,
        )

    def _score(self, one: Followed, version: str, inputs: Inputs, at: dt.datetime) -> Score:
        told = self.background(one.key, at)
        given = {name: self._given(name, inputs.get(name)) for name, _code, _unit in MELD_INPUTS}
        return meld(
            version=version,
            floors=self.floors,
            female=self.female.get(one.key),
            dialysis=told.dialysis,
            alcoholic_or_biliary=told.alcoholic_or_biliary,
            **given,
        )

    def _given(self, name: str, reading: Reading | None) -> Given:
        if reading is None:
            return Given(lacking=Why.MISSING)
        if reading.number is None:
            return Given(lacking=Why.CENSORED)
        _key, factor = self.analytes[name]
        return Given(value=reading.number / factor)


def meld_calculator(
    people: Collection[Followed],
    labs: Mapping[str, BySubject],
    protocol: Protocol,
    purified: Purified,
) -> MeldOfDay:
    """What computes MELD for these subjects; three queries."""
    ids = [each.key for each in people]
    return MeldOfDay(
        labs=labs,
        analytes=dict(_inputs(protocol)),
        floors=_floors(protocol),
        background=score_backgrounds(ids),
        female=female_by_subject(ids),
        purified=purified,
    )


def _inputs(protocol: Protocol) -> Iterable[tuple[str, tuple[str, Decimal]]]:
    for name, testcd, unit in MELD_INPUTS:
        for analyte in protocol.labs.analytes:
            if analyte.testcd == testcd and unit in analyte.accepted_units:
                yield name, (analyte.key, analyte.factor(unit))


def _floors(protocol: Protocol) -> bool:
    rules = (criterion.rule for criterion in protocol.criteria)
    return next((rule.floors for rule in rules if isinstance(rule, ScoreAbove)), True)
