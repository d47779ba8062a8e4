"""A protocol whose assumptions are not all confirmed can be read in more than one way.

Decision C2: an unconfirmed assumption that would change a verdict makes the verdict "not yet
known". A rule asks a `Reading` for each parameter it needs, naming the other values that
somebody could sensibly confirm; `explore` answers in every combination that matters and
compares the verdicts. A confirmed (or sourced) parameter has one answer: the written one.

What is tried beside the value as written:

| assumption | alternatives |
|---|---|
| a bound counts or not | the other mode |
| a choice from a list | every other member |
| yes or no | the other |
| a version of a formula | every version shown beside it |
| a named set (agents, markers, criteria) | with and without the member in question |
| a threshold, a score's threshold | half and double |
| a multiple of an upper limit | half and double, never under one |
| least hours between two draws | none, half, double, up to a full day |
| most hours between two draws | none, half, double, from a full day |
| age limit of results | none, half, double |
| lag after purification | none, half, double |
| use of results within the lag | every other use |
| highest grade accepted | every other grade |
| a scale, a score, a conversion factor | not to be had: what depends on it is unknown |

Two draws exactly a day apart are beyond doubt because the rise is one per day. The list of
versions shown, the limits of a boundary flag and the prompts never change a verdict and are
not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
D = TypeVar("D", bound="Decided", covariant=True)

#: Open paths with the options that differ in their effect; the first is the one as written.
Questions = list[tuple[str, tuple[Any, ...]]]


class Decided(Protocol):
    """Anything that is true, false or unknown."""

    @property
    def truth(self) -> bool | None: ...


class Reading:
    """One way to read the protocol; it notes which open questions it was asked."""

    def __init__(self, open_paths: frozenset[str], answers: Mapping[str, Any]) -> None:
        self.open_paths = open_paths
        self._answers = dict(answers)
        self.asked: Questions = []
        #: How often an answer depended on what is open: what was worked out while this stood
        #: still is the same in every reading.
        self.doubted = 0

    def is_open(self, path: str) -> bool:
        """Whether the value at `path` is an assumption nobody has confirmed."""
        return path in self.open_paths

    def choose(
        self,
        path: str,
        written: T,
        others: Iterable[T],
        effect: Callable[[T], object] = lambda option: option,
    ) -> T:
        """The value at `path` in this reading. It is a question only where it is open and
        the options differ in their effect."""
        if path not in self.open_paths:
            return written
        if path in self._answers:
            self.doubted += 1
            answer: T = self._answers[path]
            return answer
        others, first = tuple(others), effect(written)
        if any(effect(option) != first for option in others):
            self.doubted += 1
            self.asked.append((path, _distinct((written, *others))))
            self._answers[path] = written
        return written


@dataclass(frozen=True, slots=True)
class Explored:
    """The truths of all readings, and the assumptions on which they part."""

    truths: frozenset[bool | None]
    paths: frozenset[str]


def explore(decide: Callable[[Reading], Decided], open_paths: frozenset[str]) -> Explored:
    """Decide under every reading that matters."""
    written = Reading(open_paths, {})
    return explore_beside(written, decide, decided=decide(written))


def explore_beside(
    written: Reading, decide: Callable[[Reading], Decided], *, decided: Decided
) -> Explored:
    """The same where the reading as written was decided already."""
    return _explored(decide, written.open_paths, {}, decided, written.asked)


def _explored(
    decide: Callable[[Reading], Decided],
    open_paths: frozenset[str],
    answers: dict[str, Any],
    decided: Decided,
    asked: Questions,
) -> Explored:
    """What follows where these answers decided so and left these questions."""
    if not asked:
        return Explored(frozenset({decided.truth}), frozenset())
    (path, (written, *others)), *further = asked
    # With the first question answered as written nothing is decided anew.
    branches = [_explored(decide, open_paths, {**answers, path: written}, decided, further)]
    for option in others:
        reading = Reading(open_paths, {**answers, path: option})
        found = decide(reading)
        branches.append(
            _explored(decide, open_paths, {**answers, path: option}, found, reading.asked)
        )
    own = {path} if len({branch.truths for branch in branches}) > 1 else set()
    return Explored(
        frozenset().union(*(branch.truths for branch in branches)),
        frozenset(own).union(*(branch.paths for branch in branches)),
    )


def half_and_double(number: Decimal) -> tuple[Decimal, Decimal]:
    """The span in which an unconfirmed number is doubted."""
    return number / 2, number * 2


def _distinct(options: Iterable[T]) -> tuple[T, ...]:
    found: list[T] = []
    for option in options:
        if option not in found:
            found.append(option)
    return tuple(found)
