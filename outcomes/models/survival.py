"""Survival follow-up: what a contact found out, and how often one was tried."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Left, Length
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

from outcomes.models.follow_up_codes import (
    AliveSource,
    AttemptResult,
    ContactWay,
    Informant,
    SurvivalStatus,
)
from trialsite.core.partial_dates import PartialDateField
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, CrfRow, EditCheck, Section
from trialsite.crf.registry import register, register_rows

FORM_OID = "F.SS"


@register
class SurvivalContact(CrfData):
    """One contact about a participant's survival (CDISC SS, clinical C15).

    The day of the contact proves nothing by itself: `last_alive_on` says on which day the
    participant was known to be alive, and that day is the evidence (decisions C11).
    """

    form_oid = FORM_OID
    title = _("Survival contact")
    repeating = True
    caption = "contact_on"

    contact_on = item(
        models.DateField(_("Date of the contact")), oid="I.SS.SSDAT", sdtm="SS.SSDTC", past=True
    )
    mode = item(
        models.CharField(_("By which way"), max_length=20, choices=ContactWay), oid="I.SS.SSMODE"
    )
    informant = item(
        models.CharField(_("Informant"), max_length=15, choices=Informant),
        oid="I.SS.SSSRC",
        required=False,
        help=_("Nobody was reached: leave it empty."),
    )
    status = item(
        models.CharField(_("Survival status"), max_length=10, choices=SurvivalStatus),
        oid="I.SS.SSSTAT",
        sdtm="SS.SSORRES",
    )
    last_alive_on = item(
        PartialDateField(_("Last known alive on")),
        oid="I.SS.LKADAT",
        required=False,
        observed=True,
    )
    last_alive_source = item(
        models.CharField(_("Known from"), max_length=15, choices=AliveSource),
        oid="I.SS.LKASRC",
        required=False,
    )
    transplanted_since = item(
        models.BooleanField(_("Transplanted since the last contact")),
        oid="I.SS.LTSINCE",
        required=False,
    )
    remarks = item(models.TextField(_("Remarks")), oid="I.SS.REMARKS", required=False)

    sections = (
        Section(title=_("Contact"), items=("contact_on", "mode", "informant")),
        Section(
            title=_("Survival"),
            items=("status", "last_alive_on", "last_alive_source", "transplanted_since"),
        ),
        Section(title=_("Remarks"), items=("remarks",)),
    )

    edit_checks = (
        EditCheck(
            oid="SS.ALIVE_DATED",
            holds=~Q(status=SurvivalStatus.ALIVE) | Q(last_alive_on__isnull=False),
            message=_("Alive: on which day was it known?"),
            item="last_alive_on",
        ),
        EditCheck(
            oid="SS.ALIVE_SOURCE",
            holds=Q(last_alive_on__isnull=True) | Q(last_alive_source__isnull=False),
            message=_("From what is it known that the participant was alive then?"),
            item="last_alive_source",
        ),
        EditCheck(
            oid="SS.INFORMANT",
            holds=Q(status=SurvivalStatus.UNKNOWN) | Q(informant__isnull=False),
            message=_("Who or what told of the status?"),
            item="informant",
        ),
        EditCheck(
            oid="SS.TRANSPLANT_ASKED",
            holds=~Q(status=SurvivalStatus.ALIVE) | Q(transplanted_since__isnull=False),
            message=_("Has the participant been transplanted since the last contact?"),
            item="transplanted_since",
        ),
        EditCheck(
            oid="SS.SPEAKS",
            holds=~Q(informant=Informant.PARTICIPANT) | Q(status=SurvivalStatus.ALIVE),
            message=_("The participant told, and is not alive?"),
            item="status",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=GreaterThanOrEqual(
                    Left(Cast("contact_on", TextField()), Length("last_alive_on")),
                    Cast("last_alive_on", TextField()),
                ),
                name="survival_contact_knows_the_past",
                violation_error_message=_("Nobody is known alive on a day after the contact."),
            ),
        ]


@register_rows
class ContactAttempt(CrfRow):
    """One attempt to reach the participant or an informant, answered or not."""

    form_oid = FORM_OID
    group_oid = "G.SSATT"
    title = _("Attempts to make contact")

    attempted_at = item(WallTimeField(_("Date and time")), oid="I.SSATT.AT", past=True)
    way = item(
        models.CharField(_("By which way"), max_length=20, choices=ContactWay), oid="I.SSATT.WAY"
    )
    result = item(
        models.CharField(_("Result"), max_length=15, choices=AttemptResult), oid="I.SSATT.RESULT"
    )
    made_by = item(models.CharField(_("By whom"), max_length=80), oid="I.SSATT.BY")
