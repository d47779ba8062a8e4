"""Laboratories with their dated ranges, draws with their results, and what purified the blood."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_WITH_REASON
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import MissingReason
from trialsite.crf.registry import register_companion
from trialsite.labs.codes import (
    FORM_OID,
    CreatinineMethod,
    PurificationKind,
    PurificationSource,
    ResultFlag,
    Sex,
    Significance,
    Specimen,
    Timepoint,
)
from trialsite.labs.importing.models import LabFileMapping as LabFileMapping
from trialsite.labs.importing.models import LabImport as LabImport
from trialsite.labs.names import item_label
from trialsite.labs.results import COMPARATORS


def _exact(label: str | Promise) -> models.DecimalField[Decimal | None, Decimal | None]:
    """A number as printed, or converted without rounding."""
    name: Any = label
    return models.DecimalField(name, max_digits=42, decimal_places=18, null=True, blank=True)


def digits(number: Decimal | None) -> str:
    """A number as it was printed, without the zeros its column adds."""
    if number is None:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@guarded(site="site_id")
class Laboratory(models.Model):
    """A laboratory whose printouts a site transcribes (LBNAM)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    code = models.CharField(_("Code"), max_length=20)
    name = models.CharField(_("Name"), max_length=200)
    name_zh = models.CharField(_("Name in Chinese"), max_length=200, blank=True)
    creatinine_method = models.CharField(
        _("Creatinine method"), max_length=10, choices=CreatinineMethod, blank=True
    )
    pt_reagent = models.CharField(_("Prothrombin reagent and its ISI"), max_length=200, blank=True)
    active = models.BooleanField(_("Active"), default=True)

    objects = SiteScopedQuerySet["Laboratory"].as_manager()

    class Meta:
        verbose_name = _("laboratory")
        ordering: ClassVar[list[str]] = ["site", "code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "code"],
                name="laboratory_once",
                violation_error_message=_("This site has a laboratory of this code already."),
            ),
            models.UniqueConstraint(fields=["site", "id"], name="laboratory_site_key"),
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Za-z0-9._-]{1,20}$"),
                name="laboratory_code_is_plain",
                violation_error_message=_("A code has letters, digits, dots and dashes."),
            ),
            models.CheckConstraint(
                condition=Q(creatinine_method__in=CreatinineMethod.values),
                name="laboratory_method_known",
            ),
        ]

    def __str__(self) -> str:
        """Code and name, in Chinese where that is read and there is one."""
        chinese = (get_language() or "").startswith("zh")
        return f"{self.code} {(chinese and self.name_zh) or self.name}"


class _SexRange(Func):
    """A sex as a range, so that "everybody" overlaps both."""

    template = (
        "(CASE %(expressions)s WHEN 'M' THEN int4range(1, 2) "
        "WHEN 'F' THEN int4range(2, 3) ELSE int4range(1, 3) END)"
    )


