"""End of a session: volumes, replacement, clotting, blood loss, and how the device did."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Abs, Cast, Coalesce, NullIf
from django.db.models.lookups import LessThanOrEqual
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register
from visits.models.session_codes import BloodGroup, ClottingGrade, Disposal

#: Above so much blood lost an adverse event is considered (clinical 1b).
NOTABLE_LOSS_ML = 150


def _volume(label: str | Promise, oid: str, **metadata: Any) -> models.IntegerField[Any, Any]:
    name: Any = label
    return item(models.IntegerField(name), oid=oid, unit="mL", required=False, **metadata)


def _amount(
    label: str | Promise, oid: str, unit: str, **metadata: Any
) -> models.DecimalField[Any, Any]:
    name: Any = label
    column = models.DecimalField(name, max_digits=8, decimal_places=2)
    return item(column, oid=oid, unit=unit, required=False, **metadata)


def _number(column: str) -> Any:
    return Cast(F(column), models.DecimalField(max_digits=12, decimal_places=2))


def _given(column: str) -> Any:
    return Coalesce(_number(column), Decimal(0))


#: What went back for the plasma, in mL; albumin as the volume of its solution.
_REPLACED = (
    _given("ffp_volume")
    + _given("saline_volume")
    + _given("gelatin_volume")
    + Coalesce(F("albumin_dose") * 100 / NullIf(F("albumin_strength"), Decimal(0)), Decimal(0))
)
#: A larger part of the plasma exchanged is asked about (clinical 1b).
_REPLACEMENT_WITHIN = Decimal("0.1")


def _percent(label: str | Promise, oid: str, **metadata: Any) -> models.DecimalField[Any, Any]:
    name: Any = label
    column = models.DecimalField(name, max_digits=5, decimal_places=1)
    return item(column, oid=oid, unit="%", required=False, **metadata)


def _not_negative(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__gte": 0}),
        name=f"session_end_{name}_not_negative",
        violation_error_message=_("This cannot be negative."),
    )


@register
class SessionEnd(CrfData):
    """What a session used, gave and left; only what C15 names is required."""

    form_oid = "F.TXE"
    title = _("End of session")

    recorded_at = item(WallTimeField(_("Date and time")), oid="I.TXE.AT", past=True)
    plasma_exchanged = _volume(_("Plasma exchanged"), "I.TXE.VEXCH", limits="VEXCH")
    plasma_processed = _volume(
        _("Plasma processed through the reactor"), "I.TXE.VPROC", limits="VPROC"
    )
    ffp_volume = _volume(_("Fresh frozen plasma"), "I.TXE.FFPVOL", sdtm="CM.CMDOSE")
    ffp_units = item(
        models.SmallIntegerField(_("Fresh frozen plasma, units")), oid="I.TXE.FFPN", required=False
    )
    ffp_group = item(
        models.CharField(_("Blood group of the plasma"), max_length=2, choices=BloodGroup),
        oid="I.TXE.FFPABO",
        required=False,
    )
    own_group = item(
        models.CharField(_("Blood group of the participant"), max_length=2, choices=BloodGroup),
        oid="I.TXE.ABO",
        required=False,
    )
    ffp_numbers = item(
        models.TextField(_("Unit numbers of the plasma")), oid="I.TXE.FFPNO", required=False
    )
    albumin_dose = item(
        models.DecimalField(_("Albumin"), max_digits=6, decimal_places=1),
        oid="I.TXE.ALBDOSE",
        unit="g",
        sdtm="CM.CMDOSE",
        required=False,
    )
    albumin_strength = _percent(_("Albumin, concentration"), "I.TXE.ALBPCT")
    saline_volume = _volume(_("Saline"), "I.TXE.SALVOL", sdtm="CM.CMDOSE")
    gelatin_volume = _volume(_("Gelatin"), "I.TXE.GELVOL", sdtm="CM.CMDOSE")
    net_balance = _volume(_("Net fluid balance"), "I.TXE.UFNET", limits="UFNET")
    heparin_total = _amount(_("Heparin, total"), "I.TXE.HEPTOT", "[IU]")
    protamine = _amount(_("Protamine"), "I.TXE.PROTDOSE", "mg", limits="PROTDOSE")
    calcium_postfilter = _amount(
        _("Ionised calcium after the filter"), "I.TXE.ICAPOST", "mmol/L", limits="ICAPOST"
    )
    calcium_systemic = _amount(
        _("Ionised calcium, systemic"), "I.TXE.ICASYS", "mmol/L", limits="ICASYS"
    )
    act_during = _amount(_("Activated clotting time during"), "I.TXE.ACTDUR", "s", limits="ACT")
    act_after = _amount(_("Activated clotting time at the end"), "I.TXE.ACTEND", "s", limits="ACT")
    reactor_temperature = _amount(
        _("Reactor temperature, measured"), "I.TXE.QRTEMP", "Cel", limits="QRTEMP"
    )
    filter_clotting = item(
        models.SmallIntegerField(_("Clotting of the filter"), choices=ClottingGrade),
        oid="I.TXE.CLOTFIL",
        required=False,
    )
    chamber_clotting = item(
        models.SmallIntegerField(_("Clotting of the venous chamber"), choices=ClottingGrade),
        oid="I.TXE.CLOTCHA",
        required=False,
    )
    blood_returned = item(
        models.BooleanField(_("Residual blood returned")), oid="I.TXE.BLDRET", required=False
    )
    blood_loss = _volume(_("Estimated blood loss"), "I.TXE.BLDLOSS", limits="BLOODLOSS")
    any_complication = item(models.BooleanField(_("Any complication")), oid="I.TXE.COMPLYN")
    performance_ok = item(
        models.BooleanField(_("Device performance acceptable")),
        oid="I.TXE.PERFOK",
        required=False,
    )
    performance_criteria = item(
        models.TextField(_("Criteria, and which was not met")), oid="I.TXE.PERFCRIT", required=False
    )
    cells_recovered = item(
        models.DecimalField(_("Cells recovered"), max_digits=12, decimal_places=2),
        oid="I.TXE.CELLREC",
        unit="10*6",
        required=False,
    )
    cell_viability = _percent(_("Viability of the recovered cells"), "I.TXE.VIAB", limits="VIAB")
    disposal = item(
        models.CharField(_("Disposal of the reactor"), max_length=12, choices=Disposal),
        oid="I.TXE.DISPOSAL",
        required=False,
    )
    comment = item(
        models.TextField(_("Comment")), oid="I.TXE.COMMENT", sdtm="CO.COVAL", required=False
    )

    sections = (
        Section(
            title=_("Volumes"),
            items=("recorded_at", "plasma_exchanged", "plasma_processed", "net_balance"),
        ),
        Section(
            title=_("Replacement"),
            items=(
                "ffp_volume",
                "ffp_units",
                "ffp_group",
                "own_group",
                "ffp_numbers",
                "albumin_dose",
                "albumin_strength",
                "saline_volume",
                "gelatin_volume",
            ),
        ),
        Section(
            title=_("Anticoagulation"),
            items=(
                "heparin_total",
                "protamine",
                "calcium_postfilter",
                "calcium_systemic",
                "act_during",
                "act_after",
            ),
        ),
        Section(
            title=_("Circuit afterwards"),
            items=(
                "reactor_temperature",
                "filter_clotting",
                "chamber_clotting",
                "blood_returned",
                "blood_loss",
            ),
        ),
        Section(
            title=_("Course"),
            items=("any_complication", "performance_ok", "performance_criteria"),
        ),
        Section(
            title=_("Reactor afterwards"),
            items=("cells_recovered", "cell_viability", "disposal"),
        ),
        Section(title=_("Remarks"), items=("comment",)),
    )

    edit_checks = (
        EditCheck(
            oid="TXE.PLASMA_REPLACED",
            holds=Q(
                LessThanOrEqual(
                    Abs(_REPLACED - _number("plasma_exchanged")),
                    _number("plasma_exchanged") * _REPLACEMENT_WITHIN,
                )
            ),
            message=_(
                "The replacement differs from the plasma exchanged by more than 10 %. "
                "Please confirm the volumes."
            ),
            item="plasma_exchanged",
        ),
        EditCheck(
            oid="TXE.PLASMA_GROUP",
            # Plasma carries the antibodies that its donor's cells have no antigen for.
            holds=Q(own_group=BloodGroup.O)
            | Q(ffp_group=BloodGroup.AB)
            | Q(ffp_group=F("own_group")),
            message=_("The plasma does not go with the participant’s blood group. Please confirm."),
            item="ffp_group",
        ),
        EditCheck(
            oid="TXE.PLASMA_TRACED",
            holds=~Q(ffp_units__gt=0) | Q(ffp_numbers__isnull=False),
            message=_("Plasma was given: its unit numbers are needed to trace it."),
            item="ffp_numbers",
        ),
        EditCheck(
            oid="TXE.CIRCUIT_CLOTTED",
            holds=Q(filter_clotting__lt=ClottingGrade.LOST),
            message=_("The circuit was lost to clotting: is it a device event? Please confirm."),
            item="filter_clotting",
        ),
        EditCheck(
            oid="TXE.BLOOD_LOST",
            holds=Q(blood_loss__lte=NOTABLE_LOSS_ML),
            message=_("More than 150 mL of blood were lost: is it an adverse event?"),
            item="blood_loss",
        ),
        EditCheck(
            oid="TXE.PERFORMANCE_SAID",
            holds=Q(performance_ok=True) | Q(performance_criteria__isnull=False),
            message=_("The device did not perform: say which criterion was not met."),
            item="performance_criteria",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *(
                _not_negative(name)
                for name in (
                    "plasma_exchanged",
                    "plasma_processed",
                    "ffp_volume",
                    "ffp_units",
                    "albumin_dose",
                    "saline_volume",
                    "gelatin_volume",
                    "blood_loss",
                    "cells_recovered",
                    "heparin_total",
                    "protamine",
                    "calcium_postfilter",
                    "calcium_systemic",
                    "act_during",
                    "act_after",
                )
            ),
            models.CheckConstraint(
                condition=Q(albumin_strength__gte=0, albumin_strength__lte=100),
                name="session_end_albumin_is_a_percentage",
                violation_error_message=_("A concentration lies between 0 and 100 %."),
            ),
            models.CheckConstraint(
                condition=Q(cell_viability__gte=0, cell_viability__lte=100),
                name="session_end_viability_is_a_percentage",
                violation_error_message=_("A viability is a percentage from 0 to 100."),
            ),
        ]
