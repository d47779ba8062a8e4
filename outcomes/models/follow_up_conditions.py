"""Conditions of edit checks that look at attempts at contact, sessions, and times of a day."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import BooleanField, Exists, F, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import Expression
from django.db.models.functions import Cast, Least, Left, Length

from outcomes.models.conditions import Late
from outcomes.models.follow_up_codes import UNANSWERED
from outcomes.models.survival import ContactAttempt
from screening.models.consent import Withdrawal
from trialsite.casebook.evidence import RECORDS, evidence
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.models import stored
from trialsite.protocol.follow_up import FollowUp


class EnoughAttempts(Expression):
    """Whether the attempts since the participant was last known alive meet the protocol's rule.

    Counted as `outcomes.selectors.survival.attempts_of` counts them: standing attempts that
    reached nobody, after which no evidence of life is dated.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, rule: FollowUp) -> None:
        super().__init__()
        self.rule, self.subject = rule, F("subject_id")

    def get_source_expressions(self) -> list[Any]:
        return [self.subject]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.subject,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:  # noqa: ARG002
        subject, parameters = compiler.compile(self.subject)
        day = "a.attempted_at::date"
        seen = " UNION ALL ".join(each.select for each in evidence())
        results = ", ".join(["%s"] * len(UNANSWERED))
        sql = (
            f"(SELECT count(*) >= %s AND count(DISTINCT {day}) >= %s "
            f"AND coalesce(max({day}) - min({day}), 0) >= %s "
            f'FROM "{ContactAttempt._meta.db_table}" a JOIN "{RECORDS}" r ON r.id = a.record_id '
            f"WHERE a.subject_id = {subject} AND a.voided_at IS NULL AND r.voided_at IS NULL "
            f"AND a.result IN ({results}) AND NOT EXISTS (SELECT 1 FROM ({seen}) seen "
            "WHERE seen.subject_id = a.subject_id "
            "AND seen.day COLLATE \"C\" > to_char(a.attempted_at, 'YYYY-MM-DD')))"
        )
        rule = self.rule
        counts = (rule.attempts_at_least, rule.attempt_days, rule.attempts_over_days)
        return sql, (*counts, *parameters, *(each.value for each in UNANSWERED))


def enough_attempts(version_id: int) -> Q:
    """The condition `EnoughAttempts` under a protocol version; without a rule it holds."""
    rule = protocol_of(version_id).follow_up
    return Q(EnoughAttempts(rule)) if rule is not None else Q(pk__isnull=False)


class SeenLaterThatDay(Expression):
    """Whether the subject was observed on the very day of a (whole) date at a later time."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, date: str, time: str) -> None:
        super().__init__()
        self.date, self.time, self.subject = F(date), F(time), F("subject_id")

    def get_source_expressions(self) -> list[Any]:
        return [self.date, self.time, self.subject]

    def set_source_expressions(self, exprs: Any) -> None:
        self.date, self.time, self.subject = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:  # noqa: ARG002
        date, first = compiler.compile(self.date)
        time, second = compiler.compile(self.time)
        subject, third = compiler.compile(self.subject)
        timed = " UNION ALL ".join(each.moments for each in evidence() if each.timed)
        return (
            f"({time} IS NOT NULL AND EXISTS (SELECT 1 FROM ({timed}) seen "
            f"WHERE seen.subject_id = {subject} "
            f"AND to_char(seen.at, 'YYYY-MM-DD') = {date} AND seen.at::time > {time}))",
            (*second, *third, *first, *second),
        )


def seen_later_that_day(date: str, time: str) -> Q:
    """The condition `SeenLaterThatDay`, for an edit check."""
    return Q(SeenLaterThatDay(date, time))


def not_after_day_zero(date: str) -> Q:
    """Whether a (partial) date is known not to lie after the subject's day zero."""
    return Q(Late(lambda: Exists(_day_zero_from(date))))


def _day_zero_from(date: str) -> QuerySet[Subject]:
    day = Cast(F("day_zero"), TextField())
    given = Cast(OuterRef(date), TextField())
    return (
        Subject.objects.filter(pk=OuterRef("subject_id"), day_zero__isnull=False)
        .annotate(whole=day, known=Left(day, Length(OuterRef(date))))
        .filter(Q(known__gt=given) | Q(whole=given))
    )


def died_before(date: str) -> Q:
    """Whether the subject is known to have died on or before a (partial) date."""
    return Q(Late(lambda: Exists(_died_by(date))))


def _died_by(date: str) -> QuerySet[Subject]:
    given = Cast(OuterRef(date), TextField())
    known = Least(Length("died_on"), Length(given))
    return (
        Subject.objects.filter(pk=OuterRef("subject_id"))
        .exclude(died_on="")
        .annotate(died=Left("died_on", known), day=Left(given, known))
        .filter(died__lte=F("day"))
    )


def transplant_recorded() -> Q:
    """Whether a standing record says when the subject was transplanted."""
    return Q(Late(lambda: Exists(_transplants())))


def _transplants() -> QuerySet[Any]:
    rows = stored(apps.get_model("outcomes.Transplantation"))
    found: QuerySet[Any] = rows.filter(
        subject=OuterRef("subject_id"), record__voided_at=None, transplanted_on__isnull=False
    )
    return found


def withdrawal_recorded() -> Q:
    """Whether the subject has withdrawn anything, taken back or not."""
    return Q(Late(lambda: Exists(_withdrawals())))


def _withdrawals() -> QuerySet[Withdrawal]:
    return Withdrawal.objects.filter(subject=OuterRef("subject_id"), record__voided_at=None)
