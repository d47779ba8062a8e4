"""Concomitant medication: the one form for it, one record a medicine, for the whole study."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.core.partial_dates import PartialDateField, not_before
from trialsite.crf.items import derived, item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register


class Category(models.TextChoices):
    """What the trial must know of each medicine (CMCAT), asked as a prompt."""

    PLASMA = "PLASMA", _("Plasma")
    ALBUMIN = "ALBUMIN", _("Albumin")
    CRYO = "CRYOPRECIPITATE", _("Cryoprecipitate")
    PLATELETS = "PLATELETS", _("Platelets")
    RED_CELLS = "RED CELLS", _("Red cells")
    FACTORS = "COAGULATION FACTORS", _("Coagulation factors")
    ANTIVIRAL = "ANTIVIRAL", _("Antiviral")
    ACETYLCYSTEINE = "ACETYLCYSTEINE", _("Acetylcysteine")
    ADEMETIONINE = "ADEMETIONINE", _("Ademetionine")
    URSODEOXYCHOLIC = "URSODEOXYCHOLIC ACID", _("Ursodeoxycholic acid")
    GLUCOCORTICOID = "GLUCOCORTICOID", _("Glucocorticoid")
    ANTIBIOTIC = "ANTIBIOTIC", _("Antibiotic")
    ANTIFUNGAL = "ANTIFUNGAL", _("Antifungal")
    VASOPRESSOR = "VASOPRESSOR", _("Vasopressor")
    LACTULOSE = "LACTULOSE", _("Lactulose")
    RIFAXIMIN = "RIFAXIMIN", _("Rifaximin")
    VITAMIN_K = "VITAMIN K", _("Vitamin K")
    PPI = "PPI", _("Proton-pump inhibitor")
    IMMUNOSUPPRESSANT = "IMMUNOSUPPRESSANT", _("Immunosuppressant")
    ANTICOAGULANT = "ANTICOAGULANT", _("Anticoagulant")
    SEDATIVE = "SEDATIVE", _("Sedative")
    OTHER = "OTHER", pgettext_lazy("medication", "Other")


#: Given from a bag with a number of its own, which a recall asks for.
BLOOD_PRODUCTS = (
    Category.PLASMA,
    Category.CRYO,
    Category.PLATELETS,
    Category.RED_CELLS,
)

#: Moves inflammation markers or clotting times without the liver having changed.
INTERFERES = (
    Category.PLASMA,
    Category.ALBUMIN,
    Category.CRYO,
    Category.FACTORS,
    Category.GLUCOCORTICOID,
    Category.VITAMIN_K,
    Category.IMMUNOSUPPRESSANT,
    Category.ANTICOAGULANT,
)


class DoseUnit(models.TextChoices):
    """UCUM, as it is printed on charts."""

    MG = "mg", "mg"
    G = "g", "g"
    UG = "ug", "μg"
    ML = "mL", "mL"
    IU = "[IU]", "IU"
    UNIT = "U", pgettext_lazy("dose", "units (bags)")
    MMOL = "mmol", "mmol"
    MG_HOUR = "mg/h", "mg/h"
    ML_HOUR = "mL/h", "mL/h"
    UG_KG_MIN = "ug/kg/min", "μg/kg/min"
    TABLET = "{tbl}", _("tablet or capsule")


class Route(models.TextChoices):
    """CDISC C66729."""

    ORAL = "ORAL", _("Oral")
    INTRAVENOUS = "INTRAVENOUS", _("Intravenous")
    SUBCUTANEOUS = "SUBCUTANEOUS", _("Subcutaneous")
    INTRAMUSCULAR = "INTRAMUSCULAR", _("Intramuscular")
    NASOGASTRIC = "NASOGASTRIC", _("By gastric tube")
    RECTAL = "RECTAL", _("Rectal")
    INHALATION = "RESPIRATORY (INHALATION)", _("Inhaled")
    TOPICAL = "TOPICAL", _("Topical")
    EXTRACORPOREAL = "EXTRACORPOREAL CIRCULATION", _("Into the circuit")
    OTHER = "OTHER", pgettext_lazy("route", "Other")


class Frequency(models.TextChoices):
    """CDISC C71113."""

    ONCE = "ONCE", _("Once")
    QD = "QD", _("Once a day")
    BID = "BID", _("Twice a day")
    TID = "TID", _("Three times a day")
    QID = "QID", _("Four times a day")
    Q4H = "Q4H", _("Every 4 hours")
    Q6H = "Q6H", _("Every 6 hours")
    Q8H = "Q8H", _("Every 8 hours")
    Q12H = "Q12H", _("Every 12 hours")
    QOD = "QOD", _("Every other day")
    QS = "QS", _("Every week")
    CONTINUOUS = "CONTINUOUS", _("Continuously")
    PRN = "PRN", _("As needed")
    OTHER = "OTHER", pgettext_lazy("frequency", "Other")


class Indication(models.TextChoices):
    """For what it is given; an adverse event and a condition are named in words beside it."""

    DISEASE = "DISEASE UNDER STUDY", _("Liver failure")
    HISTORY = "MEDICAL HISTORY", _("A condition of the history")
    ADVERSE_EVENT = "ADVERSE EVENT", _("An adverse event")
    PROPHYLAXIS = "PROPHYLAXIS", _("Prophylaxis")
    NUTRITION = "NUTRITION", _("Nutrition")
    OTHER = "OTHER", pgettext_lazy("indication", "Other")


@register
class Medication(CrfData):
    """One medicine or blood product, from its start to its end (CDASH CM)."""

    form_oid = "F.CM"
    title = _("Concomitant medication")
    repeating = True
    caption = "treatment"

    treatment = item(
        models.CharField(_("Medication"), max_length=200),
        oid="I.CM.CMTRT",
        sdtm="CM.CMTRT",
        dictionary="WHODrug",
    )
    category = item(
        models.CharField(_("Category"), max_length=25, choices=Category),
        oid="I.CM.CMCAT",
        sdtm="CM.CMCAT",
    )
    atc_code = item(
        models.CharField(_("ATC code"), max_length=10),
        oid="I.CM.CMCLASCD",
        sdtm="CM.CMCLASCD",
        required=False,
    )
    pressor = derived(
        _("Vasopressor"),
        Q(category=Category.VASOPRESSOR),
        models.BooleanField(),
        oid="I.CM.PRESSOR",
        sdtm="SUPPCM.PRESSOR",
    )
    interferes = derived(
        _("Bears on inflammation markers or clotting"),
        Q(category__in=INTERFERES),
        models.BooleanField(),
        oid="I.CM.MARKERS",
        sdtm="SUPPCM.MARKERS",
    )
    dose = item(
        models.DecimalField(_("Dose"), max_digits=10, decimal_places=3),
        oid="I.CM.CMDOSE",
        sdtm="CM.CMDOSE",
    )
    dose_unit = item(
        models.CharField(_("Unit of the dose"), max_length=10, choices=DoseUnit),
        oid="I.CM.CMDOSU",
        sdtm="CM.CMDOSU",
    )
    route = item(
        models.CharField(_("Route"), max_length=30, choices=Route),
        oid="I.CM.CMROUTE",
        sdtm="CM.CMROUTE",
    )
    frequency = item(
        models.CharField(_("Frequency"), max_length=12, choices=Frequency),
        oid="I.CM.CMDOSFRQ",
        sdtm="CM.CMDOSFRQ",
    )
    unit_numbers = item(
        models.CharField(_("Numbers of the bags"), max_length=300),
        oid="I.CM.UNITNO",
        sdtm="SUPPCM.UNITNO",
        required=False,
    )
    started_on = item(
        PartialDateField(_("Start")), oid="I.CM.CMSTDAT", sdtm="CM.CMSTDTC", observed=True
    )
    ongoing = item(models.BooleanField(_("Ongoing")), oid="I.CM.CMONGO", sdtm="CM.CMENRF")
    ended_on = item(
        PartialDateField(_("End")),
        oid="I.CM.CMENDAT",
        sdtm="CM.CMENDTC",
        required=False,
        observed=True,
    )
    indication = item(
        models.CharField(_("Given for"), max_length=25, choices=Indication),
        oid="I.CM.CMINDCAT",
        sdtm="SUPPCM.INDCAT",
    )
    indication_in_words = item(
        models.CharField(_("Indication in words"), max_length=200),
        oid="I.CM.CMINDC",
        sdtm="CM.CMINDC",
        required=False,
    )

    sections = (
        Section(
            title=_("Medication"),
            items=("treatment", "category", "atc_code", "pressor", "interferes"),
        ),
        Section(title=_("Dose"), items=("dose", "dose_unit", "route", "frequency", "unit_numbers")),
        Section(title=_("Time"), items=("started_on", "ongoing", "ended_on")),
        Section(title=_("Indication"), items=("indication", "indication_in_words")),
    )

    edit_checks = (
        EditCheck(
            oid="CM.END",
            holds=Q(ongoing=True) | Q(ended_on__isnull=False) | Q(missing__has_key="ended_on"),
            message=_("It is not ongoing. Please give its end."),
            item="ended_on",
        ),
        EditCheck(
            oid="CM.UNIT_NUMBERS",
            holds=~Q(category__in=BLOOD_PRODUCTS)
            | Q(unit_numbers__isnull=False)
            | Q(missing__has_key="unit_numbers"),
            message=_("A blood product without the numbers of its bags."),
            item="unit_numbers",
        ),
        EditCheck(
            oid="CM.INDICATION",
            holds=~Q(
                indication__in=[Indication.HISTORY, Indication.ADVERSE_EVENT, Indication.OTHER]
            )
            | Q(indication_in_words__isnull=False),
            message=_("Please name the condition or event it is given for."),
            item="indication_in_words",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(dose__gte=0),
                name="medication_dose_not_negative",
                violation_error_message=_("A dose cannot be negative."),
            ),
            models.CheckConstraint(
                condition=not_before("ended_on", "started_on"),
                name="medication_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(ongoing=False) | Q(ongoing=None) | Q(ended_on=None),
                name="medication_ongoing_has_no_end",
                violation_error_message=_("What is ongoing has no end yet."),
            ),
        ]
