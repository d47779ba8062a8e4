"""Preparation of a session: circuit, vascular access, prescription, anticoagulation."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import DateField, DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Cast
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register
from visits.models.session_codes import AccessSite, AccessType, Anticoagulant
from visits.models.session_conditions import last_inr_above, near_last, of_session_with_cells

#: After so many days a femoral catheter is asked about (clinical 1b).
FEMORAL_DAYS = 14

#: With a slower INR a larger heparin bolus, in IU, is asked about (clinical 1b).
SLOW_INR = Decimal("2.5")
CAUTIOUS_BOLUS = 1000

#: A larger part of the last weight is asked about (clinical 1b).
WEIGHT_CHANGE = Decimal("0.1")

_FEMORAL = (AccessSite.RIGHT_FEMORAL, AccessSite.LEFT_FEMORAL)


def _text(label: str | Promise, oid: str) -> models.CharField[Any, Any]:
    name: Any = label
    return item(models.CharField(name, max_length=100), oid=oid, required=False)


def _number(
    label: str | Promise,
    oid: str,
    unit: str,
    *,
    digits: int = 8,
    places: int = 2,
    **metadata: Any,
) -> models.DecimalField[Any, Any]:
    name: Any = label
    column = models.DecimalField(name, max_digits=digits, decimal_places=places)
    return item(column, oid=oid, unit=unit, **({"required": False} | metadata))


def _not_negative(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__gte": 0}),
        name=f"session_prep_{name}_not_negative",
        violation_error_message=_("This cannot be negative."),
    )


_AMOUNTS = (
    "separator_area",
    "barrier_pore",
    "access_size",
    "blood_flow",
    "plasma_flow",
    "reactor_flow",
    "heparin_bolus",
    "heparin_rate",
    "lmwh_dose",
    "nafamostat_priming",
    "nafamostat_rate",
    "citrate_rate",
    "calcium_rate",
    "act_before",
)


@register
class SessionPreparation(CrfData):
    """What a session was set up with (CDASH PR, devices IG): only what C15 names is required."""

    form_oid = "F.TXP"
    title = _("Session preparation: circuit and prescription")

    prepared_at = item(WallTimeField(_("Prepared at")), oid="I.TXP.AT", past=True)
    machine_model = _text(_("Machine, model"), "I.TXP.MACHMODEL")
    machine_serial = _text(_("Machine, serial number"), "I.TXP.MACHSER")
    machine_software = _text(_("Machine, software version"), "I.TXP.MACHSW")
    separator_model = _text(_("Plasma separator, model"), "I.TXP.SEPMODEL")
    separator_lot = _text(_("Plasma separator, lot"), "I.TXP.SEPLOT")
    separator_expiry = item(
        models.DateField(_("Plasma separator, expiry")), oid="I.TXP.SEPEXP", required=False
    )
    separator_area = _number(
        _("Plasma separator, membrane area"), "I.TXP.SEPAREA", "m2", limits="SEPAREA"
    )
    barrier_model = _text(_("Cell-barrier filter, model"), "I.TXP.BARMODEL")
    barrier_lot = _text(_("Cell-barrier filter, lot"), "I.TXP.BARLOT")
    barrier_pore = _number(
        _("Cell-barrier filter, pore size"), "I.TXP.BARPORE", "um", places=3, limits="BARPORE"
    )
    adsorber_model = _text(_("Adsorber, model"), "I.TXP.ADSMODEL")
    adsorber_lot = _text(_("Adsorber, lot"), "I.TXP.ADSLOT")
    access_type = item(
        models.CharField(_("Vascular access"), max_length=12, choices=AccessType),
        oid="I.TXP.ACCTYPE",
        required=False,
    )
    access_site = item(
        models.CharField(_("Site of the access"), max_length=6, choices=AccessSite),
        oid="I.TXP.ACCSITE",
        required=False,
    )
    access_inserted_on = item(
        models.DateField(_("Catheter inserted on")), oid="I.TXP.ACCINSDT", required=False
    )
    access_size = _number(_("Catheter size"), "I.TXP.ACCFR", "[Ch]", places=1, limits="ACCFR")
    weight = _number(_("Weight"), "I.TXP.WEIGHT", "kg", digits=6, limits="WEIGHT", sdtm="VS.WEIGHT")
    haematocrit = _number(
        _("Haematocrit"), "I.TXP.HCT", "%", digits=5, places=1, limits="HCT", sdtm="LB.HCT"
    )
    blood_flow = _number(
        _("Blood flow, prescribed"), "I.TXP.QB", "mL/min", places=1, limits="QB", required=True
    )
    plasma_flow = _number(
        _("Plasma separation rate, prescribed"),
        "I.TXP.QP",
        "mL/min",
        places=1,
        limits="QP",
        required=True,
    )
    reactor_flow = _number(
        _("Reactor flow, prescribed"), "I.TXP.QR", "mL/min", places=1, limits="QR", required=True
    )
    reactor_temperature = _number(
        _("Reactor temperature, prescribed"), "I.TXP.QRTEMP", "Cel", places=1, limits="QRTEMP"
    )
    anticoagulant = item(
        models.CharField(_("Anticoagulation"), max_length=12, choices=Anticoagulant),
        oid="I.TXP.ACTYPE",
    )
    heparin_bolus = _number(_("Heparin, bolus"), "I.TXP.HEPBOL", "[IU]", limits="HEPBOL")
    heparin_rate = _number(_("Heparin, maintenance"), "I.TXP.HEPRATE", "[IU]/h", limits="HEPRATE")
    lmwh_dose = _number(_("Low-molecular-weight heparin, dose"), "I.TXP.LMWH", "[IU]")
    nafamostat_priming = _number(_("Nafamostat, priming"), "I.TXP.NMPRIME", "mg", limits="NMPRIME")
    nafamostat_rate = _number(_("Nafamostat, infusion"), "I.TXP.NMRATE", "mg/h", limits="NMRATE")
    citrate_rate = _number(_("Citrate, infusion"), "I.TXP.CITRATE", "mL/h")
    calcium_rate = _number(_("Calcium, replacement"), "I.TXP.CARATE", "mL/h")
    act_before = _number(
        _("Activated clotting time before"), "I.TXP.ACT", "s", places=1, limits="ACT"
    )
    identity_at = item(
        WallTimeField(_("Identity checked at")), oid="I.TXP.IDAT", required=False, observed=True
    )
    identity_first = _text(_("Identity checked by, first"), "I.TXP.IDFIRST")
    identity_second = _text(_("Identity checked by, second"), "I.TXP.IDSECOND")
    comment = item(
        models.TextField(_("Comment")), oid="I.TXP.COMMENT", sdtm="CO.COVAL", required=False
    )

    sections = (
        Section(
            title=_("Machine"),
            items=("prepared_at", "machine_model", "machine_serial", "machine_software"),
        ),
        Section(
            title=_("Circuit"),
            items=(
                "separator_model",
                "separator_lot",
                "separator_expiry",
                "separator_area",
                "barrier_model",
                "barrier_lot",
                "barrier_pore",
                "adsorber_model",
                "adsorber_lot",
            ),
        ),
        Section(
            title=_("Vascular access"),
            items=("access_type", "access_site", "access_inserted_on", "access_size"),
        ),
        Section(
            title=_("Prescription"),
            items=(
                "weight",
                "haematocrit",
                "blood_flow",
                "plasma_flow",
                "reactor_flow",
                "reactor_temperature",
            ),
        ),
        Section(
            title=_("Anticoagulation"),
            items=(
                "anticoagulant",
                "heparin_bolus",
                "heparin_rate",
                "lmwh_dose",
                "nafamostat_priming",
                "nafamostat_rate",
                "citrate_rate",
                "calcium_rate",
                "act_before",
            ),
        ),
        Section(
            title=_("Identity check by two people"),
            items=("identity_at", "identity_first", "identity_second"),
        ),
        Section(title=_("Remarks"), items=("comment",)),
    )

    edit_checks = (
        EditCheck(
            oid="TXP.FILTRATION_FRACTION",
            # Qp / (Qb (1 - Hct)), the haematocrit in percent.
            holds=Q(plasma_flow__lte=F("blood_flow") * (100 - F("haematocrit")) * 3 / 1000),
            message=_("The filtration fraction is above 30 %. Please confirm the flows."),
            item="plasma_flow",
        ),
        EditCheck(
            oid="TXP.FEMORAL_CATHETER",
            holds=~Q(access_site__in=_FEMORAL)
            | Q(
                access_inserted_on__gte=ExpressionWrapper(
                    Cast("prepared_at", DateField()) - Value(dt.timedelta(days=FEMORAL_DAYS)),
                    output_field=DateTimeField(),
                )
            ),
            message=_("The femoral catheter lies longer than 14 days. Please confirm."),
            item="access_inserted_on",
        ),
        EditCheck(
            oid="TXP.CATHETER_BEFORE",
            holds=Q(access_inserted_on__lte=Cast("prepared_at", DateField())),
            message=_("The catheter was inserted after the preparation. Please confirm."),
            item="access_inserted_on",
        ),
        EditCheck(
            oid="TXP.SEPARATOR_EXPIRED",
            holds=Q(separator_expiry__gte=Cast("prepared_at", DateField())),
            message=_("The plasma separator had expired. Please confirm."),
            item="separator_expiry",
        ),
        EditCheck(
            oid="TXP.HEPARIN_SAID",
            holds=~Q(anticoagulant=Anticoagulant.UFH)
            | Q(heparin_bolus__isnull=False)
            | Q(heparin_rate__isnull=False),
            message=_("Heparin without its dose."),
            item="heparin_bolus",
        ),
        EditCheck(
            oid="TXP.HEPARIN_INR",
            holds=Q(heparin_bolus__lte=CAUTIOUS_BOLUS) | ~last_inr_above(SLOW_INR, "prepared_at"),
            message=_(
                "The last INR is above 2.5, and the heparin bolus above 1000. Please confirm."
            ),
            item="heparin_bolus",
        ),
        EditCheck(
            oid="TXP.WEIGHT_CHANGE",
            holds=near_last("SessionPreparation", "weight", "prepared_at", within=WEIGHT_CHANGE),
            message=_("The weight differs from the last by more than 10 %. Please confirm."),
            item="weight",
        ),
        EditCheck(
            oid="TXP.BARRIER_SAID",
            holds=Q(barrier_model__isnull=False) | ~of_session_with_cells(),
            message=_("Cells are used: which filter keeps them out of the blood?"),
            item="barrier_model",
        ),
        EditCheck(
            oid="TXP.NAFAMOSTAT_SAID",
            holds=~Q(anticoagulant=Anticoagulant.NAFAMOSTAT) | Q(nafamostat_rate__isnull=False),
            message=_("Nafamostat without its dose."),
            item="nafamostat_rate",
        ),
        EditCheck(
            oid="TXP.CITRATE_SAID",
            holds=~Q(anticoagulant=Anticoagulant.CITRATE) | Q(citrate_rate__isnull=False),
            message=_("Citrate without its dose."),
            item="citrate_rate",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *(_not_negative(name) for name in _AMOUNTS),
            models.CheckConstraint(
                condition=Q(weight__gt=0),
                name="session_prep_weight_is_positive",
                violation_error_message=_("A weight is more than zero."),
            ),
            models.CheckConstraint(
                condition=Q(haematocrit__gte=0, haematocrit__lte=100),
                name="session_prep_haematocrit_is_a_percentage",
                violation_error_message=_("A haematocrit lies between 0 and 100 %."),
            ),
            models.CheckConstraint(
                condition=~Q(identity_first=F("identity_second")),
                name="session_prep_identity_by_two",
                violation_error_message=_("Two different people check the identity."),
            ),
        ]
