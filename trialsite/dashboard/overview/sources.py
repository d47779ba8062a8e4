"""What the counts are taken of: one row for each thing, for the figure and its list alike."""

from __future__ import annotations

from typing import Any

from django.db.models import (
    Aggregate,
    Case,
    DecimalField,
    F,
    Func,
    IntegerField,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from outcomes.event_forms import NARROWING
from outcomes.models import AdverseEvent
from screening.models import Enrolment
from screening.models.eligibility import CriterionAnswer
from trialsite.crf.models import stored
from trialsite.dashboard.overview.flow import latest_evaluations
from visits.models import Complication, TreatmentSession
from visits.session_datasets import effective_sql

#: Ended sessions stand in bands of an hour; the last is open above.
LAST_BAND = 8
_EFFECTIVE = effective_sql(f'"{TreatmentSession._meta.db_table}"')
assert "%" not in _EFFECTIVE
#: The grade of an event whose form does not name one yet.
UNGRADED = 0


class Effective(Func):
    """The effective minutes of a session of the query's own table, as the datasets have them."""

    template = _EFFECTIVE
    output_field = DecimalField()


class Band(Func):
    """The hour of the effective time; none while the session runs: least() alone would make
    that the last."""

    template = (
        f"CASE WHEN ended_at IS NOT NULL "
        f"THEN least(floor(({_EFFECTIVE}) / 60), {LAST_BAND})::integer END"
    )
    output_field = IntegerField()


class Median(Aggregate):
    """The value in the middle."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DecimalField()


def enrolments(sites: list[int]) -> QuerySet[Any]:
    """Enrolments that stand."""
    return Enrolment.objects.standing().filter(site__in=sites)


def verdicts(sites: list[int]) -> QuerySet[Any]:
    """The verdicts of the latest signed evaluation of each person."""
    return CriterionAnswer.objects.filter(
        site__in=sites, evaluation__in=latest_evaluations().filter(site__in=sites).values("pk")
    )


def sessions(sites: list[int]) -> QuerySet[Any]:
    """Sessions that were started, with effective minutes and their band once ended."""
    started: QuerySet[Any] = TreatmentSession.objects.started().filter(site__in=sites)
    found: QuerySet[Any] = started.annotate(effective=Effective(), band=Band())
    return found


def complications(sites: list[int]) -> QuerySet[Any]:
    """Complications that stand, of sessions that were started."""
    started = TreatmentSession.objects.started().filter(site__in=sites).order_by().values("pk")
    rows: QuerySet[Any] = stored(Complication).filter(voided_at=None, record__in=started)
    return rows


def events(sites: list[int]) -> QuerySet[Any]:
    """Adverse events that stand, with their grade and whether the treatment may have caused
    them."""
    rows: QuerySet[Any] = stored(AdverseEvent).filter(site__in=sites, record__voided_at=None)
    found: QuerySet[Any] = rows.annotate(
        graded=Coalesce(F("grade"), Value(UNGRADED)),
        related=Case(When(NARROWING["related"][1], then=Value(1)), default=Value(0)),
        grave=Case(When(serious=True, then=Value(1)), default=Value(0)),
    )
    return found
