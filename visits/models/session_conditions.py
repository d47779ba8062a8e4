"""What the checks of a session's forms ask of other rows: the last weight, INR and session."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Abs
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from trialsite.crf.conditions import Late
from trialsite.crf.models import CrfData, stored
from trialsite.labs.models import LabResult
from visits.models.session_codes import Modality
from visits.models.sessions import TreatmentSession


def last_inr_above(limit: Decimal, when: str) -> Q:
    """Whether the last INR drawn before a moment of the row is above the limit."""
    return Q(Late(lambda: GreaterThan(_last_inr(when), Value(limit))))


def _last_inr(when: str) -> Subquery:
    drawn = LabResult.objects.filter(
        subject=OuterRef("subject_id"),
        analyte="INR",
        voided_at=None,
        canonical__isnull=False,
        panel__record__voided_at=None,
        panel__collected_at__lte=OuterRef(when),
    )
    return Subquery(drawn.order_by("-panel__collected_at").values("canonical")[:1])


def near_last(table: str, column: str, when: str, *, within: Decimal) -> Q:
    """Whether a value differs from that of the form before by no more than this part of it."""

    def make() -> Any:
        last = _last_of(table, column, when)
        return LessThanOrEqual(Abs(F(column) - last), last * Value(within))

    return Q(Late(make))


def _last_of(table: str, column: str, when: str) -> Any:
    model: type[CrfData] = TreatmentSession._meta.apps.get_model("visits", table)
    before = stored(model).filter(
        subject=OuterRef("subject_id"),
        record__voided_at=None,
        **{f"{column}__isnull": False, f"{when}__lt": OuterRef(when)},
    )
    return Subquery(before.order_by(f"-{when}").values(column)[:1])


def of_session_with_cells() -> Q:
    """Whether the form belongs to the visit of a session with the cell reactor."""
    return Q(Late(lambda: Exists(_with_cells())))


def _with_cells() -> Any:
    return TreatmentSession.objects.standing().filter(
        record__visit__records=OuterRef("record_id"),
        modality__contains=[Modality.REACTOR],
    )
