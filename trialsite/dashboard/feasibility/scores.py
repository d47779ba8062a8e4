"""A score by all its versions, unrounded and rounded: who is excluded by one and not by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from screening.eligibility.verdicts import Kind, Verdict
from trialsite.dashboard.feasibility.result import ScoreOf, ScoreTally, VersionTally
from trialsite.protocol.rules import ScoreAbove, ScoreRounding


@dataclass(frozen=True, slots=True)
class Above:
    """Whether a version is above the threshold, unrounded and as displayed."""

    raw: bool
    displayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The score of one person for one criterion; `above` has the versions that are there."""

    of: str
    versions: tuple[ScoreOf, ...]
    above: dict[str, Above]

    @property
    def flips(self) -> bool:
        """Whether a version or the rounding would change the verdict."""
        return (
            len({said for each in self.above.values() for said in (each.raw, each.displayed)}) > 1
        )


def scored(verdict: Verdict, rule: ScoreAbove) -> Scored:
    """What the verdict's evidence says of every version."""
    versions = tuple(_versions(verdict, rule))
    above = {
        each.version: Above(
            Decimal(each.raw) > rule.threshold, Decimal(each.displayed) > rule.threshold
        )
        for each in versions
        if each.raw
    }
    return Scored(of=verdict.criterion, versions=versions, above=above)


def _versions(verdict: Verdict, rule: ScoreAbove) -> Iterator[ScoreOf]:
    for piece in verdict.evidence:
        if piece.kind is Kind.SCORE and piece.parameters["floors"] == rule.floors:
            yield ScoreOf(
                version=str(piece.parameters["version"]),
                raw=str(piece.parameters["raw"]),
                displayed=piece.text,
            )


def score_tally(rule: ScoreAbove, criterion: str, rows: Sequence[Scored]) -> ScoreTally:
    """The versions over all rows."""
    versions = dict.fromkeys((rule.version, *rule.shown))
    return ScoreTally(
        criterion=criterion,
        score=rule.score,
        threshold=str(rule.threshold),
        rounded=rule.rounding is ScoreRounding.HALF_UP,
        computed=sum(bool(row.above) for row in rows),
        flips=sum(row.flips for row in rows),
        versions=tuple(_version(version, rule, rows) for version in versions),
    )


def _version(version: str, rule: ScoreAbove, rows: Sequence[Scored]) -> VersionTally:
    found = [row.above[version] for row in rows if version in row.above]
    pairs = [
        (row.above[version], row.above[rule.version])
        for row in rows
        if version in row.above and rule.version in row.above
    ]
    return VersionTally(
        version=version,
        named=version == rule.version,
        computed=len(found),
        above_raw=sum(each.raw for each in found),
        above_displayed=sum(each.displayed for each in found),
        rounding_flips=sum(each.raw is not each.displayed for each in found),
        differs=sum(_decides(one, rule) is not _decides(other, rule) for one, other in pairs),
    )


def _decides(above: Above, rule: ScoreAbove) -> bool:
    """What the criterion would say by this version, rounded as the protocol does."""
    return above.displayed if rule.rounding is ScoreRounding.HALF_UP else above.raw
