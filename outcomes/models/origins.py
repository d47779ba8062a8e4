"""Where an adverse event comes from, when it was begun with one click."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.labs.models import LabResult
from visits.models import Complication, SessionReading, TreatmentSession

#: What an event can be made of; each has its column.
SOURCES = ("complication", "reading", "result")


@guarded(site="site_id", subject="subject_id", record="record_id")
class AdverseEventOrigin(models.Model):
    """Where an adverse event comes from: the session, and what it was made of.

    The event is the investigator's; the complication, the reading or the result stays as it
    was seen. One of these has one standing event however often the button is pressed.
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
    reading = models.ForeignKey(
        SessionReading, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    result = models.ForeignKey(
        LabResult, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    #: When the event's record was voided; another may then be made of the complication.
    ended_at = models.DateTimeField(_("Ended"), null=True, blank=True)

    objects = SiteScopedQuerySet["AdverseEventOrigin"].as_manager()

    class Meta:
        verbose_name = _("origin of an adverse event")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *(
                models.UniqueConstraint(
                    fields=[source],
                    condition=Q(ended_at=None),
                    name=f"adverse_event_once_of_a_{source}",
                )
                for source in SOURCES
            ),
            models.CheckConstraint(
                condition=Q(complication=None, reading=None)
                | Q(complication=None, result=None)
                | Q(reading=None, result=None),
                name="adverse_event_has_one_source",
            ),
        ]

    def __str__(self) -> str:
        return str(self.record)
