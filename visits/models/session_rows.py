"""The repeating groups of a session's record: readings, interruptions, complications, tests."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, F, IntegerField, Q, Value, When
from django.db.models.functions import Cast, Round
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from screening.models.forms.examination import Grade
from trialsite.core.slots import declare
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import derived, item
from trialsite.crf.models import CrfRow, EditCheck
from trialsite.crf.registry import register_rows
from visits.models.session_codes import (
    ComplicationCode,
    ComplicationSeverity,
    InterruptionReason,
    PlasmaColour,
    TestMethod,
    TestStage,
    TestUnit,
    TestVerdict,
)
from visits.models.sessions import FORM_OID

#: What apps above offer on a complication: its adverse event (decisions H1).
COMPLICATION_ACTIONS = declare("visits.complication.actions")
#: The same on a reading. It stands within the grid's form: no form of its own may be in it.
READING_ACTIONS = declare("visits.reading.actions")

_TENTHS = models.DecimalField(max_digits=9, decimal_places=3)


def _flow(label: str | Promise, **metadata: Any) -> models.DecimalField[Any, Any]:
    name: Any = label
    column = models.DecimalField(name, max_digits=6, decimal_places=1)
    return item(column, unit="mL/min", required=False, **metadata)


def _pressure(label: str | Promise, **metadata: Any) -> models.SmallIntegerField[Any, Any]:
    name: Any = label
    return item(models.SmallIntegerField(name), unit="mm[Hg]", required=False, **metadata)


@register_rows
class SessionReading(CrfRow):
    """One line of the run sheet: what was read at the bedside, and when it was read.

    When it was entered stands in the trail. Rate and pressure may be 0 and the verbal
    response untestable: an arrest is kept as it was (decisions C1).
    """

    form_oid = FORM_OID
    group_oid = "G.TXR"
    title = _("Readings")

    observed_at = item(WallTimeField(_("Read at")), oid="I.TXR.AT", sdtm="VS.VSDTC", observed=True)
    planned_minute = item(
        models.SmallIntegerField(_("Planned minute")), oid="I.TXR.MIN", unit="min", required=False
    )
    systolic = item(
        models.SmallIntegerField(_("Systolic blood pressure")),
        oid="I.TXR.SYSBP",
        limits="SYSBP",
        unit="mm[Hg]",
        sdtm="VS.SYSBP",
    )
    diastolic = item(
        models.SmallIntegerField(_("Diastolic blood pressure")),
        oid="I.TXR.DIABP",
        limits="DIABP",
        unit="mm[Hg]",
        sdtm="VS.DIABP",
    )
    mean_arterial = derived(
        _("Mean arterial pressure"),
        Round(Cast(F("systolic") + 2 * F("diastolic"), _TENTHS) / Value(3), precision=1),
        models.DecimalField(max_digits=6, decimal_places=1),
        oid="I.TXR.MAP",
        limits="MAP",
        unit="mm[Hg]",
        sdtm="VS.MAP",
    )
    heart_rate = item(
        models.SmallIntegerField(_("Heart rate")),
        oid="I.TXR.HR",
        limits="PULSE",
        unit="/min",
        sdtm="VS.HR",
    )
    respiratory_rate = item(
        models.SmallIntegerField(_("Respiratory rate")),
        oid="I.TXR.RESP",
        limits="RESP",
        unit="/min",
        sdtm="VS.RESP",
        required=False,
    )
    oxygen_saturation = item(
        models.DecimalField(_("Oxygen saturation"), max_digits=4, decimal_places=1),
        oid="I.TXR.OXYSAT",
        limits="OXYSAT",
        unit="%",
        sdtm="VS.OXYSAT",
        required=False,
    )
    temperature = item(
        models.DecimalField(_("Temperature"), max_digits=4, decimal_places=1),
        oid="I.TXR.TEMP",
        limits="TEMP",
        unit="Cel",
        sdtm="VS.TEMP",
        required=False,
    )
    gcs = item(
        models.CharField(_("GCS"), max_length=3),
        oid="I.TXR.GCS",
        sdtm="RS.RSORRES",
        required=False,
        help=_("3 to 15; with a tube the sum of eyes and motor with T, such as 10T"),
    )
    gcs_total = derived(
        _("GCS total"),
        Case(
            When(gcs__regex=r"^[0-9]+$", then=Cast("gcs", IntegerField())),
            output_field=IntegerField(),
        ),
        IntegerField(),
        oid="I.TXR.GCSTOTAL",
        unit="{score}",
        limits="GCS",
        sdtm="RS.RSSTRESN",
    )
    west_haven = item(
        models.CharField(_("HE grade (West Haven)"), max_length=3, choices=Grade),
        oid="I.TXR.HEGRADE",
        sdtm="RS.RSORRES",
        required=False,
    )
    blood_flow = _flow(_("Blood flow"), oid="I.TXR.QB", limits="QB")
    plasma_flow = _flow(_("Plasma separation rate"), oid="I.TXR.QP", limits="QP")
    reactor_flow = _flow(_("Reactor flow"), oid="I.TXR.QR", limits="QR")
    access_pressure = _pressure(_("Access pressure"), oid="I.TXR.PA", limits="PA")
    return_pressure = _pressure(_("Return pressure"), oid="I.TXR.PV", limits="PV")
    prefilter_pressure = _pressure(_("Pre-filter pressure"), oid="I.TXR.PPRE", limits="PPRE")
    effluent_pressure = _pressure(_("Effluent pressure"), oid="I.TXR.PEFF")
    transmembrane = derived(
        _("Transmembrane pressure"),
        Round(
            Cast(F("prefilter_pressure") + F("return_pressure"), _TENTHS) / Value(2)
            - F("effluent_pressure"),
            precision=1,
        ),
        models.DecimalField(max_digits=6, decimal_places=1),
        oid="I.TXR.TMP",
        limits="TMP",
        unit="mm[Hg]",
    )
    filter_drop = derived(
        _("Pressure drop of the filter"),
        F("prefilter_pressure") - F("return_pressure"),
        IntegerField(),
        oid="I.TXR.DROP",
        unit="mm[Hg]",
    )
    plasma_colour = item(
        models.SmallIntegerField(_("Plasma colour"), choices=PlasmaColour),
        oid="I.TXR.COLOUR",
        required=False,
    )
    alarms = item(
        models.CharField(_("Alarms and what was done"), max_length=300),
        oid="I.TXR.ALARM",
        required=False,
    )

    edit_checks = (
        EditCheck(
            oid="TXR.PULSE_PRESSURE",
            holds=Q(systolic__gte=F("diastolic") + 20) | Q(systolic=0),
            message=_("Pulse pressure below 20 mmHg. Please confirm both readings."),
            item="diastolic",
        ),
        EditCheck(
            oid="TXR.HE_WORSE",
            holds=~Q(west_haven__in=(Grade.III, Grade.IV)),
            message=_("Encephalopathy of grade III or more in the session. Please confirm."),
            item="west_haven",
        ),
        EditCheck(
            oid="TXR.HAEMOLYSIS",
            holds=Q(plasma_colour=PlasmaColour.CLEAR),
            message=_(
                "Coloured plasma: free haemoglobin, LDH and potassium are looked at, and an "
                "adverse event is considered."
            ),
            item="plasma_colour",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(systolic__gte=F("diastolic")),
                name="reading_systolic_not_below_diastolic",
                violation_error_message=_("Systolic pressure cannot be below diastolic."),
            ),
            models.CheckConstraint(
                condition=Q(systolic__gte=0) & Q(diastolic__gte=0),
                name="reading_pressure_not_negative",
                violation_error_message=_("A pressure cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(heart_rate__gte=0),
                name="reading_heart_rate_not_negative",
                violation_error_message=_("A rate cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(respiratory_rate__gte=0),
                name="reading_respiratory_rate_not_negative",
                violation_error_message=_("A rate cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(oxygen_saturation__gte=0, oxygen_saturation__lte=100),
                name="reading_saturation_is_a_percentage",
                violation_error_message=_("Saturation lies between 0 and 100 %."),
            ),
            models.CheckConstraint(
                condition=Q(blood_flow__gte=0),
                name="reading_blood_flow_not_negative",
                violation_error_message=_("A flow cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(plasma_flow__gte=0),
                name="reading_plasma_flow_not_negative",
                violation_error_message=_("A flow cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(reactor_flow__gte=0),
                name="reading_reactor_flow_not_negative",
                violation_error_message=_("A flow cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(gcs__regex=r"^([3-9]|1[0-5]|([2-9]|10)T)$"),
                name="reading_gcs_on_the_scale",
                violation_error_message=_("GCS is 3 to 15, or 2T to 10T with a tube."),
            ),
        ]


@register_rows
class Interruption(CrfRow):
    """A time in which the circuit stood still; it counts for no effective minute."""

    form_oid = FORM_OID
    group_oid = "G.TXI"
    title = _("Interruptions")

    # The circuit's times, not the person's: it may stand still into the day after a death.
    off_at = item(WallTimeField(_("Off at")), oid="I.TXI.OFF", past=True)
    on_at = item(WallTimeField(_("On again at")), oid="I.TXI.ON", required=False, past=True)
    reason = item(
        models.CharField(_("Reason"), max_length=12, choices=InterruptionReason),
        oid="I.TXI.REASON",
    )
    action = item(
        models.CharField(_("What was done"), max_length=300), oid="I.TXI.ACTION", required=False
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(on_at__gte=F("off_at")),
                name="interruption_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
        ]


@register_rows
class Complication(CrfRow):
    """Something that went wrong in the session; an adverse event may be made of it."""

    form_oid = FORM_OID
    group_oid = "G.TXC"
    title = _("Complications")

    code = item(
        models.CharField(_("Complication"), max_length=20, choices=ComplicationCode),
        oid="I.TXC.CODE",
        sdtm="CE.CETERM",
    )
    onset_at = item(WallTimeField(_("Onset")), oid="I.TXC.ONSET", sdtm="CE.CESTDTC", observed=True)
    severity = item(
        models.CharField(_("Severity"), max_length=10, choices=ComplicationSeverity),
        oid="I.TXC.SEV",
        sdtm="CE.CESEV",
    )
    comment = item(models.TextField(_("Comment")), oid="I.TXC.COMMENT", required=False)

    edit_checks = (
        EditCheck(
            oid="TXC.OTHER_SAID",
            holds=~Q(code=ComplicationCode.OTHER) | Q(comment__isnull=False),
            message=_("Another complication: say which."),
            item="comment",
        ),
    )


@register_rows
class IntegrityTest(CrfRow):
    """One test that no cell can pass from the reactor to the blood; a failure is an alert."""

    form_oid = FORM_OID
    group_oid = "G.TXT"
    title = _("Integrity tests")

    stage = item(models.CharField(_("When"), max_length=10, choices=TestStage), oid="I.TXT.STAGE")
    method = item(
        models.CharField(_("Method"), max_length=15, choices=TestMethod), oid="I.TXT.METHOD"
    )
    tested_at = item(WallTimeField(_("Tested at")), oid="I.TXT.AT", past=True)
    result = item(
        models.CharField(_("Result"), max_length=5, choices=TestVerdict), oid="I.TXT.RESULT"
    )
    value = item(
        models.DecimalField(_("Measured value"), max_digits=12, decimal_places=3),
        oid="I.TXT.VALUE",
        required=False,
    )
    value_unit = item(
        models.CharField(_("Unit"), max_length=10, choices=TestUnit),
        oid="I.TXT.UNIT",
        required=False,
    )
    sample = item(
        models.CharField(_("Effluent sample"), max_length=40), oid="I.TXT.SAMPLE", required=False
    )

    edit_checks = (
        EditCheck(
            oid="TXT.CELLS_IN_RETURN",
            holds=~Q(method=TestMethod.RETURN_COUNT) | Q(value__lte=0) | Q(result=TestVerdict.FAIL),
            message=_("Cells in the return line, and the test passed. Please confirm."),
            item="result",
        ),
        EditCheck(
            oid="TXT.UNIT_SAID",
            holds=Q(value__isnull=True) | Q(value_unit__isnull=False),
            message=_("A measured value without its unit."),
            item="value_unit",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(method=TestMethod.RETURN_COUNT) | Q(value__gte=0),
                name="integrity_count_not_negative",
                violation_error_message=_("A count cannot be negative."),
            ),
        ]
