"""Vital signs, expected at every visit."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Round
from django.utils.translation import gettext_lazy as _

from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import SAME, Conversion, derived, item, reported, reported_unit
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register

FAHRENHEIT = Conversion(Fraction(5, 9), Fraction(32))
POUND = Conversion(Fraction("0.45359237"))
INCH = Conversion(Fraction("2.54"))


class Position(models.TextChoices):
    """CDISC C71148."""

    SUPINE = "SUPINE", _("Supine")
    SEMI_RECUMBENT = "SEMI-RECUMBENT", _("Semi-recumbent")
    SITTING = "SITTING", _("Sitting")
    STANDING = "STANDING", _("Standing")


class OxygenSupport(models.TextChoices):
    ROOM_AIR = "ROOM AIR", _("Room air")
    OXYGEN = "OXYGEN", _("Supplemental oxygen")
    VENTILATED = "VENTILATED", _("Ventilated")


@register
class VitalSigns(CrfData):
    """Vital signs (CDASH VS). Usual and plausible ranges are protocol data."""

    form_oid = "F.VS"
    title = _("Vital signs")

    assessed_at = item(
        WallTimeField(_("Date and time")), oid="I.VS.VSDTC", sdtm="VS.VSDTC", observed=True
    )
    position = item(
        models.CharField(_("Position"), max_length=20, choices=Position),
        oid="I.VS.VSPOS",
        sdtm="VS.VSPOS",
        required=False,
    )
    systolic = item(
        models.SmallIntegerField(_("Systolic blood pressure")),
        oid="I.VS.SYSBP",
        limits="SYSBP",
        unit="mm[Hg]",
        sdtm="VS.SYSBP",
    )
    diastolic = item(
        models.SmallIntegerField(_("Diastolic blood pressure")),
        oid="I.VS.DIABP",
        limits="DIABP",
        unit="mm[Hg]",
        sdtm="VS.DIABP",
    )
    mean_arterial = derived(
        _("Mean arterial pressure"),
        # A third of whole numbers would be cut to a whole number.
        Round(
            Cast(
                F("systolic") + 2 * F("diastolic"),
                models.DecimalField(max_digits=9, decimal_places=3),
            )
            / Value(3),
            precision=1,
        ),
        models.DecimalField(max_digits=6, decimal_places=1),
        oid="I.VS.MAP",
        limits="MAP",
        unit="mm[Hg]",
        sdtm="VS.MAP",
    )
    heart_rate = item(
        models.SmallIntegerField(_("Heart rate")),
        oid="I.VS.HR",
        limits="PULSE",
        unit="/min",
        sdtm="VS.HR",
    )
    respiratory_rate = item(
        models.SmallIntegerField(_("Respiratory rate")),
        oid="I.VS.RESP",
        limits="RESP",
        unit="/min",
        sdtm="VS.RESP",
    )
    temperature = item(
        models.DecimalField(_("Temperature"), max_digits=5, decimal_places=2),
        oid="I.VS.TEMP",
        limits="TEMP",
        unit="Cel",
        units={"Cel": SAME, "[degF]": FAHRENHEIT},
        sdtm="VS.TEMP",
    )
    temperature_reported = reported()
    temperature_unit = reported_unit()
    oxygen_saturation = item(
        models.DecimalField(_("Oxygen saturation"), max_digits=4, decimal_places=1),
        oid="I.VS.OXYSAT",
        limits="OXYSAT",
        unit="%",
        sdtm="VS.OXYSAT",
    )
    oxygen_support = item(
        models.CharField(_("Oxygen support"), max_length=20, choices=OxygenSupport),
        oid="I.VS.OXYSUP",
        required=False,
    )
    fio2 = item(
        models.DecimalField(_("FiO₂"), max_digits=4, decimal_places=1),
        oid="I.VS.FIO2",
        unit="%",
        sdtm="VS.FIO2",
        required=False,
    )
    weight = item(
        models.DecimalField(_("Weight"), max_digits=6, decimal_places=2),
        oid="I.VS.WEIGHT",
        limits="WEIGHT",
        unit="kg",
        units={"kg": SAME, "[lb_av]": POUND},
        sdtm="VS.WEIGHT",
        required=False,
    )
    weight_reported = reported()
    weight_unit = reported_unit()
    height = item(
        models.DecimalField(_("Height"), max_digits=5, decimal_places=1),
        oid="I.VS.HEIGHT",
        limits="HEIGHT",
        unit="cm",
        units={"cm": SAME, "[in_i]": INCH},
        sdtm="VS.HEIGHT",
        required=False,
    )
    height_reported = reported()
    height_unit = reported_unit()
    comment = item(
        models.TextField(_("Comment")), oid="I.VS.COMMENT", sdtm="CO.COVAL", required=False
    )

    sections = (
        Section(title=_("Assessment"), items=("assessed_at", "position")),
        Section(
            title=_("Circulation and breathing"),
            items=(
                "systolic",
                "diastolic",
                "mean_arterial",
                "heart_rate",
                "respiratory_rate",
                "oxygen_saturation",
                "oxygen_support",
                "fio2",
            ),
        ),
        Section(title=_("Body"), items=("temperature", "weight", "height")),
        Section(title=_("Remarks"), items=("comment",)),
    )

    edit_checks = (
        EditCheck(
            oid="VS.PULSE_PRESSURE",
            holds=Q(systolic__gte=F("diastolic") + 20) | Q(systolic=0),
            message=_("Pulse pressure below 20 mmHg. Please confirm both readings."),
            item="diastolic",
        ),
        EditCheck(
            oid="VS.FIO2_ON_ROOM_AIR",
            holds=~Q(oxygen_support=OxygenSupport.ROOM_AIR) | Q(fio2__lte=21),
            message=_("FiO₂ above 21 % on room air. Please confirm."),
            item="fio2",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(systolic__gte=F("diastolic")),
                name="vital_signs_systolic_not_below_diastolic",
                violation_error_message=_("Systolic pressure cannot be below diastolic."),
            ),
            models.CheckConstraint(
                condition=Q(oxygen_saturation__gte=0, oxygen_saturation__lte=100),
                name="vital_signs_saturation_is_a_percentage",
                violation_error_message=_("Saturation lies between 0 and 100 %."),
            ),
            models.CheckConstraint(
                condition=Q(fio2__gte=0, fio2__lte=100),
                name="vital_signs_fio2_is_a_percentage",
                violation_error_message=_("FiO₂ lies between 0 and 100 %."),
            ),
            models.CheckConstraint(
                condition=Q(systolic__gte=0) & Q(diastolic__gte=0),
                name="vital_signs_pressure_not_negative",
                violation_error_message=_("A pressure cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(heart_rate__gte=0),
                name="vital_signs_heart_rate_not_negative",
                violation_error_message=_("A rate cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(respiratory_rate__gte=0),
                name="vital_signs_respiratory_rate_not_negative",
                violation_error_message=_("A rate cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(weight__gt=0),
                name="vital_signs_weight_is_positive",
                violation_error_message=_("A weight is more than zero."),
            ),
            models.CheckConstraint(
                condition=Q(height__gt=0),
                name="vital_signs_height_is_positive",
                violation_error_message=_("A height is more than zero."),
            ),
        ]
