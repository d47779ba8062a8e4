"""Disposition: how the study treatment ended, and how taking part in the study did."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.conditions import another_of, death_recorded
from outcomes.models.follow_up_codes import EndReason, Scope
from outcomes.models.follow_up_conditions import (
    died_before,
    enough_attempts,
    transplant_recorded,
    withdrawal_recorded,
)
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
            oid="DS.LOST_TOO_EARLY",
            holds=lambda version: ~Q(reason=EndReason.LOST) | enough_attempts(version),
            message=_(
                "Lost to follow-up, and the protocol's rule of attempts at contact is not met. "
                "Which attempts were made?"
            ),
            item="reason",
        ),
        EditCheck(
            oid="DS.DEATH_FORM",
            holds=~Q(reason=EndReason.DEATH) | death_recorded(),
            message=_("It ended with the death. Please record the death of the participant."),
            item="reason",
        ),
        EditCheck(
            oid="DS.DIED",
            holds=Q(reason=EndReason.DEATH) | ~Q(scope=Scope.STUDY) | ~died_before("ended_on"),
            message=_("The participant had died by then, and the reason is another?"),
            item="reason",
        ),
        EditCheck(
            oid="DS.TRANSPLANT_FORM",
            holds=~Q(reason=EndReason.TRANSPLANTATION) | transplant_recorded(),
            message=_("It ended with a transplantation. Please record the transplantation."),
            item="reason",
        ),
        EditCheck(
            oid="DS.WITHDRAWAL_SAID",
            holds=~Q(reason=EndReason.CONSENT_WITHDRAWN) | withdrawal_recorded(),
            message=_("A withdrawal by the participant. Please record what was withdrawn."),
            item="reason",
        ),
        EditCheck(
            oid="DS.REASON_SAID",
            holds=~Q(reason=EndReason.OTHER) | Q(reason_in_words__isnull=False),
            message=_("Another reason: say which."),
            item="reason_in_words",
        ),
    )
