"""Conditions of an adverse event's checks that look at its session days, grades and death."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Least, Left, Length
from django.db.models.lookups import Exact, LessThan

from screening.models.forms.medication import Medication
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.crf.conditions import Late
from trialsite.crf.models import stored
from visits.models import TreatmentSession


def known_before(earlier: Combinable, later: Combinable) -> Q:
    """Whether one (partial) date is known to lie before another: as far as both are known."""
    first, second = _text(earlier), _text(later)
    known = Least(Length(first), Length(second))
    return Q(LessThan(Left(first, known), Left(second, known)))


def known_apart(one: Combinable, other: Combinable) -> Q:
    """Whether two (partial) dates cannot be the same day."""
    return known_before(one, other) | known_before(other, one)


def _text(date: Combinable) -> Cast:
    return Cast(date, models.TextField())


def day_of(moment: str | Combinable) -> Func:
    """The day of a time on the wall, as ISO text."""
    expression = F(moment) if isinstance(moment, str) else moment
    return Func(
        expression, Value("YYYY-MM-DD"), function="to_char", output_field=models.TextField()
    )


def on_session_day(date: str) -> Q:
    """Whether a session of the subject ran on this (full) date."""
    return Q(Late(lambda: Exists(_sessions_on(date))))


def _sessions_on(date: str) -> QuerySet[TreatmentSession]:
    day = Cast(OuterRef(date), models.TextField())
    return (
        TreatmentSession.objects.started()
        .filter(subject=OuterRef("subject_id"))
        .annotate(
            first_day=day_of("started_at"), last_day=day_of(Coalesce("ended_at", "started_at"))
        )
        .filter(Exact(Length(day), 10), first_day__lte=day, last_day__gte=day)
    )


def _grades(**columns: Any) -> QuerySet[Any]:
    """The standing grade rows of the event of this row."""
    return _rows_of_event("AdverseEventGrade", **columns)


def _rows_of_event(table: str, **columns: Any) -> QuerySet[Any]:
    rows = stored(apps.get_model("outcomes", table))
    found: QuerySet[Any] = rows.filter(record=OuterRef("record_id"), voided_at=None, **columns)
    return found


def worst_is_the_grade() -> Q:
    """The grade of the event is the worst of its grade rows, where it has any."""
    return Q(Late(lambda: ~Exists(_grades()) | Exists(_grades(grade=OuterRef("grade")))))


def graded_from_the_start() -> Q:
    """The first of the grade rows, where there are any, is of the day of the onset."""
    return Q(
        Late(
            lambda: (
                ~Exists(_grades())
                | Exists(_grades().exclude(known_apart(F("changed_on"), OuterRef("started_on"))))
            )
        )
    )


def _event(**columns: Any) -> QuerySet[Any]:
    """The event to which this grade row belongs."""
    rows = stored(apps.get_model("outcomes", "AdverseEvent"))
    found: QuerySet[Any] = rows.filter(record=OuterRef("record_id"), **columns)
    return found


def not_worse_than_event(grade: str) -> Q:
    """Whether no grade row is worse than its event's grade."""
    return Q(Late(lambda: ~Exists(_event(grade__lt=OuterRef(grade)))))


def within_event(date: str, time: str) -> Q:
    """Whether a moment is not known to lie before its event's start or after its end."""

    def outside() -> Q:
        day, clock = OuterRef(date), OuterRef(time)
        return (
            known_before(day, F("started_on"))
            | known_before(F("ended_on"), day)
            | Q(started_on=day, started_time__gt=clock)
            | Q(ended_on=day, ended_time__lt=clock)
        )

    return Q(Late(lambda: ~Exists(_event().filter(outside()))))


def medicine_named() -> Q:
    """Whether the event names a medicine that was given for it."""
    rows = Late(lambda: Exists(_rows_of_event("EventMedication")))
    return Q(rows)


def medication_known(number: str) -> Q:
    """Whether the subject has a standing record of concomitant medication of this number."""
    return Q(
        Late(
            lambda: Exists(
                CrfRecord.objects.standing().filter(
                    subject=OuterRef("subject_id"),
                    form_oid=Medication.form_oid,
                    repeat_key=OuterRef(number),
                )
            )
        )
    )


def named_before(number: str) -> Q:
    """Whether an earlier standing row of the event names the same medication."""

    def earlier() -> QuerySet[Any]:
        return _rows_of_event("EventMedication", medication=OuterRef(number)).filter(
            number__lt=OuterRef("number")
        )

    return Q(Late(lambda: Exists(earlier())))


def dies_when_it_ends(date: str) -> Q:
    """Whether a (partial) date can be that of the subject's death, where one is known."""
    return Q(
        Late(
            lambda: (
                ~Exists(
                    Subject.objects.filter(pk=OuterRef("subject_id"))
                    .exclude(died_on="")
                    .filter(known_apart(F("died_on"), OuterRef(date)))
                )
            )
        )
    )


def known_no_earlier(moment: str, date: str, time: str) -> Q:
    """Whether a moment is not known to lie before a date with, perhaps, its time."""
    day, clock = day_of(moment), Cast(F(moment), models.TimeField())
    return ~(
        known_before(day, F(date)) | (Q(Exact(day, _text(F(date)))) & Q(**{f"{time}__gt": clock}))
    )
