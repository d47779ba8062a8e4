"""The answer to a spreadsheet: counts, people and times as plain values, ready to be kept for
the session. Words are made when it is shown, in the language of the reader."""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Something that would settle what is not yet known (`verdicts.Missing` as texts)."""

    need: str
    name: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOf:
    """A score in one version, unrounded and as displayed; empty where it cannot be computed."""

    version: str
    raw: str
    displayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One row judged: what speaks against, what is not yet known, and what would settle it.

    `possible`: nothing speaks against, and everything is met that the file can tell of anybody.
    `settles` are places in `Result.needs`, without those that the file can tell of nobody.
    `flips`: whether the score excludes depends on its version or on its rounding.
    """

    line: int
    place: str
    name: str
    outcome: str
    against: tuple[str, ...]
    unknown: tuple[str, ...]
    possible: bool
    settles: tuple[int, ...]
    scores: tuple[ScoreOf, ...]
    flips: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One criterion over all rows. `alone`: how many it keeps out that no other does."""

    criterion: str
    fulfilled: int
    against: int
    alone: int
    unknown: int
    #: Places in `Result.needs` with how many rows need it, the most frequent first.
    needs: tuple[tuple[int, int], ...]

    @property
    def told(self) -> bool:
        """Whether the file tells it of anybody."""
        return self.fulfilled + self.against > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTally:
    """One version of the score over all rows that it can be computed for."""

    version: str
    named: bool
    computed: int
    above_raw: int
    above_displayed: int
    #: Above by one and not by the other.
    rounding_flips: int
    #: Judged otherwise than by the version that the protocol names, among rows with both.
    differs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTally:
    """The score of a criterion, by all its versions."""

    criterion: str
    score: str
    threshold: str
    rounded: bool
    computed: int
    flips: int
    versions: tuple[VersionTally, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One row of a survival table: days observed, and what ended it."""

    line: int
    days: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A survival table; `days` are further days to estimate at."""

    endings: tuple[Ending, ...]
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A cell for which its row was set aside, or that wants a look."""

    line: int
    place: str
    column: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything that is said of one file.

    `sha256` is of the file as it came, `judged_for` the day judged for (empty: each row's own).
    `mapping` is what is kept of the mapping with saved counts.
    """

    sha256: str
    read_as: str
    protocol_version: str
    protocol_hash: str
    as_written: bool
    age_when_judged: bool
    judged_for: str
    mapping: str
    rows: int
    #: How many rows were set aside, and the first of the cells for which they were.
    set_aside: int
    left_out: tuple[Noted, ...]
    #: How many cells want a look, and the first of them.
    doubted: int
    doubts: tuple[Noted, ...]
    people: tuple[Judged, ...]
    needs: tuple[Settling, ...]
    tallies: tuple[Tally, ...]
    scores: tuple[ScoreTally, ...]
    times: Times | None

    def count(self, outcome: str) -> int:
        return sum(each.outcome == outcome for each in self.people)

    @property
    def possible(self) -> int:
        return sum(each.possible for each in self.people)

    @property
    def untold(self) -> tuple[str, ...]:
        """The criteria that the file tells of nobody."""
        return tuple(each.criterion for each in self.tallies if not each.told)


def encoded(value: Any) -> dict[str, Any]:
    """A part of a result as plain names and values."""
    return dataclasses.asdict(value)


def packed(result: Result) -> str:
    """The result as JSON."""
    return json.dumps(encoded(result), ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> Result:
    """The result that `packed` wrote."""
    found = _made(Result, json.loads(text))
    assert isinstance(found, Result)
    return found


def _made(hint: Any, value: Any) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        inner = next(each for each in get_args(hint) if each is not type(None))
        return None if value is None else _made(inner, value)
    if get_origin(hint) is tuple:
        members = get_args(hint)
        if members[-1] is not Ellipsis:
            return tuple(map(_made, members, value))
        return tuple(_made(members[0], each) for each in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        kinds = _hints(hint)
        return hint(**{name: _made(kinds[name], each) for name, each in value.items()})
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
