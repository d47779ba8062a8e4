"""Disposition: how the study treatment ended, and how taking part in the study did."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.conditions import another_of
from outcomes.models.follow_up_codes import EndReason, Scope
from trialsite.core.partial_dates import PartialDateField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register

FORM_OID = "F.DS"


@register
class Disposition(CrfData):
    """The end of the treatment or of taking part in the study (CDISC DS, clinical C18).

    One standing record for each of the two: who ends the treatment stays in the study
    (decisions C5), and only the end of the study ends the schedule.
    """

    form_oid = FORM_OID
    title = _("End of treatment or study")
    repeating = True
    caption = "scope"

    scope = item(
        models.CharField(_("What ended"), max_length=15, choices=Scope),
        oid="I.DS.DSSCAT",
        sdtm="DS.DSSCAT",
    )
    ended_on = item(
        PartialDateField(_("Date of the end")), oid="I.DS.DSSTDAT", sdtm="DS.DSSTDTC", past=True
    )
    reason = item(
        models.CharField(_("Reason"), max_length=30, choices=EndReason),
        oid="I.DS.DSDECOD",
        sdtm="DS.DSDECOD",
    )
    reason_in_words = item(
        models.CharField(_("Reason in words"), max_length=300),
        oid="I.DS.DSTERM",
        sdtm="DS.DSTERM",
        required=False,
    )

    sections = (
        Section(title=_("End"), items=("scope", "ended_on")),
        Section(title=_("Reason"), items=("reason", "reason_in_words")),
    )

    edit_checks = (
        EditCheck(
            oid="DS.ONCE",
            holds=~another_of("outcomes.Disposition", "scope"),
            message=_("Another record says how this ended. Void one of them."),
            item="scope",
        ),
        EditCheck(
            oid="DS.REASON_SAID",
            holds=~Q(reason=EndReason.OTHER) | Q(reason_in_words__isnull=False),
            message=_("Another reason: say which."),
            item="reason_in_words",
        ),
    )
