"""Medical history and aetiology of the liver failure.

Type and stage are the investigator's own; nothing is suggested (decisions C14).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from screening.models.forms.codes import TestResult
from trialsite.core.partial_dates import PartialDateField, not_before
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, CrfRow, EditCheck, Section
from trialsite.crf.registry import register, register_rows


class Cause(models.TextChoices):
    """Causes of liver failure, in the order of the 2024 Chinese guideline's table."""

    HBV = "HBV", _("Hepatitis B virus")
    HAV = "HAV", _("Hepatitis A virus")
    HCV = "HCV", _("Hepatitis C virus")
    HDV = "HDV", _("Hepatitis D virus")
    HEV = "HEV", _("Hepatitis E virus")
    HERPES = "CMV/EBV", _("Cytomegalovirus or Epstein-Barr virus")
    DRUG = "DRUG", _("Drug-induced, Western medicine")
    HERBAL = "HERBAL", _("Drug-induced, herbal medicine")
    ALCOHOL = "ALCOHOL", _("Alcohol")
    TOXIN = "TOXIN", _("Toxin or mushroom")
    AUTOIMMUNE = "AIH", _("Autoimmune hepatitis")
    WILSON = "WILSON", _("Wilson disease")
    ISCHAEMIC = "ISCHAEMIC", _("Ischaemia")
    PREGNANCY = "AFLP", _("Acute fatty liver of pregnancy")
    HLH = "HLH", _("Haemophagocytic lymphohistiocytosis")
    BILIARY = "BILIARY", _("Cholestatic or biliary disease")
    UNKNOWN = "UNKNOWN", pgettext_lazy("cause", "Unknown")
    OTHER = "OTHER", pgettext_lazy("cause", "Other")


class FailureType(models.TextChoices):
    ACUTE = "ALF", _("Acute liver failure")
    SUBACUTE = "SALF", _("Subacute liver failure")
    ACUTE_ON_CHRONIC = "ACLF", _("Acute-on-chronic liver failure")
    CHRONIC = "CLF", _("Chronic liver failure")


class FailureStage(models.TextChoices):
    EARLY = "EARLY", pgettext_lazy("stage", "Early")
    INTERMEDIATE = "INTERMEDIATE", pgettext_lazy("stage", "Intermediate")
    LATE = "LATE", pgettext_lazy("stage", "Late")


class Antiviral(models.TextChoices):
    NONE = "NONE", pgettext_lazy("antiviral", "None")
    ENTECAVIR = "ENTECAVIR", _("Entecavir")
    TDF = "TENOFOVIR DISOPROXIL", _("Tenofovir disoproxil")
    TAF = "TENOFOVIR ALAFENAMIDE", _("Tenofovir alafenamide")
    TMF = "TENOFOVIR AMIBUFENAMIDE", _("Tenofovir amibufenamide")
    OTHER = "OTHER", pgettext_lazy("antiviral", "Other")


#: RUCAM sums points from -9 to 14; the sum is written down, not computed here.
RUCAM = (-9, 14)


def _yes_no(label: object, oid: str, **metadata: object) -> models.BooleanField[Any, Any]:
    return item(models.BooleanField(label), oid=oid, **metadata)  # type: ignore[arg-type]


