"""What the safety board counts, for every page that says the same number.

A report may be owed of a death before anybody entered its event: its clock runs, and is
overdue, as that of a case.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from outcomes.selectors.sae_board import (
    CaseLine,
    Look,
    case_lines,
    cases_at,
    cases_seen,
    narrowed,
)
from outcomes.selectors.sae_deaths import DeathLine, death_lines, deaths_at, deaths_seen
from trialsite.access.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """The cases of serious events, and the deaths of which no event tells yet."""

    cases: list[CaseLine]
    deaths: list[DeathLine]

    def cases_in(self, look: str) -> list[CaseLine]:
        """The cases that a look shows, what presses most first."""
        return narrowed(self.cases, look)

    def deaths_in(self, look: str) -> list[DeathLine]:
        """The deaths that a look shows: a look at clocks those with such a clock, any other
        all, for what is owed is never hidden."""
        if look not in _OF_CLOCKS:
            return self.deaths
        overdue = look == Look.OVERDUE
        return [
            line for line in self.deaths if any(each.overdue is overdue for each in line.clocks)
        ]

    def count(self, look: str) -> int:
        """How many there are: of clocks also those of deaths, of cases the cases alone."""
        deaths = self.deaths_in(look) if look in _OF_CLOCKS else []
        return len(self.cases_in(look)) + len(deaths)


_OF_CLOCKS = (Look.OVERDUE, Look.RUNNING)


def owed_seen(user: User, now: dt.datetime, sites: list[int] | None = None) -> Owed:
    """What a person may see, of these sites where they are given."""
    return Owed(
        cases=case_lines(cases_seen(user, sites), now),
        deaths=death_lines(deaths_seen(user, sites), now),
    )


def owed_at(sites: Iterable[int], now: dt.datetime) -> Owed:
    """Of these sites, which the caller has the right to count."""
    keys = list(sites)
    return Owed(cases=case_lines(cases_at(keys), now), deaths=death_lines(deaths_at(keys), now))
