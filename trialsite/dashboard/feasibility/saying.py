"""The answer in words: criteria, people and scores in the language of the reader, and as CSV."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol as Shape

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from screening.eligibility.verdicts import Missing, Need, Outcome
from screening.eligibility.words import OUTCOMES, Speaker
from screening.eligibility_names import LABELS
from trialsite.core.spreadsheets import neutralise
from trialsite.dashboard.feasibility.result import Judged, Result, ScoreOf, Settling, Tally
from trialsite.protocol import CriterionCategory, Protocol

#: A file has no laboratory of its own to be named, and the criterion stands beside its sentence.
_OF_A_FILE: dict[str, str | Promise] = {
    Need.SECOND_DRAW.value: gettext_lazy(
        "%(name)s: a second draw, at least %(hours)s h from the first."
    ),
    Need.JUDGEMENT.value: gettext_lazy("%(name)s: the investigator must answer."),
    Need.RANGE.value: gettext_lazy("%(name)s: the upper limit of the laboratory."),
}
FULFILLED, AGAINST, UNKNOWN = "fulfilled", "against", "unknown"
#: Decimals of an unrounded score as it is shown; the CSV has them all.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedLine:
    """What would settle a criterion, and for how many."""

    says: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionLine:
    """One criterion over all rows."""

    key: str
    inclusion: bool
    text: str
    tally: Tally
    needs: list[NeedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One row as the table shows it."""

    judged: Judged
    outcome: str
    settles: list[str]
    #: The score in the version that the protocol names.
    score: ScoreOf | None
    score_raw: str


class Words:
    """Says a result in the present language."""

    def __init__(self, result: Result, protocol: Protocol) -> None:
        self.result, self._protocol = result, protocol
        self._speaker = Speaker(protocol, names=LABELS)
        self._needs = [self._need(each) for each in result.needs]
        named = [v.version for score in result.scores for v in score.versions if v.named]
        self._named = named[0] if named else ""

    def version(self, code: str) -> str:
        return self._speaker.version(code)

    def need(self, place: int) -> str:
        return self._needs[place]

    def sentence(self) -> str:
        """The answer in one sentence."""
        found, people = self.result, len(self.result.people)
        told = ngettext(
            "Of %(people)d person %(eligible)d is eligible, %(against)d not eligible, "
            "%(unknown)d not yet known.",
            "Of %(people)d people %(eligible)d are eligible, %(against)d not eligible, "
            "%(unknown)d not yet known.",
            people,
        )
        return told % {
            "people": people,
            "eligible": found.count(Outcome.ELIGIBLE),
            "against": found.count(Outcome.INELIGIBLE),
            "unknown": found.count(Outcome.NOT_YET_KNOWN),
        }

    def criteria(self) -> list[CriterionLine]:
        """The criteria in the protocol's order."""
        language = get_language() or "en"
        return [
            CriterionLine(
                key=tally.criterion,
                inclusion=criterion.category is CriterionCategory.INCLUSION,
                text=criterion.text.in_language(language),
                tally=tally,
                needs=[NeedLine(says=self.need(place), count=n) for place, n in tally.needs],
            )
            for tally in self.result.tallies
            for criterion in [self._protocol.criterion(tally.criterion)]
        ]

    def person(self, judged: Judged) -> PersonLine:
        score = next((each for each in judged.scores if each.version == self._named), None)
        return PersonLine(
            judged=judged,
            outcome=str(OUTCOMES[Outcome(judged.outcome)]),
            settles=[self.need(place) for place in judged.settles],
            score=score if score and score.raw else None,
            score_raw=short(score.raw) if score else "",
        )

    def _need(self, each: Settling) -> str:
        missing = Missing(need=Need(each.need), name=each.name, parameters=each.parameters)
        own = _OF_A_FILE.get(each.need)
        if own is None:
            return self._speaker.missing(missing)
        return str(own) % {**each.parameters, "name": self._speaker.analyte(each.name)}


def short(raw: str) -> str:
    """An unrounded number cut to a few decimals: shown, it never reaches what it did not."""
    whole, point, part = raw.partition(".")
    return f"{whole}{point}{part[:_SHOWN]}" if part else raw


def chosen(
    people: Sequence[Judged], *, who: str = "", criterion: str = "", state: str = ""
) -> list[Judged]:
    """The rows behind a figure; what is not asked for does not choose."""
    found = [each for each in people if not who or _belongs(each, who)]
    return [each for each in found if not criterion or _state(each, criterion) == state]


def _belongs(each: Judged, who: str) -> bool:
    if who in {"possible", "flips"}:
        return each.possible if who == "possible" else each.flips
    return each.outcome == who


def _state(each: Judged, criterion: str) -> str:
    if criterion in each.against:
        return AGAINST
    return UNKNOWN if criterion in each.unknown else FULFILLED


class Writable(Shape):
    """Where lines of a file go."""

    def write(self, text: str, /) -> object: ...


def write_csv(out: Writable, words: Words) -> None:
    """Every row with its verdicts. What a spreadsheet would run as a formula is made harmless."""
    writer = csv.writer(out)
    writer.writerow([neutralise(each) for each in _headers(words.result)])
    for each in words.result.people:
        writer.writerow(_cells(words, each))


def _headers(result: Result) -> Iterator[str]:
    yield from ("line", "person", "verdict", "against", "unknown", "would_settle", "possible")
    yield from (tally.criterion for tally in result.tallies)
    for score in result.scores:
        for version in score.versions:
            yield f"{score.score}_{version.version}_raw"
            yield f"{score.score}_{version.version}"
    if result.scores:
        yield "flips"


def _cells(words: Words, each: Judged) -> Iterator[str]:
    yield from (str(each.line), neutralise(each.name), each.outcome)
    yield from (" ".join(each.against), " ".join(each.unknown))
    yield neutralise(" ".join(words.need(place) for place in each.settles))
    yield _yes(each.possible)
    yield from (_state(each, tally.criterion) for tally in words.result.tallies)
    for score in each.scores:
        yield from (score.raw, score.displayed)
    if words.result.scores:
        yield _yes(each.flips)


def _yes(said: bool) -> str:  # noqa: FBT001 (what is said is a yes or no)
    return "yes" if said else "no"


def table(headers: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Aligned columns for a terminal."""
    lines = [[*headers], *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese takes two each."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def untold_sentence(words: Words) -> str:
    """Which criteria the file tells of nobody."""
    untold = words.result.untold
    if not untold:
        return _("The file tells every criterion of somebody at least.")
    return _("The file tells of nobody: %(criteria)s.") % {"criteria": ", ".join(untold)}