@register
class MedicalHistory(CrfData):
    """Why the liver failed, since when, and what was ill before (CDASH MH)."""

    form_oid = "F.MH"
    title = _("Medical history and aetiology")

    cause = item(
        models.CharField(_("Primary aetiology"), max_length=12, choices=Cause),
        oid="I.MH.AETIOPR",
        sdtm="FA.FAORRES",
    )
    cause_in_words = item(
        models.CharField(_("Aetiology in words"), max_length=200),
        oid="I.MH.AETIOSP",
        dictionary="MedDRA",
        sdtm="FA.FAORRES",
        required=False,
    )
    failure_type = item(
        models.CharField(_("Liver failure type"), max_length=5, choices=FailureType),
        oid="I.MH.LFTYPE",
        sdtm="FA.FAORRES",
    )
    failure_stage = item(
        models.CharField(_("Liver failure stage"), max_length=15, choices=FailureStage),
        oid="I.MH.LFSTAGE",
        sdtm="FA.FAORRES",
    )
    first_symptom_on = item(
        PartialDateField(_("First symptom on")),
        oid="I.MH.ONSETDAT",
        sdtm="MH.MHSTDTC",
        observed=True,
    )
    jaundice_on = item(
        PartialDateField(_("Jaundice since")),
        oid="I.MH.JAUNDDAT",
        sdtm="MH.MHSTDTC",
        required=False,
        observed=True,
    )
    encephalopathy_on = item(
        PartialDateField(_("First hepatic encephalopathy on")),
        oid="I.MH.HEDAT",
        sdtm="MH.MHSTDTC",
        required=False,
        observed=True,
    )

    hbsag = item(
        models.CharField(_("HBsAg"), max_length=15, choices=TestResult),
        oid="I.MH.HBSAG",
        sdtm="MB.MBORRES",
        required=False,
    )
    hbeag = item(
        models.CharField(_("HBeAg"), max_length=15, choices=TestResult),
        oid="I.MH.HBEAG",
        sdtm="MB.MBORRES",
        required=False,
    )
    hbv_antiviral = item(
        models.CharField(_("Hepatitis B antiviral"), max_length=30, choices=Antiviral),
        oid="I.MH.HBVAV",
        sdtm="FA.FAORRES",
        required=False,
    )
    hbv_antiviral_since = item(
        PartialDateField(_("Antiviral since")), oid="I.MH.HBVAVST", sdtm="CM.CMSTDTC",
        required=False, observed=True,
    )  # fmt: skip
    hbv_reactivation = _yes_no(
        _("Hepatitis B reactivation"), "I.MH.HBVREACT", sdtm="FA.FAORRES", required=False
    )

    alcohol_daily = item(
        models.DecimalField(_("Alcohol a day"), max_digits=5, decimal_places=1),
        oid="I.MH.ALCOHOL",
        unit="g/d",
        sdtm="SU.SUDOSE",
        required=False,
    )
    last_drink_on = item(
        PartialDateField(_("Last drink on")), oid="I.MH.LASTDRNK", sdtm="SU.SUENDTC",
        required=False, observed=True,
    )  # fmt: skip

    suspect_drug = item(
        models.CharField(_("Suspected drug or herb"), max_length=200),
        oid="I.MH.SUSDRUG",
        dictionary="WHODrug",
        sdtm="FA.FAORRES",
        required=False,
    )
    rucam = item(
        models.SmallIntegerField(_("RUCAM score")),
        oid="I.MH.RUCAM",
        unit="{score}",
        sdtm="RS.RSORRES",
        required=False,
    )

    chronic_liver_disease = _yes_no(_("Chronic liver disease"), "I.MH.CLDYN", sdtm="MH.MHOCCUR")
    cirrhosis = _yes_no(_("Cirrhosis"), "I.MH.CIRRYN", sdtm="MH.MHOCCUR")
    ascites_before = _yes_no(_("Ascites in the history"), "I.MH.ASCITES", sdtm="MH.MHOCCUR")
    varices = _yes_no(_("Varices"), "I.MH.VARICES", sdtm="MH.MHOCCUR")
    transplant_before = _yes_no(
        _("Liver transplantation before"), "I.MH.PRIORLT", sdtm="PR.PROCCUR"
    )
    #: On dialysis, MELD counts creatinine as its highest value (UNOS, OPTN).
    dialysis = _yes_no(
        _("Within 7 days dialysed twice, or continuously for 24 hours"),
        "I.MH.DIALYSIS",
        sdtm="PR.PROCCUR",
    )

    diabetes = _yes_no(_("Diabetes"), "I.MH.DIABETES", sdtm="MH.MHOCCUR")
    autoimmune = _yes_no(_("Autoimmune disease"), "I.MH.AUTOIMM", sdtm="MH.MHOCCUR")
    comment = item(
        models.TextField(_("Comment")), oid="I.MH.COMMENT", sdtm="CO.COVAL", required=False
    )

    sections = (
        Section(
            title=_("Liver failure"),
            items=(
                "cause",
                "cause_in_words",
                "failure_type",
                "failure_stage",
                "first_symptom_on",
                "jaundice_on",
                "encephalopathy_on",
            ),
        ),
        Section(
            title=_("Hepatitis B"),
            items=("hbsag", "hbeag", "hbv_antiviral", "hbv_antiviral_since", "hbv_reactivation"),
        ),
        Section(title=_("Alcohol"), items=("alcohol_daily", "last_drink_on")),
        Section(title=_("Drugs and herbs"), items=("suspect_drug", "rucam")),
        Section(
            title=_("Liver disease before"),
            items=(
                "chronic_liver_disease",
                "cirrhosis",
                "ascites_before",
                "varices",
                "transplant_before",
                "dialysis",
            ),
        ),
        Section(title=_("Other diseases"), items=("diabetes", "autoimmune")),
        Section(title=_("Remarks"), items=("comment",)),
    )

    edit_checks = (
        EditCheck(
            oid="MH.CAUSE_IN_WORDS",
            holds=~Q(cause=Cause.OTHER) | Q(cause_in_words__isnull=False),
            message=_("Another aetiology is named. Please say which."),
            item="cause_in_words",
        ),
        EditCheck(
            oid="MH.HBV_SEROLOGY",
            holds=~Q(cause=Cause.HBV) | Q(hbsag=TestResult.POSITIVE) | Q(missing__has_key="hbsag"),
            message=_("Hepatitis B is the aetiology, and HBsAg is not positive. Please confirm."),
            item="hbsag",
        ),
        EditCheck(
            oid="MH.ANTIVIRAL_START",
            holds=Q(hbv_antiviral=Antiviral.NONE)
            | Q(hbv_antiviral_since__isnull=False)
            | Q(missing__has_key="hbv_antiviral_since"),
            message=_("An antiviral is named without its start."),
            item="hbv_antiviral_since",
        ),
        EditCheck(
            oid="MH.ALCOHOL_AMOUNT",
            holds=~Q(cause=Cause.ALCOHOL)
            | Q(alcohol_daily__gt=0)
            | Q(missing__has_key="alcohol_daily"),
            message=_("Alcohol is the aetiology. Please give the amount a day."),
            item="alcohol_daily",
        ),
        EditCheck(
            oid="MH.SUSPECT_NAMED",
            holds=~Q(cause__in=[Cause.DRUG, Cause.HERBAL])
            | Q(suspect_drug__isnull=False)
            | Q(missing__has_key="suspect_drug"),
            message=_("A drug or herb is the aetiology. Please name it."),
            item="suspect_drug",
        ),
        EditCheck(
            oid="MH.AUTOIMMUNE",
            holds=~Q(cause=Cause.AUTOIMMUNE) | Q(autoimmune=True),
            message=_("Autoimmune hepatitis is the aetiology, and no autoimmune disease is noted."),
            item="autoimmune",
        ),
        EditCheck(
            oid="MH.CIRRHOSIS",
            holds=Q(cirrhosis=False) | Q(chronic_liver_disease=True),
            message=_("Cirrhosis is a chronic liver disease. Please correct one of the two."),
            item="chronic_liver_disease",
        ),
        EditCheck(
            oid="MH.TYPE_CHRONIC",
            holds=Q(failure_type__in=[FailureType.ACUTE, FailureType.SUBACUTE])
            | Q(chronic_liver_disease=True),
            message=_("This type of liver failure has a chronic liver disease. Please confirm."),
            item="failure_type",
        ),
        EditCheck(
            oid="MH.JAUNDICE_ORDER",
            holds=Q(not_before("jaundice_on", "first_symptom_on")),
            message=_("Jaundice is a symptom, and it is dated before the first one."),
            item="jaundice_on",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(alcohol_daily__gte=0),
                name="history_alcohol_not_negative",
                violation_error_message=_("An amount cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(rucam__gte=RUCAM[0], rucam__lte=RUCAM[1]),
                name="history_rucam_on_the_scale",
                violation_error_message=_("RUCAM goes from -9 to 14."),
            ),
        ]


@register_rows
class Aetiology(CrfRow):
    """One further cause beside the primary one."""

    form_oid = "F.MH"
    group_oid = "G.MHAETIO"
    title = _("Further aetiologies")

    cause = item(
        models.CharField(_("Aetiology"), max_length=12, choices=Cause),
        oid="I.MHAETIO.CAUSE",
        sdtm="FA.FAORRES",
    )
    cause_in_words = item(
        models.CharField(_("Aetiology in words"), max_length=200),
        oid="I.MHAETIO.SP",
        dictionary="MedDRA",
        sdtm="FA.FAORRES",
        required=False,
    )

    edit_checks = (
        EditCheck(
            oid="MHAETIO.CAUSE_IN_WORDS",
            holds=~Q(cause=Cause.OTHER) | Q(cause_in_words__isnull=False),
            message=_("Another aetiology is named. Please say which."),
            item="cause_in_words",
        ),
    )


@register_rows
class Condition(CrfRow):
    """One condition of the past or present (CDASH MH)."""

    form_oid = "F.MH"
    group_oid = "G.MH"
    title = _("Conditions")

    term = item(
        models.CharField(_("Condition"), max_length=200), oid="I.MHCOND.TERM", sdtm="MH.MHTERM"
    )
    started_on = item(
        PartialDateField(_("Since")), oid="I.MHCOND.START", sdtm="MH.MHSTDTC", observed=True
    )
    ongoing = _yes_no(_("Ongoing"), "I.MHCOND.ONGO", sdtm="MH.MHENRF")
    ended_on = item(
        PartialDateField(_("Until")),
        oid="I.MHCOND.END",
        sdtm="MH.MHENDTC",
        required=False,
        observed=True,
    )

    edit_checks = (
        EditCheck(
            oid="MHCOND.END",
            holds=Q(ongoing=True) | Q(ended_on__isnull=False) | Q(missing__has_key="ended_on"),
            message=_("It is not ongoing. Please give its end."),
            item="ended_on",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=not_before("ended_on", "started_on"),
                name="condition_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(ongoing=False) | Q(ongoing=None) | Q(ended_on=None),
                name="condition_ongoing_has_no_end",
                violation_error_message=_("What is ongoing has no end yet."),
            ),
        ]
