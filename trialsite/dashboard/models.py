"""What the dashboard keeps for itself: which forms are still owed, and feasibilities by name."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
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


@guarded(site="site_id", changeable=False)
class SavedFeasibility(models.Model):
    """The counts of one spreadsheet that somebody kept under a name, for one site.

    No row of the file and nothing that tells of one person: `counts` are numbers by criterion,
    by version of the score and by day, `mapping` the columns and what they hold, without the
    texts of cells. `sha256` says which file it was; the file itself is kept nowhere.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    name = models.CharField(_("Name"), max_length=120)
    saved_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    saved_at = models.DateTimeField(_("Saved"))
    sha256 = models.CharField("SHA-256", max_length=64)
    protocol_version = models.CharField(_("Protocol version"), max_length=40)
    protocol_hash = models.CharField(max_length=64)
    rows = models.PositiveIntegerField(_("People"))
    mapping = models.TextField(_("Mapping"))
    counts = models.JSONField(default=dict)

    objects = SiteScopedQuerySet["SavedFeasibility"].as_manager()

    class Meta:
        verbose_name = _("saved feasibility")
        ordering: ClassVar[list[str]] = ["-saved_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site", "-saved_at"], name="feasibility_of_site"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "name"],
                name="feasibility_name_once",
                violation_error_message=_("A feasibility of this site has this name already."),
            ),
            models.CheckConstraint(
                condition=~Q(name="") & Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="feasibility_is_named",
            ),
        ]

    def __str__(self) -> str:
        return self.name
