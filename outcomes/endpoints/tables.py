"""Observed times, gathered by day."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple


class Cause(StrEnum):
    """What ended an observation."""

    CENSORED = "censored"
    DEATH = "death"
    TRANSPLANT = "transplant"


class Observed(NamedTuple):
    """One subject's time, in days from the anchor, and what ended it then."""

    key: uuid.UUID
    time: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One day on which something happened, with everybody it happened to.

    `at_risk` counts those under observation just before it. Events come before censorings of
    the same day: who is censored on a day is still at risk of that day's events.
    """

    time: int
    at_risk: int
    deaths: tuple[uuid.UUID, ...] = ()
    transplants: tuple[uuid.UUID, ...] = ()
    censored: tuple[uuid.UUID, ...] = ()

    @property
    def events(self) -> tuple[uuid.UUID, ...]:
        return (*self.deaths, *self.transplants)


def life_table(observed: Iterable[Observed]) -> list[Row]:
    """The days on which something happened, in order; a time before day 0 is refused."""
    ordered = sorted(observed, key=lambda each: each.time)
    if ordered and ordered[0].time < 0:
        raise ValueError(f"a time before day 0: {ordered[0]}")
    rows, left = [], len(ordered)
    for time, group in groupby(ordered, key=lambda each: each.time):
        members = list(group)
        of = {cause: tuple(m.key for m in members if m.cause is cause) for cause in Cause}
        rows.append(
            Row(
                time=time,
                at_risk=left,
                deaths=of[Cause.DEATH],
                transplants=of[Cause.TRANSPLANT],
                censored=of[Cause.CENSORED],
            )
        )
        left -= len(members)
    return rows
