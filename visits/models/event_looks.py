"""That somebody has looked for adverse events after a session, also where there were none."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from visits.models.sessions import TreatmentSession


class Finding(models.TextChoices):
    """What the look came to."""

    NOTHING = "nothing", _("Looked: no adverse event")
    ENTERED = "entered", _("Looked: what was found is entered")


class EventLookQuerySet(SiteScopedQuerySet["EventLook"]):
    def standing(self) -> EventLookQuerySet:
        """Looks that nobody has voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class EventLook(models.Model):
    """One look for adverse events after a session (clinical.md 4, the check 24 hours later).

    It ends the reminder that asks for it. An adverse event that is entered ends none: what
    was seen in a session says nothing of the day after it. A look lies between the end of its
    session and the moment it is stated, in the participant's life; it is never changed, a
    wrong one is voided with its reason, and another may follow it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, db_column="record_id", related_name="looks"
    )
    finding = models.CharField(_("Adverse events"), max_length=10, choices=Finding)
    comment = models.CharField(_("Comment"), max_length=500, blank=True)
    looked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    looked_at = models.DateTimeField(_("Looked"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = EventLookQuerySet.as_manager()

    class Meta:
        verbose_name = _("look for adverse events")
        ordering: ClassVar[list[str]] = ["looked_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(finding__in=Finding.values), name="event_look_says_what_it_came_to"
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="event_look_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.finding}"
