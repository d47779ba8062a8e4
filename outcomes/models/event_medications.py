"""With which medicines an adverse event was treated: a row for each, by its number."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.adverse_events import AdverseEvent
from outcomes.models.event_conditions import medication_known, named_before
from trialsite.crf.items import item
from trialsite.crf.models import CrfRow, EditCheck
from trialsite.crf.registry import register_rows


@register_rows
class EventMedication(CrfRow):
    """A medicine given for an adverse event (RELREC of AE and CM), named as its list numbers it."""

    form_oid = AdverseEvent.form_oid
    group_oid = "G.AECM"
    title = _("Medicines given for it")

    medication = item(
        models.PositiveIntegerField(_("Number of the concomitant medication")),
        oid="I.AECM.CMNO",
        sdtm="RELREC.IDVARVAL",
        help=_("The number it has in the list of concomitant medication."),
    )

    edit_checks = (
        EditCheck(
            oid="AECM.KNOWN",
            holds=Q(medication=None) | medication_known("medication"),
            message=_("The participant has no concomitant medication of this number."),
            item="medication",
        ),
        EditCheck(
            oid="AECM.TWICE",
            holds=Q(medication=None) | ~named_before("medication"),
            message=_("This medication is named already, in a row above."),
            item="medication",
        ),
    )
