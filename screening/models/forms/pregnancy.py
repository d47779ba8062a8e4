"""Pregnancy test. The listing names pregnancy in no criterion, so a positive test warns."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from screening.models.forms.codes import TestResult
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register


class NotApplicable(models.TextChoices):
    """Why a person cannot bear a child (CDISC RPTEST reasons, worded for the bedside)."""

    MALE = "MALE", _("Male")
    POSTMENOPAUSAL = "POSTMENOPAUSAL", _("Postmenopausal")
    STERILE = "SURGICALLY STERILE", _("Surgically sterile")
    OTHER = "OTHER", pgettext_lazy("not of childbearing potential", "Other")


class Specimen(models.TextChoices):
    """CDISC C78734."""

    URINE = "URINE", _("Urine")
    SERUM = "SERUM", _("Serum")


@register
class PregnancyTest(CrfData):
    """Pregnancy test of those able to bear children (CDASH LB, RP)."""

    form_oid = "F.PREG"
    title = _("Pregnancy test")

    childbearing = item(
        models.BooleanField(_("Able to bear children")),
        oid="I.PREG.CHILDPOT",
        sdtm="RP.RPORRES",
    )
    reason = item(
        models.CharField(_("Not able, because"), max_length=20, choices=NotApplicable),
        oid="I.PREG.REASNA",
        sdtm="RP.RPREASND",
        required=False,
    )
    tested_on = item(
        models.DateField(_("Date of the test")), oid="I.PREG.LBDAT", sdtm="LB.LBDTC",
        required=False, observed=True,
    )  # fmt: skip
    specimen = item(
        models.CharField(_("Type of test"), max_length=10, choices=Specimen),
        oid="I.PREG.LBSPEC",
        sdtm="LB.LBSPEC",
        required=False,
    )
    result = item(
        models.CharField(_("Result"), max_length=15, choices=TestResult),
        oid="I.PREG.HCG",
        sdtm="LB.LBORRES",
        required=False,
    )

    sections = (
        Section(title=_("Applies"), items=("childbearing", "reason")),
        Section(title=_("Test"), items=("tested_on", "specimen", "result")),
    )

    edit_checks = (
        EditCheck(
            oid="PREG.POSITIVE",
            holds=~Q(result=TestResult.POSITIVE),
            message=_(
                "The test is positive. Inform the investigator at once: "
                "the protocol names no criterion for pregnancy."
            ),
            item="result",
        ),
        EditCheck(
            oid="PREG.TESTED",
            holds=Q(childbearing=False) | Q(result__isnull=False) | Q(missing__has_key="result"),
            message=_("Able to bear children, and there is no test."),
            item="result",
        ),
        EditCheck(
            oid="PREG.DATED",
            holds=Q(result=None) | Q(tested_on__isnull=False) | Q(missing__has_key="tested_on"),
            message=_("The test has no date."),
            item="tested_on",
        ),
        EditCheck(
            oid="PREG.REASON",
            holds=Q(childbearing=True) | Q(reason__isnull=False) | Q(missing__has_key="reason"),
            message=_("Please say why no test applies."),
            item="reason",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(childbearing=False) | Q(childbearing=None) | Q(reason=None),
                name="pregnancy_able_has_no_reason",
                violation_error_message=_(
                    "A reason why no test applies stands only where the person is not able."
                ),
            ),
        ]
