"""The participant flow (CONSORT 2010) from first contact to the end of the study.

It goes on where `screening.selectors.funnel` ends: each entry of the log has exactly one
stand, decided in one query, and a box is the sum of what it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from outcomes.models import Disposition, EndReason
from outcomes.models import Scope as EndScope
from screening.models import EligibilityEvaluation, ScreeningEntry
from screening.models.eligibility import Decided
from screening.selectors.funnel import Place, with_place
from trialsite.crf.models import stored
from visits.models import TreatmentSession


class Stand(models.TextChoices):
    """Where one person stands; each in one only."""

    UNDECIDED = Place.UNDECIDED.value, Place.UNDECIDED.label
    NOT_ELIGIBLE = Place.NOT_ELIGIBLE.value, Place.NOT_ELIGIBLE.label
    NOT_APPROACHED = Place.NOT_APPROACHED.value, Place.NOT_APPROACHED.label
    DECLINED = Place.DECLINED.value, Place.DECLINED.label
    IN_SCREENING = "in_screening", _("Screening not finished")
    WITHDREW = Place.WITHDREW.value, Place.WITHDREW.label
    SCREEN_FAILED = Place.SCREEN_FAILED.value, Place.SCREEN_FAILED.label
    ELIGIBLE = "eligible", _("Eligible, not enrolled")
    WAITING = "waiting", _("Waiting for treatment")
    UNTREATED_ON_STUDY = "untreated_on_study", _("In follow-up, never treated")
    UNTREATED_COMPLETED = "untreated_completed", _("Completed the study, never treated")
    UNTREATED_WITHDRAWN = "untreated_withdrawn", _("Withdrawn, never treated")
    UNTREATED_LOST = "untreated_lost", _("Lost to follow-up, never treated")
    UNTREATED_DIED = "untreated_died", _("Died, never treated")
    ON_STUDY = Place.ON_STUDY.value, _("In follow-up")
    COMPLETED = Place.COMPLETED.value, Place.COMPLETED.label
    WITHDRAWN = Place.WITHDRAWN.value, Place.WITHDRAWN.label
    LOST = "lost", _("Lost to follow-up")
    DIED = Place.DIED.value, Place.DIED.label
    VOIDED = Place.VOIDED.value, Place.VOIDED.label


class Box(models.TextChoices):
    """A box of the diagram."""

    CONSIDERED = "considered", _("Considered")
    CONSENTED = "consented", _("Consented")
    SCREENED = "screened", _("Screened")
    ENROLLED = "enrolled", _("Enrolled")
    TREATED = "treated", _("Treated")
    NEVER_TREATED = "never_treated", _("Never treated")


Part = Box | Stand

#: What a box holds directly; a box stands for everything in it.
PARTS: dict[Box, tuple[Part, ...]] = {
    Box.CONSIDERED: (
        Stand.UNDECIDED,
        Stand.NOT_APPROACHED,
        Stand.NOT_ELIGIBLE,
        Stand.DECLINED,
        Box.CONSENTED,
    ),
    Box.CONSENTED: (Stand.IN_SCREENING, Stand.WITHDREW, Box.SCREENED),
    Box.SCREENED: (Stand.SCREEN_FAILED, Stand.ELIGIBLE, Box.ENROLLED),
    Box.ENROLLED: (Stand.WAITING, Box.NEVER_TREATED, Box.TREATED),
    Box.NEVER_TREATED: (
        Stand.UNTREATED_ON_STUDY,
        Stand.UNTREATED_WITHDRAWN,
        Stand.UNTREATED_LOST,
        Stand.UNTREATED_DIED,
        Stand.UNTREATED_COMPLETED,
    ),
    Box.TREATED: (Stand.ON_STUDY, Stand.COMPLETED, Stand.WITHDRAWN, Stand.LOST, Stand.DIED),
}


def stands_of(part: Part) -> frozenset[Stand]:
    """Every stand inside a box; a stand is itself."""
    if isinstance(part, Stand):
        return frozenset({part})
    return frozenset().union(*(stands_of(each) for each in PARTS[part]))


def part_named(name: str) -> Part | None:
    """The box or stand of this name."""
    if name in Box.values:
        return Box(name)
    return Stand(name) if name in Stand.values else None


_ENROLLED = (Place.ON_STUDY, Place.COMPLETED, Place.WITHDRAWN, Place.DIED)
#: How an end is called of who was never treated.
_UNTREATED = {
    Place.ON_STUDY: Stand.WAITING,
    Place.COMPLETED: Stand.UNTREATED_COMPLETED,
    Place.WITHDRAWN: Stand.UNTREATED_WITHDRAWN,
    Place.DIED: Stand.UNTREATED_DIED,
}


def with_stand(sites: list[int]) -> QuerySet[Any]:
    """The entries of these sites, each with its `stand`; the first that holds."""
    treated = Q(subject__in=TreatmentSession.objects.started().order_by().values("subject"))
    lost = Q(
        place=Place.WITHDRAWN,
        subject__in=_ended(EndScope.STUDY).filter(reason=EndReason.LOST).values("subject"),
    )
    eligible = Q(place=Place.IN_SCREENING, subject__in=_signed_eligible())
    untreated = Q(place__in=_ENROLLED) & ~treated
    # Whose treatment was ended before it began waits for none any more.
    ended = Q(place=Place.ON_STUDY, subject__in=_ended(EndScope.TREATMENT).values("subject"))
    placed: QuerySet[Any] = with_place(ScreeningEntry.objects.at(sites))
    found: QuerySet[Any] = placed.annotate(
        stand=Case(
            When(eligible, then=Value(Stand.ELIGIBLE)),
            When(untreated & lost, then=Value(Stand.UNTREATED_LOST)),
            When(untreated & ended, then=Value(Stand.UNTREATED_ON_STUDY)),
            *(
                When(untreated & Q(place=place), then=Value(stand))
                for place, stand in _UNTREATED.items()
            ),
            When(lost, then=Value(Stand.LOST)),
            default=F("place"),
            output_field=models.CharField(),
        )
    )
    return found


def _ended(scope: EndScope) -> QuerySet[Any, Any]:
    """The standing records that say when and why this ended."""
    rows = stored(Disposition).filter(scope=scope, record__voided_at=None)
    found: QuerySet[Any, Any] = rows.filter(ended_on__isnull=False, reason__isnull=False)
    return found


def _signed_eligible() -> QuerySet[Any, Any]:
    """The subjects whose latest standing evaluation says eligible."""
    latest = latest_evaluations().values("pk")
    signed = EligibilityEvaluation.objects.filter(pk__in=latest, decision=Decided.ELIGIBLE)
    return signed.order_by().values("subject")


def latest_evaluations() -> QuerySet[EligibilityEvaluation]:
    """The latest standing evaluation of each subject."""
    standing = EligibilityEvaluation.objects.standing().order_by("subject_id", "-number")
    return standing.distinct("subject_id")


@dataclass(frozen=True, slots=True)
class Flow:
    """How many persons stand where, by site; and why screening failed, by site."""

    stands: Mapping[str, Mapping[Stand, int]]
    #: Criterion or reason -> site -> screen failures for which it was given.
    failed_by: Mapping[str, Mapping[str, int]]
    #: Of these, the reasons that are criteria.
    criteria: frozenset[str]

    def of(self, part: Part, site: str = "") -> int:
        """The persons in a box or stand, of one site or of all."""
        inside = stands_of(part)
        return sum(
            counts.get(stand, 0)
            for code, counts in self.stands.items()
            if site in ("", code)
            for stand in inside
        )

    def by_site(self, part: Part) -> dict[str, int]:
        return {code: self.of(part, code) for code in self.stands}


def flow_of(sites: list[int]) -> Flow:
    """The flow of these sites, in one query."""
    rows = (
        with_stand(sites)
        .values_list("site__code", "stand", "criteria", "reasons")
        .annotate(persons=Count("pk"))
        .order_by()
    )
    stands: dict[str, Counter[Stand]] = {}
    failed: dict[str, Counter[str]] = {}
    criteria: set[str] = set()
    for code, name, against, reasons, persons in rows:
        stand = Stand(name)
        stands.setdefault(code, Counter())[stand] += persons
        if stand is Stand.SCREEN_FAILED:
            criteria.update(against)
            for reason in {*against, *reasons}:
                failed.setdefault(reason, Counter())[code] += persons
    return Flow(stands, failed, frozenset(criteria))
