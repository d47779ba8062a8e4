"""Conditions of edit checks that look beyond their own row."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Expression
from django.db.models.functions import Cast, Left, Length

from screening.models import Consent
from screening.models.consent import ConsentKind
from trialsite.casebook.evidence import evidence
from trialsite.casebook.models import Subject
from trialsite.crf.conditions import Late
from trialsite.crf.models import CrfData, stored


class SeenAfter(Expression):
    """Whether the subject was observed on a day known to lie after a (partial) date.

    ISO texts are compared as far as both are known, as `not_before` does. The evidence is
    gathered when the SQL is written: by then every app has registered its own.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, date: str) -> None:
        super().__init__()
        self.date, self.subject = F(date), F("subject_id")

    def get_source_expressions(self) -> list[Any]:
        return [self.date, self.subject]

    def set_source_expressions(self, exprs: Any) -> None:
        self.date, self.subject = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:  # noqa: ARG002
        died, first = compiler.compile(self.date)
        subject, second = compiler.compile(self.subject)
        known = f"least(length(seen.day), length({died}))"
        return (
            "EXISTS (SELECT 1 FROM ("
            + " UNION ALL ".join(each.select for each in evidence())
            + f") seen WHERE seen.subject_id = {subject} "
            f'AND left(seen.day, {known}) > left({died}, {known}) COLLATE "C")',
            (*second, *first, *first, *first),
        )


def seen_after(date: str) -> Q:
    """The condition `SeenAfter`, for an edit check."""
    return Q(SeenAfter(date))


def before_first_consent(date: str) -> Q:
    """Whether a (partial) date is known to lie before the day of the first consent."""
    return Q(Late(lambda: Exists(_later_consents(date))))


def _later_consents(date: str) -> QuerySet[Consent]:
    day = Func(
        F("signed_at"), Value("YYYY-MM-DD"), function="to_char", output_field=models.TextField()
    )
    return (
        Consent.objects.filter(
            subject=OuterRef("subject_id"), record__voided_at=None, kind=ConsentKind.INITIAL
        )
        .annotate(known=Left(day, Length(OuterRef(date))))
        .filter(known__gt=Cast(OuterRef(date), models.TextField()))
    )


def death_recorded() -> Q:
    """Whether the casebook knows the date of the subject's death."""
    return Q(
        Late(lambda: Exists(Subject.objects.filter(pk=OuterRef("subject_id")).exclude(died_on="")))
    )


def has_record_of(table: type[CrfData], **columns: Any) -> Q:
    """Whether the subject has a standing record of a form with these values."""
    return Q(
        Late(
            lambda: Exists(
                stored(table).filter(
                    subject=OuterRef("subject_id"), record__voided_at=None, **columns
                )
            )
        )
    )


def another_of(label: str, *columns: str) -> Q:
    """Whether the subject has another standing record of the form with the same values."""
    same = {name: OuterRef(name) for name in columns}
    return Q(
        Late(
            lambda: Exists(
                stored(apps.get_model(label))
                .filter(subject=OuterRef("subject_id"), record__voided_at=None, **same)
                .exclude(pk=OuterRef("pk"))
            )
        )
    )
