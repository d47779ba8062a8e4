"""Where an adverse event comes from, when it was begun with one click."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from visits.models import Complication, TreatmentSession


@guarded(site="site_id", subject="subject_id", record="record_id")
class AdverseEventOrigin(models.Model):
    """Where an adverse event comes from: the session, and the complication it was made of.

    The event is the investigator's, the complication stays as it was seen at the bedside;
    one complication has one standing event however often the button is pressed.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="adverse_event_origin"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    complication = models.ForeignKey(
        Complication, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    #: When the event's record was voided; another may then be made of the complication.
    ended_at = models.DateTimeField(_("Ended"), null=True, blank=True)

    objects = SiteScopedQuerySet["AdverseEventOrigin"].as_manager()

    class Meta:
        verbose_name = _("origin of an adverse event")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["complication"],
                condition=Q(ended_at=None),
                name="adverse_event_once_of_a_complication",
            ),
        ]

    def __str__(self) -> str:
        return str(self.record)
