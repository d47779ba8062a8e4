"""Deaths that the site knows of while no serious adverse event says that one was fatal."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded


@guarded(site="site_id", subject="subject_id", record="record_id")
class UnreportedDeath(models.Model):
    """A record that tells of a death and when the site knew: its report is owed from then on.

    Kept for each such record, whatever its form; of a subject the first counts, also when it
    was entered anew. It is answered by a fatal serious adverse event of the subject, or by
    the safety officer's word that none is to be reported (ICH E2A II.B).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    record = models.OneToOneField(CrfRecord, models.PROTECT, related_name="+")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    known_at = models.DateTimeField(_("The site first knew of it"))
    #: Whether an event answers it now; one that does so no more is reminded of anew.
    answered = models.BooleanField(default=False)
    clock_version = models.PositiveIntegerField(default=1)
    settled_at = models.DateTimeField(_("Settled"), null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    settled_reason = models.CharField(_("Why no report is owed"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["UnreportedDeath"].as_manager()

    class Meta:
        verbose_name = _("death without a serious adverse event")
        ordering: ClassVar[list[str]] = ["known_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(settled_at=None, settled_by=None, settled_reason="")
                | (Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(settled_reason="")),
                name="unreported_death_settled_with_reason",
                violation_error_message=_("Say why no report is owed."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.record)
