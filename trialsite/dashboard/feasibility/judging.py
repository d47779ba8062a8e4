"""Judging every person of a spreadsheet by the criteria, and counting what came out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from screening.eligibility.engine import outcome_of, verdicts_of
from screening.eligibility.verdicts import Missing, Outcome, Verdict
from trialsite.dashboard.feasibility.mapping import FeasibilityMapping
from trialsite.dashboard.feasibility.people import Person
from trialsite.dashboard.feasibility.result import Judged, ScoreTally, Settling, Tally
from trialsite.dashboard.feasibility.scores import Scored, score_tally, scored
from trialsite.protocol import Criterion, Protocol
from trialsite.protocol.rules import AgeMoment, AgeRange, ScoreAbove


def counts_age_when_judged(mapping: FeasibilityMapping) -> bool:
    """Whether age counts on the day judged for: nobody was asked for consent yet, or all that
    is known is an age."""
    return bool(mapping.columns.age) or not mapping.columns.consented


def as_asked(protocol: Protocol, mapping: FeasibilityMapping, *, as_written: bool) -> Protocol:
    """The protocol as it is asked here: with what is confirmed of its assumptions, or with all
    of them taken as written; a file of people who were asked for no consent has their age on
    the day judged for."""
    open_now = [each.path for each in protocol.assumptions()]
    taken = set(open_now) if as_written else set()
    if counts_age_when_judged(mapping):
        criteria = tuple(map(_age_when_judged, protocol.criteria))
        changed = {f"criteria.{c.id}.rule.at" for c in criteria if isinstance(c.rule, AgeRange)}
        taken |= changed.intersection(open_now)
        protocol = dataclasses.replace(protocol, criteria=criteria)
    return protocol.with_confirmed(sorted(taken)) if taken else protocol


def _age_when_judged(criterion: Criterion) -> Criterion:
    if not isinstance(criterion.rule, AgeRange):
        return criterion
    rule = dataclasses.replace(criterion.rule, at=AgeMoment.ENROLMENT)
    return dataclasses.replace(criterion, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """All people judged, with the counts."""

    people: tuple[Judged, ...]
    needs: tuple[Settling, ...]
    tallies: tuple[Tally, ...]
    scores: tuple[ScoreTally, ...]


@dataclass(slots=True)
class _Row:
    """One evaluation, as far as it is counted."""

    person: Person
    outcome: Outcome
    against: tuple[str, ...]
    #: Criterion -> places of its needs.
    unknown: dict[str, tuple[int, ...]]
    scored: tuple[Scored, ...]


@dataclass(slots=True)
class _Needs:
    """Every need that was met with, once."""

    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], int] = field(default_factory=dict)

    def place(self, need: Missing) -> int:
        said = tuple(sorted((name, str(value)) for name, value in need.parameters.items()))
        return self.found.setdefault((need.need.value, need.name, said), len(self.found))

    @property
    def all(self) -> tuple[Settling, ...]:
        return tuple(
            Settling(need=need, name=name, parameters=dict(said)) for need, name, said in self.found
        )


def judge(people: Iterable[Person], protocol: Protocol) -> Judgements:
    """Every person by every criterion."""
    needs = _Needs()
    rules = {c.id: c.rule for c in protocol.criteria if isinstance(c.rule, ScoreAbove)}
    rows = [_row(person, protocol, rules, needs) for person in people]
    tallies = tuple(_tally(criterion.id, rows) for criterion in protocol.criteria)
    untold = {tally.criterion for tally in tallies if not tally.told}
    return Judgements(
        people=tuple(_judged(row, untold) for row in rows),
        needs=needs.all,
        tallies=tallies,
        scores=tuple(
            score_tally(rule, key, [each for row in rows for each in row.scored if each.of == key])
            for key, rule in rules.items()
        ),
    )


def _row(person: Person, protocol: Protocol, rules: dict[str, ScoreAbove], needs: _Needs) -> _Row:
    verdicts = verdicts_of(protocol, person.facts, counted=True)
    unknown = [each for each in verdicts if each.favourable is None]
    return _Row(
        person=person,
        outcome=outcome_of(verdicts),
        against=tuple(each.criterion for each in verdicts if each.favourable is False),
        unknown={each.criterion: _places(each, needs) for each in unknown},
        scored=tuple(
            scored(each, rules[each.criterion]) for each in verdicts if each.criterion in rules
        ),
    )


def _places(verdict: Verdict, needs: _Needs) -> tuple[int, ...]:
    return tuple(needs.place(each) for each in verdict.missing)


def _tally(criterion: str, rows: Sequence[_Row]) -> Tally:
    against = [row for row in rows if criterion in row.against]
    unknown = [row for row in rows if criterion in row.unknown]
    wanted = Counter(place for row in unknown for place in row.unknown[criterion])
    return Tally(
        criterion=criterion,
        fulfilled=len(rows) - len(against) - len(unknown),
        against=len(against),
        alone=sum(len(row.against) == 1 for row in against),
        unknown=len(unknown),
        needs=tuple(sorted(wanted.items(), key=lambda item: (-item[1], item[0]))),
    )


def _judged(row: _Row, untold: set[str]) -> Judged:
    told = [key for key in row.unknown if key not in untold]
    return Judged(
        line=row.person.line,
        place=row.person.place,
        name=row.person.name,
        outcome=row.outcome.value,
        against=row.against,
        unknown=tuple(row.unknown),
        possible=row.outcome is not Outcome.INELIGIBLE and not told,
        settles=tuple(dict.fromkeys(place for key in told for place in row.unknown[key])),
        scores=tuple(version for each in row.scored for version in each.versions),
        flips=any(each.flips for each in row.scored),
    )
