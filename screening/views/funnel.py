"""The funnel as a page shows it: a table whose numbers open the list behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import get_language

from screening.models.log import Reason
from screening.selectors.funnel import PARTS, Box, Funnel, Place
from trialsite.access.models import Site
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.exceptions import DomainError


@dataclass(frozen=True, slots=True)
class Row:
    """One box or place with its numbers: over all, and at each site."""

    part: Box | Place
    depth: int
    persons: int
    by_site: tuple[int, ...]

    @property
    def is_box(self) -> bool:
        return isinstance(self.part, Box)


@dataclass(frozen=True, slots=True)
class Why:
    """A reason and for how many persons it was given."""

    code: str
    text: str
    persons: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The funnel, ready to be drawn."""

    sites: tuple[str, ...]
    rows: tuple[Row, ...]
    considered: int
    failed: int
    reasons: tuple[Why, ...]
    voided: int


def chart_of(found: Funnel, sites: list[Site]) -> Chart:
    """The rows from the top; reasons of screen failures beside them."""
    codes = tuple(site.code for site in sites) if len(sites) > 1 else ()
    return Chart(
        sites=codes,
        rows=tuple(_rows(found, Box.CONSIDERED, 0, codes)),
        considered=found.total.of(Box.CONSIDERED),
        failed=found.total.of(Place.SCREEN_FAILED),
        reasons=_reasons(found, sites),
        voided=found.total.of(Place.VOIDED),
    )


def _rows(found: Funnel, part: Box | Place, depth: int, codes: tuple[str, ...]) -> Iterator[Row]:
    numbers = tuple(found.sites[code].of(part) if code in found.sites else 0 for code in codes)
    yield Row(part, depth, found.total.of(part), numbers)
    for each in PARTS[part] if isinstance(part, Box) else ():
        yield from _rows(found, each, depth + 1, codes)


def _reasons(found: Funnel, sites: list[Site]) -> tuple[Why, ...]:
    given = found.reasons_for(Place.SCREEN_FAILED)
    words = _words(sites) if any(each.by_criterion for each in given) else {}
    return tuple(
        Why(each.code, words.get(each.code, ""), each.persons)
        if each.by_criterion
        else Why("", str(Reason(each.code).label), each.persons)
        for each in given
    )


def _words(sites: list[Site]) -> dict[str, str]:
    """The criteria in the protocol's words, of the version in force at the first such site."""
    for site in sites:
        try:
            version = version_in_force(site)
        except DomainError:
            continue
        language = get_language() or "en"
        criteria = protocol_of(version.pk).criteria
        return {each.id: each.text.in_language(language) for each in criteria}
    return {}