@guarded(site="site_id")
class ReferenceRange(models.Model):
    """A laboratory's range for one analyte, for whom, and from when until before when.

    A wrong range is voided and stated anew; what was judged by it keeps its own copy.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    laboratory = models.ForeignKey(
        Laboratory, models.PROTECT, related_name="ranges", verbose_name=_("Laboratory")
    )
    analyte = models.CharField(_("Analyte"), max_length=20)
    sex = models.CharField(_("For"), max_length=3, choices=Sex, default=Sex.ALL)
    age_from = models.PositiveSmallIntegerField(_("From age"), default=0)
    age_below = models.PositiveSmallIntegerField(_("Below age"), null=True, blank=True)
    low = _exact(_("Lower limit"))
    high = _exact(_("Upper limit"))
    unit = models.CharField(_("Unit"), max_length=40)
    valid = DateRangeField(_("Valid"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["ReferenceRange"].as_manager()

    class Meta:
        verbose_name = _("reference range")
        ordering: ClassVar[list[str]] = ["laboratory", "analyte", "sex", "age_from", "valid"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            ExclusionConstraint(
                name="range_one_at_a_time",
                expressions=[
                    ("laboratory", RangeOperators.EQUAL),
                    ("analyte", RangeOperators.EQUAL),
                    (_SexRange("sex"), RangeOperators.OVERLAPS),
                    (
                        Func(F("age_from"), F("age_below"), function="int4range"),
                        RangeOperators.OVERLAPS,
                    ),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                condition=Q(voided_at=None),
            ),
            models.CheckConstraint(
                condition=Q(low__isnull=False) | Q(high__isnull=False),
                name="range_has_a_limit",
                violation_error_message=_("A range needs a lower or an upper limit."),
            ),
            models.CheckConstraint(
                condition=Q(low__lte=F("high")),
                name="range_low_not_above_high",
                violation_error_message=_("The lower limit cannot lie above the upper one."),
            ),
            models.CheckConstraint(
                condition=Q(age_from__lt=F("age_below")),
                name="range_ages_in_order",
                violation_error_message=_("The first age must lie below the last."),
            ),
            models.CheckConstraint(
                condition=Q(sex__in=Sex.values) & ~Q(unit="") & ~Q(analyte=""),
                name="range_codes_known",
            ),
            models.CheckConstraint(
                condition=Q(valid__isempty=False, valid__lower_inf=False),
                name="range_begins",
                violation_error_message=_("A range begins on a day and ends on a later one."),
            ),
            models.CheckConstraint(condition=VOIDED_WITH_REASON, name="range_voided_iff_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.analyte} {self.low_text}–{self.high_text} {self.unit}"

    @property
    def low_text(self) -> str:
        return digits(self.low)

    @property
    def high_text(self) -> str:
        return digits(self.high)


@guarded(site="site_id", subject="subject_id", record="record_id")
class LabPanel(models.Model):
    """One draw: when, where and how the specimen of a lab record was taken and measured.

    It heads its results; queries, signature and lock live on its record, which has the
    same key. Times are the clock on the wall in `time_zone`.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="lab_panel"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="lab_panels")
    laboratory = models.ForeignKey(
        Laboratory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="panels",
        verbose_name=_("Laboratory"),
    )
    #: Keys of the protocol's lab panels that this draw was for.
    panels = models.JSONField(_("Panels"), default=list)
    collected_at = WallTimeField(_("Drawn at"), null=True, blank=True)
    received_at = WallTimeField(_("Received by the laboratory"), null=True, blank=True)
    time_zone = models.CharField(max_length=64)
    specimen = models.CharField(_("Specimen"), max_length=20, choices=Specimen, blank=True)
    timepoint = models.CharField(_("Time point"), max_length=4, choices=Timepoint, blank=True)
    fasting = models.BooleanField(_("Fasting"), null=True, blank=True)
    on_ice = models.BooleanField(_("On ice"), null=True, blank=True)
    haemolysed = models.BooleanField(_("Haemolysed"), default=False)
    lipaemic = models.BooleanField(_("Lipaemic"), default=False)
    icteric = models.BooleanField(_("Icteric"), default=False)
    #: Drawn for the ward and not for the study (decisions C3).
    routine_care = models.BooleanField(_("Routine care"), default=False)
    #: The judgement of everything abnormal that is no shift (decisions C16).
    significance = models.CharField(
        _("Significance of what is abnormal"), max_length=11, choices=Significance, blank=True
    )
    comment = models.TextField(_("Comment"), blank=True)

    objects = SiteScopedQuerySet["LabPanel"].as_manager()

    class Meta:
        verbose_name = _("laboratory draw")
        ordering: ClassVar[list[str]] = ["-collected_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject", "collected_at"], name="panel_of_subject"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(received_at__gte=F("collected_at")),
                name="panel_received_after_collected",
                violation_error_message=_("A specimen is received after it was drawn."),
            ),
            models.CheckConstraint(
                condition=Q(specimen__in=["", *Specimen.values])
                & Q(timepoint__in=Timepoint.values)
                & Q(significance__in=["", *Significance.values]),
                name="panel_codes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{FORM_OID} {self.collected_at or ''}".strip()


@guarded(site="site_id", subject="subject_id", record="record_id")
class LabResult(models.Model):
    """One result of a draw: as printed, converted exactly, against the range of that day.

    Numbers keep the digits of the printout; the range is a copy, so that a later
    correction of the register moves nothing that was judged (ICH E6(R3) 4.2.2).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="lab_results")
    #: The draw, whose key is that of its record.
    panel = models.ForeignKey(
        LabPanel, models.PROTECT, db_column="record_id", related_name="results"
    )
    analyte = models.CharField(_("Analyte"), max_length=20)
    text = models.CharField(_("Result as printed"), max_length=40, blank=True)
    #: The tube it was measured in, as the printout names it (LBREFID).
    specimen_ref = models.CharField(_("Specimen ID"), max_length=40, blank=True)
    comparator = models.CharField(_("Comparator"), max_length=2, blank=True)
    value = _exact(_("Value"))
    unit = models.CharField(_("Unit as printed"), max_length=40, blank=True)
    factor = _exact(_("Conversion factor"))
    canonical = _exact(_("Value in the protocol's unit"))
    canonical_unit = models.CharField(_("The protocol's unit"), max_length=40, blank=True)
    missing = models.CharField(
        _("Why there is no value"), max_length=3, choices=MissingReason, blank=True
    )
    range = models.ForeignKey(
        ReferenceRange, models.PROTECT, null=True, blank=True, related_name="results"
    )
    range_low = _exact(_("Lower limit"))
    range_high = _exact(_("Upper limit"))
    range_unit = models.CharField(_("Unit of the range"), max_length=40, blank=True)
    range_factor = _exact(_("Conversion factor of the range"))
    flag = models.CharField(_("Flag"), max_length=7, choices=ResultFlag, blank=True)
    significance = models.CharField(
        _("Clinical significance"), max_length=11, choices=Significance, blank=True
    )
    confirmed = models.CharField(_("Confirmed as"), max_length=500, blank=True)
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["LabResult"].as_manager()

    class Meta:
        verbose_name = _("laboratory result")
        ordering: ClassVar[list[str]] = ["panel", "analyte"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["subject", "analyte"],
                condition=Q(voided_at=None),
                name="standing_results",
            ),
            models.Index(
                fields=["specimen_ref"],
                condition=Q(voided_at=None) & ~Q(specimen_ref=""),
                name="results_of_specimen",
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["panel", "analyte"],
                condition=Q(voided_at=None),
                name="one_standing_result",
            ),
            models.CheckConstraint(
                condition=(Q(missing="") & ~Q(text="")) | (~Q(missing="") & Q(text="")),
                name="result_missing_xor_text",
                violation_error_message=_("Either a value or a reason why there is none."),
            ),
            models.CheckConstraint(
                condition=Q(value=None, canonical=None, factor=None, comparator="")
                | (
                    Q(value__isnull=False, canonical__isnull=False, factor__gt=0)
                    & ~Q(text="")
                    & ~Q(unit="")
                    & ~Q(canonical_unit="")
                ),
                name="result_value_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(comparator__in=COMPARATORS)
                & Q(missing__in=["", *MissingReason.values])
                & Q(flag__in=["", *ResultFlag.values])
                & Q(significance__in=["", *Significance.values])
                & ~Q(analyte=""),
                name="result_codes_known",
            ),
            models.CheckConstraint(condition=VOIDED_WITH_REASON, name="result_voided_iff_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.analyte} {self.text or self.missing}"


@guarded(site="site_id", subject="subject_id")
class PurificationInterval(models.Model):
    """From when to when a subject's blood was purified; results drawn soon after are marked.

    Sessions write theirs downward, with their own key as `origin`; earlier treatments are
    entered by the site (decisions C9, H1).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="purifications")
    kind = models.CharField(_("Kind"), max_length=10, choices=PurificationKind)
    source = models.CharField(_("Known from"), max_length=7, choices=PurificationSource)
    origin = models.UUIDField(null=True, blank=True)
    started_at = WallTimeField(_("Started"))
    ended_at = WallTimeField(_("Ended"), null=True, blank=True)
    time_zone = models.CharField(max_length=64)
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["PurificationInterval"].as_manager()

    class Meta:
        verbose_name = _("blood purification")
        ordering: ClassVar[list[str]] = ["-started_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["origin"], condition=Q(voided_at=None), name="purification_of_origin_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__gte=F("started_at")),
                name="purification_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(source=PurificationSource.EARLIER, origin=None)
                | Q(source=PurificationSource.SESSION, origin__isnull=False),
                name="purification_session_has_origin",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=PurificationKind.values), name="purification_kind_known"
            ),
            models.CheckConstraint(
                condition=VOIDED_WITH_REASON, name="purification_voided_iff_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.started_at}"


register_companion(
    FORM_OID,
    _("Laboratory results"),
    LabPanel,
    page="labs:panel",
    repeating=True,
    label_of=item_label,
)
