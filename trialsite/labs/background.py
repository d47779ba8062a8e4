"""What scores and grades of a draw need to know beyond the draw; an app above says it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trialsite.core.partial_dates import PartialDate


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A subject at the moment of a draw. None: not on record."""

    dialysis: bool | None = None
    alcoholic_or_biliary: bool | None = None


_tellers: list[Callable[[uuid.UUID, dt.datetime], Background]] = []


def tell_background(teller: Callable[[uuid.UUID, dt.datetime], Background]) -> None:
    """Register who knows it: a function of subject id and aware moment."""
    _tellers[:] = [teller]


def background_of(subject_id: uuid.UUID, at: dt.datetime) -> Background:
    """What is on record about a subject at a moment."""
    return _tellers[0](subject_id, at) if _tellers else Background()


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From when to when something was given, as far as it is known."""

    start: PartialDate | None
    end: PartialDate | None
    ongoing: bool

    def covers(self, day: dt.date) -> bool | None:
        """Whether it was given on a day; None where the dates leave it open."""
        if self.start is not None and day < self.start.earliest:
            return False
        if self.end is not None and day > self.end.latest:
            return False
        begun = self.start is not None and day >= self.start.latest
        lasting = self.ongoing if self.end is None else day <= self.end.earliest
        return True if begun and lasting else None


Anticoagulants = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, Sequence[Period]]]

_given: list[Anticoagulants] = []


def tell_anticoagulants(teller: Anticoagulants) -> None:
    """Register who knows the periods of anticoagulation of subjects."""
    _given[:] = [teller]


def anticoagulants_of(subjects: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[Period]]:
    """The periods in which subjects were given an anticoagulant; a constant number of queries."""
    return _given[0](subjects) if _given else {}


def covered(periods: Iterable[Period], day: dt.date) -> bool | None:
    """Whether any period covers a day; None where one may."""
    found = {period.covers(day) for period in periods}
    if True in found:
        return True
    return None if None in found else False
