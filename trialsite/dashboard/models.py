"""What the work lists keep for themselves: which forms are still owed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.core.guards import guarded


class OwedFormQuerySet(SiteScopedQuerySet["OwedForm"]):
    def standing(self) -> OwedFormQuerySet:
        """Forms that are owed now."""
        return self.filter(owed=True)


@guarded(
    site="site_id",
    subject="subject_id",
    record="record_id",
    unaudited="kept by the database's own triggers from visits and records, which are audited",
)
class OwedForm(models.Model):
    """One form of an attended visit that was, or still is, to be done.

    A work list must find these among hundreds of thousands of finished forms without
    reading those. The triggers of `trialsite.dashboard.guards` keep it; nothing else writes.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="owed_form"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", db_index=False)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+", db_index=False)
    visit = models.ForeignKey(Visit, models.PROTECT, related_name="owed_forms")
    owed = models.BooleanField(default=True)

    objects = OwedFormQuerySet.as_manager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site", "visit"], name="owed_form", condition=Q(owed=True)),
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {'owed' if self.owed else 'done'}"
