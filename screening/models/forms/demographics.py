"""Demographics. Age is computed where it is needed and never typed; initials are not collected."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.core.clock import TrialNow
from trialsite.core.partial_dates import PartialDateField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register


class Sex(models.TextChoices):
    """CDISC C66731."""

    MALE = "M", _("Male")
    FEMALE = "F", _("Female")
    UNKNOWN = "U", pgettext_lazy("sex", "Unknown")


class Race(models.TextChoices):
    """CDISC C74457, and what it leaves to sponsors."""

    ASIAN = "ASIAN", _("Asian")
    WHITE = "WHITE", _("White")
    BLACK = "BLACK OR AFRICAN AMERICAN", _("Black or African American")
    NATIVE_AMERICAN = "AMERICAN INDIAN OR ALASKA NATIVE", _("American Indian or Alaska Native")
    PACIFIC = "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER", _("Native Hawaiian or Pacific Islander")
    OTHER = "OTHER", pgettext_lazy("race", "Other")


@register
class Demographics(CrfData):
    """Demographics (CDASH DM): birth date, sex, ethnic group."""

    form_oid = "F.DM"
    title = _("Demographics")

    birth_date = item(
        PartialDateField(_("Birth date")), oid="I.DM.BRTHDAT", sdtm="DM.BRTHDTC", past=True
    )
    sex = item(models.CharField(_("Sex"), max_length=1, choices=Sex), oid="I.DM.SEX", sdtm="DM.SEX")
    ethnic_group = item(
        models.CharField(_("Ethnic group"), max_length=40),
        oid="I.DM.ETHNIC",
        sdtm="SUPPDM.ETHNGRP",
        required=False,
    )
    race = item(
        models.CharField(_("Race"), max_length=50, choices=Race),
        oid="I.DM.RACE",
        sdtm="DM.RACE",
        required=False,
    )

    sections = (Section(title=_("Person"), items=("birth_date", "sex", "ethnic_group", "race")),)

    edit_checks = (
        EditCheck(
            oid="DM.BIRTH_DAY",
            holds=Q(birth_date__regex=r"^\d{4}-\d\d-\d\d$"),
            message=_("The birth date has no day. Age at consent may not be decided without it."),
            item="birth_date",
        ),
        EditCheck(
            oid="DM.BIRTH_AHEAD",
            # ISO text of any precision sorts before a moment it is the beginning of.
            holds=Q(birth_date__lt=Cast(TrialNow(), models.TextField())),
            message=_("The birth date lies in the future. Please correct it."),
            item="birth_date",
        ),
    )
