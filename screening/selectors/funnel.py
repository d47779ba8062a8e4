"""The funnel from first contact to the end of the study, as CONSORT draws it.

Each entry of the log stands in exactly one place, decided in one query; every box is a sum
of places, so the boxes add up by construction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import Case, Count, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from screening.models import ScreeningEntry
from screening.models.log import Outcome
from trialsite.casebook.models import SubjectStatus


class Place(models.TextChoices):
    """Where one person stands; each in one place only."""

    UNDECIDED = "undecided", _("Not yet asked or undecided")
    NOT_ELIGIBLE = "not_eligible", _("Not eligible, before consent")
    NOT_APPROACHED = "not_approached", _("Not approached")
    DECLINED = "declined", _("Declined")
    IN_SCREENING = "in_screening", _("In screening")
    SCREEN_FAILED = "screen_failed", _("Screen failure")
    WITHDREW = "withdrew", _("Withdrew before enrolment")
    ON_STUDY = "on_study", _("On study")
    COMPLETED = "completed", _("Completed the study")
    WITHDRAWN = "withdrawn", _("Withdrawn from the study")
    DIED = "died", _("Died on study")
    VOIDED = "voided", _("Entered in error")


class Box(models.TextChoices):
    """A box of the diagram: places, and the boxes below it."""

    CONSIDERED = "considered", _("Considered")
    CONSENTED = "consented", _("Consented")
    ENROLLED = "enrolled", _("Enrolled")


#: What a box holds directly; a box stands for everything in it.
PARTS: dict[Box, tuple[Place | Box, ...]] = {
    Box.CONSIDERED: (
        Place.UNDECIDED,
        Place.NOT_ELIGIBLE,
        Place.NOT_APPROACHED,
        Place.DECLINED,
        Box.CONSENTED,
    ),
    Box.CONSENTED: (Place.IN_SCREENING, Place.SCREEN_FAILED, Place.WITHDREW, Box.ENROLLED),
    Box.ENROLLED: (Place.ON_STUDY, Place.COMPLETED, Place.WITHDRAWN, Place.DIED),
}


def places_of(part: Place | Box) -> frozenset[Place]:
    """Every place inside a box; a place is itself."""
    if isinstance(part, Place):
        return frozenset({part})
    return frozenset().union(*(places_of(each) for each in PARTS[part]))


#: The first that holds is the place.
_PLACE = Case(
    When(voided_at__isnull=False, then=Value(Place.VOIDED)),
    When(outcome=Outcome.OPEN, subject=None, then=Value(Place.UNDECIDED)),
    When(outcome=Outcome.OPEN, then=Value(Place.IN_SCREENING)),
    When(outcome=Outcome.NOT_ELIGIBLE, then=Value(Place.NOT_ELIGIBLE)),
    When(outcome=Outcome.NOT_APPROACHED, then=Value(Place.NOT_APPROACHED)),
    When(outcome=Outcome.DECLINED, then=Value(Place.DECLINED)),
    When(outcome=Outcome.SCREEN_FAILED, then=Value(Place.SCREEN_FAILED)),
    When(outcome=Outcome.WITHDREW, then=Value(Place.WITHDREW)),
    When(subject__status=SubjectStatus.COMPLETED, then=Value(Place.COMPLETED)),
    When(subject__status=SubjectStatus.WITHDRAWN, then=Value(Place.WITHDRAWN)),
    When(subject__status=SubjectStatus.DIED, then=Value(Place.DIED)),
    default=Value(Place.ON_STUDY),
    output_field=models.CharField(),
)


def with_place(entries: QuerySet[ScreeningEntry]) -> QuerySet[ScreeningEntry]:
    """The entries, each with its `place`."""
    return entries.annotate(place=_PLACE)


def entries_in(entries: QuerySet[ScreeningEntry], name: str) -> QuerySet[ScreeningEntry]:
    """The entries inside the box or place of this name; an unknown name narrows nothing."""
    part = part_named(name)
    if part is None:
        return entries
    placed: QuerySet[Any] = with_place(entries)
    return placed.filter(place__in=sorted(places_of(part)))


def part_named(name: str) -> Place | Box | None:
    if name in Box.values:
        return Box(name)
    return Place(name) if name in Place.values else None


@dataclass(frozen=True, slots=True)
class Persons:
    """How many persons stand in each place, at one site or over all."""

    counts: Mapping[Place, int]

    def of(self, part: Place | Box) -> int:
        """The persons in a place or a box."""
        return sum(self.counts.get(place, 0) for place in places_of(part))


@dataclass(frozen=True, slots=True)
class Given:
    """A reason and the persons for whom it was given; one person may have several."""

    place: Place
    code: str
    by_criterion: bool
    persons: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """The funnel of some sites, together and each."""

    total: Persons
    sites: Mapping[str, Persons] = field(default_factory=dict)
    reasons: tuple[Given, ...] = ()

    def reasons_for(self, place: Place) -> tuple[Given, ...]:
        """Why persons stand in this place, the most frequent reason first."""
        return tuple(each for each in self.reasons if each.place == place)


def funnel(sites: Iterable[int]) -> Funnel:
    """The funnel of these sites, in one query."""
    placed: QuerySet[Any] = with_place(ScreeningEntry.objects.at(sites))
    rows = (
        placed.values_list("site__code", "place", "criteria", "reasons")
        .annotate(persons=Count("pk"))
        .order_by()
    )
    total: Counter[Place] = Counter()
    by_site: dict[str, Counter[Place]] = {}
    given: Counter[tuple[Place, str, bool]] = Counter()
    for code, name, criteria, reasons, persons in rows:
        place = Place(name)
        total[place] += persons
        by_site.setdefault(code, Counter())[place] += persons
        for criterion in criteria:
            given[place, criterion, True] += persons
        for reason in reasons:
            given[place, reason, False] += persons
    return Funnel(
        Persons(total),
        {code: Persons(counts) for code, counts in sorted(by_site.items())},
        tuple(
            Given(*key, persons)
            for key, persons in sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
    )
