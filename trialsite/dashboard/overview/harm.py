"""Safety and outcomes: adverse events, cases with their clocks, survival, milestones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import get_language

from outcomes.endpoints.report import Endpoints
from outcomes.models import Grade
from outcomes.pages.endpoints import (
    DEATH,
    FREE,
    OVERALL,
    STATE_HEADINGS,
    TRANSPLANT,
    Behind,
    CurvePanel,
    Heading,
    MilestoneRow,
    PointRow,
    milestone_rows,
    panels,
)
from outcomes.selectors.changes import milestones_of
from outcomes.selectors.courses import courses_at
from outcomes.selectors.endpoints import endpoints_of
from outcomes.selectors.sae_board import CaseLine, Look
from outcomes.selectors.sae_deaths import DeathLine
from outcomes.selectors.sae_owed import owed_at
from trialsite.dashboard.overview.figures import FIGURES, endpoint_address
from trialsite.dashboard.overview.rows import EVENT_COLUMNS, grade_word
from trialsite.dashboard.overview.scope import Number, Tally
from trialsite.dashboard.overview.sources import UNGRADED, events
from trialsite.protocol import Protocol

#: So many clocks stand on the page; the board has the others.
_CLOCKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeLine:
    """The events of one grade: all, related to the treatment, serious."""

    name: str
    numbers: list[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCount:
    """How many cases stand like this."""

    look: str
    name: str | Promise
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """The section of the adverse events."""

    grades: list[GradeLine]
    total: GradeLine
    counts: list[CaseCount]
    deaths: list[DeathLine]
    clocks: list[CaseLine]
    shown: bool


_LOOKS = (Look.OPEN, Look.RUNNING, Look.OVERDUE, Look.LATE, Look.SUSPECTED, Look.ALL)


def safety_of(tally: Tally) -> Safety:
    """Adverse events by grade, and the cases of serious ones with their clocks."""
    scope = tally.scope
    owed = owed_at(scope.keys, scope.now)
    counted: Counter[tuple[str, int]] = Counter()
    found = events(scope.keys).order_by().values_list("graded", "related", "grave")
    for grade, related, serious, count in found.annotate(n=Count("pk")):
        for column, belongs in (("all", 1), ("related", related), ("serious", serious)):
            counted[column, grade] += count if belongs else 0
    grades = [*sorted(Grade.values, reverse=True)]
    if counted["all", UNGRADED]:
        grades.append(UNGRADED)
    shown = scope.may_open(FIGURES["cases"].needs)
    return Safety(
        grades=[
            _grade_line(tally, grade_word(grade), f".{grade}", counted, (grade,))
            for grade in grades
        ],
        total=_grade_line(tally, "", "", counted, (*Grade.values, UNGRADED)),
        counts=[
            CaseCount(
                look=look.value,
                name=look.label,
                number=tally.number(
                    "cases", owed.count(look), part=look.value, label=str(look.label)
                ),
            )
            for look in _LOOKS
        ],
        deaths=[line for line in owed.deaths if line.next_clock][:_CLOCKS] if shown else [],
        clocks=[line for line in owed.cases_in(Look.OPEN) if line.next_clock][:_CLOCKS]
        if shown
        else [],
        shown=shown,
    )


def _grade_line(
    tally: Tally,
    name: str,
    suffix: str,
    counted: Counter[tuple[str, int]],
    grades: tuple[int, ...],
) -> GradeLine:
    return GradeLine(
        name=name,
        numbers=[
            tally.number(
                "events",
                sum(counted[column, grade] for grade in grades),
                part=f"{column}{suffix}",
                label=name,
            )
            for column in EVENT_COLUMNS
        ],
    )


# Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """Where the enrolled stand on one of the protocol's days; the states add up to all."""

    row: MilestoneRow
    states: list[Number]
    all: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    """One curve with its counts."""

    panel: CurvePanel
    subjects: Number
    events: Number
    at_risk: list[Number]

    @property
    def points(self) -> list[tuple[PointRow, Number]]:
        """The estimates on the protocol's days, each with its number at risk."""
        return list(zip(self.panel.points, self.at_risk, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The section of survival and transplantation."""

    found: Endpoints
    anchor: str
    curves: list[CurveView]
    states: list[StateRow]
    headings: tuple[Heading, ...]


_SHOWN = (OVERALL, FREE, TRANSPLANT, DEATH)


def outcomes_of(tally: Tally, protocol: Protocol) -> Outcomes:
    """Survival, transplantation and milestones by the engine of the endpoints' page."""
    found = endpoints_of(courses_at(tally.scope.keys), protocol)
    behind = _behind(tally)
    language = get_language() or "en"
    names = {each.day: each.event.name.in_language(language) for each in milestones_of(protocol)}
    rows = milestone_rows(found, names, behind)
    return Outcomes(
        found=found,
        anchor=protocol.anchor.printed.in_language(language),
        curves=[_curve(tally, each) for each in panels(found, behind) if each.key in _SHOWN],
        states=[_states(tally, each, found.enrolled) for each in rows],
        headings=STATE_HEADINGS,
    )


def _behind(tally: Tally) -> Behind:
    """Addresses of the subjects behind a figure, for who may open all of them."""
    scope = tally.scope
    opens = scope.may_open(FIGURES["endpoints"].needs)
    site = scope.codes[0] if len(scope.sites) == 1 else ""

    def address(*, of: str = "", what: str = "", day: int | None = None) -> str:
        return endpoint_address(of=of, what=what, day=day, site=site) if opens else ""

    return address


def _curve(tally: Tally, panel: CurvePanel) -> CurveView:
    def number(what: str, count: int, href: str, day: Any = "") -> Number:
        part = f"{panel.key}.{what}.{day}".rstrip(".")
        return tally.number("endpoints", count, part=part, href=href, label=panel.title)

    return CurveView(
        panel=panel,
        subjects=number("all", panel.subjects, panel.subjects_href),
        events=number("events", panel.events, panel.events_href),
        at_risk=[
            number("at_risk", each.at_risk, each.at_risk_href, each.day) for each in panel.points
        ],
    )


def _states(tally: Tally, row: MilestoneRow, enrolled: int) -> StateRow:
    def number(what: str, count: int, label: str, href: str | None = None) -> Number:
        part = f"milestone.{what}.{row.day}"
        return tally.number("endpoints", count, part=part, href=href, label=label)

    titles = {heading.key: str(heading.title) for heading in STATE_HEADINGS}
    return StateRow(
        row=row,
        states=[number(c.key, c.count, titles[c.key], c.href) for c in row.states],
        all=number("enrolled", enrolled, titles.get("all", "")),
    )
