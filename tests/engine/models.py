"""A repeating item group, a many-per-subject form, a domain model with its companion record."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.partial_dates import PartialDateField
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, CrfRow, EditCheck
from trialsite.crf.registry import register, register_companion, register_rows


@register
class RunSheet(CrfData):
    """A form with a header of its own and a grid of readings."""

    form_oid = "F.TRUN"
    title = _("Run sheet (test)")

    operator_note = item(models.TextField("Note"), oid="I.TRUN.NOTE", required=False)
    primed = item(models.BooleanField("Primed"), oid="I.TRUN.PRIMED")


@register_rows
class Reading(CrfRow):
    """One line of the grid."""

    form_oid = "F.TRUN"
    group_oid = "G.TREAD"
    title = _("Readings (test)")

    read_at = item(WallTimeField("Read at"), oid="I.TREAD.AT", observed=True)
    blood_flow = item(
        models.SmallIntegerField("Blood flow"), oid="I.TREAD.QB", unit="mL/min", limits="QB"
    )
    venous = item(models.SmallIntegerField("Venous pressure"), oid="I.TREAD.PV", limits="PV")

    edit_checks = (
        EditCheck(
            oid="TREAD.VENOUS",
            holds=Q(venous__lte=F("blood_flow") * 2),
            message=_("Venous pressure is high for this flow."),
            item="venous",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(blood_flow__gte=0),
                name="reading_flow_not_negative",
                violation_error_message="A flow cannot be negative.",
            ),
        ]


@register
class Episode(CrfData):
    """Many per subject: each with its own repeat key."""

    form_oid = "F.TEPI"
    title = _("Episode (test)")
    repeating = True

    term = item(models.CharField("Term", max_length=100), oid="I.TEPI.TERM")
    started_on = item(PartialDateField("Started"), oid="I.TEPI.START", observed=True)


def _number(n: int) -> models.DecimalField[Any, Any]:
    column = models.DecimalField(f"Value {n}", max_digits=8, decimal_places=2)
    return item(column, oid=f"I.TWIDE.V{n:02d}", required=False, limits="SYSBP" if n < 10 else "")


@register
class Wide(CrfData):
    """A form of thirty items, ten of them with a usual range: what the benchmarks save."""

    form_oid = "F.TWIDE"
    title = _("Thirty items (test)")

    for _n in range(30):
        vars()[f"v{_n:02d}"] = _number(_n)
    del _n


@guarded(site="site_id", subject="subject_id", record="record_id")
class Device(models.Model):
    """A domain model with a life of its own, and a record for queries, signature, lock."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    record = models.OneToOneField(CrfRecord, models.PROTECT, related_name="+")
    serial = models.CharField(max_length=20)
    #: Came later than the table: rows of the time before have nothing there.
    ward = models.CharField(max_length=20, blank=True)

    objects = SiteScopedQuerySet["Device"].as_manager()

    def __str__(self) -> str:
        return self.serial


register_companion("F.TDEV", _("Device (test)"), Device)
