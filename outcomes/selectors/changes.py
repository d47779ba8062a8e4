"""Change from baseline of encephalopathy, MELD, PTA and bilirubin (decisions C12).

Milestones are the protocol's survival days that have a visit of their own. The MELD is the one
that the protocol's criterion names; while that choice is an assumption nobody has confirmed,
the other versions it shows stand beside it (decisions C2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from outcomes.changes.change import Cell, Summary, cell_of, summary_of
from outcomes.changes.readings import Purified, Reading, baseline_of
from outcomes.endpoints.course import Course
from outcomes.selectors.meld import MELD_INPUTS, MeldOfDay, meld_calculator
from outcomes.selectors.readings import (
    BySubject,
    Followed,
    followed,
    grade_readings,
    lab_readings,
)
from trialsite.protocol import EventRole, Protocol, StudyEventDef
from trialsite.protocol.rules import ScoreAbove

#: LBTESTCD (CDISC) of the two analytes.
PTA, BILIRUBIN = "PTA", "BILI"
GRADE, MELD = "HEGRADE", "MELD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is measured; `version` of a score, and whether the study has settled on it."""

    key: str
    code: str
    unit: str = ""
    version: str = ""
    confirmed: bool = True
    #: Shown beside the measure that counts, because that one is not confirmed.
    compared: bool = False
    #: Whether a lower value is a better one.
    lower_is_better: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A day of the protocol with the visit at which it is looked at."""

    day: int
    event: StudyEventDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One subject's way through one measure."""

    subject: Followed
    baseline: Reading | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One measure: every subject's line, and a summary for each milestone."""

    measure: Measure
    lines: tuple[Line, ...]
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Every measure at every milestone, as of a day."""

    milestones: tuple[Milestone, ...]
    tables: tuple[Table, ...]
    purified: Purified
    subjects: tuple[Followed, ...]


def changes_of(courses: Iterable[Course], protocol: Protocol) -> Changes:
    """The changes of these subjects by the days of their data cuts; eight queries."""
    people = followed(courses)
    milestones, measures = milestones_of(protocol), measures_of(protocol)
    purified = Purified.of(protocol.labs.rules)
    labs = lab_readings(people, _analytes(protocol))
    source = _Source(
        grades=grade_readings(people),
        labs=labs,
        melds=meld_calculator(people, labs, protocol, purified),
        keys={analyte.testcd: analyte.key for analyte in protocol.labs.analytes},
        purified=purified,
    )
    tables = tuple(_table(measure, people, milestones, source) for measure in measures)
    return Changes(milestones=milestones, tables=tables, purified=purified, subjects=tuple(people))


def milestones_of(protocol: Protocol) -> tuple[Milestone, ...]:
    """The protocol's survival days, each with the follow-up visit of that target day."""
    visits = {event.target_day: event for event in protocol.schedule.with_role(EventRole.FOLLOW_UP)}
    days = protocol.outcomes.survival_days
    return tuple(Milestone(day=day, event=visits[day]) for day in days if day in visits)


def measures_of(protocol: Protocol) -> tuple[Measure, ...]:
    """The measures, in the order in which they are shown."""
    units = {analyte.testcd: analyte.unit for analyte in protocol.labs.analytes}
    return (
        Measure(key=GRADE, code=GRADE),
        *_melds(protocol),
        Measure(key=PTA, code=PTA, unit=units.get(PTA, ""), lower_is_better=False),
        Measure(key=BILIRUBIN, code=BILIRUBIN, unit=units.get(BILIRUBIN, "")),
    )


def _melds(protocol: Protocol) -> Iterable[Measure]:
    """The version that the criterion names, and while it is open those it shows beside it."""
    for criterion in protocol.criteria:
        rule = criterion.rule
        if isinstance(rule, ScoreAbove) and rule.score == MELD:
            path = f"criteria.{criterion.id}.rule.version"
            confirmed = not protocol.assumptions_under(path)
            yield Measure(key=MELD, code=MELD, version=rule.version, confirmed=confirmed)
            for version in rule.shown if not confirmed else ():
                if version != rule.version:
                    yield Measure(
                        key=f"{MELD}-{version}",
                        code=MELD,
                        version=version,
                        confirmed=False,
                        compared=True,
                    )
            return


def _analytes(protocol: Protocol) -> list[str]:
    wanted = {PTA, BILIRUBIN, *(testcd for _name, testcd, _unit in MELD_INPUTS)}
    return [analyte.key for analyte in protocol.labs.analytes if analyte.testcd in wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the values of a measure come from."""

    grades: BySubject
    labs: Mapping[str, BySubject]
    melds: MeldOfDay
    keys: Mapping[str, str]
    purified: Purified

    def of(self, measure: Measure, one: Followed) -> tuple[Reading | None, Sequence[Reading]]:
        """The baseline of a measure, and its values at visits."""
        if measure.code == MELD:
            return self.melds.of(one, measure.version)
        readings = self._values(measure.code).get(one.key, [])
        return baseline_of(readings, one.person, self.purified), readings

    def _values(self, code: str) -> BySubject:
        if code == GRADE:
            return self.grades
        return self.labs.get(self.keys.get(code, ""), {})


def _table(
    measure: Measure,
    people: Sequence[Followed],
    milestones: Sequence[Milestone],
    source: _Source,
) -> Table:
    lines = []
    for one in people:
        baseline, readings = source.of(measure, one)
        cells = tuple(
            cell_of(
                person=one.person,
                baseline=baseline,
                readings=[each for each in readings if each.event_oid == milestone.event.oid],
                event_oid=milestone.event.oid,
                purified=source.purified,
                on=one.course.cut_on,
            )
            for milestone in milestones
        )
        lines.append(Line(subject=one, baseline=baseline, cells=cells))
    summaries = tuple(
        summary_of([(line.baseline, line.cells[place]) for line in lines])
        for place in range(len(milestones))
    )
    return Table(measure=measure, lines=tuple(lines), summaries=summaries)
