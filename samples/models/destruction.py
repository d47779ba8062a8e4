"""What is destroyed after the consent for samples was withdrawn, and what became of each."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from samples.models.custody import CustodyEvent
from samples.models.specimens import Aliquot, Specimen
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded


class DestructionQuerySet(SiteScopedQuerySet["Destruction"]):
    def standing(self) -> DestructionQuerySet:
        """Lists whose withdrawal stands, closed or not: they stop any further use."""
        return self.filter(lifted_at=None)

    def open(self) -> DestructionQuerySet:
        """Lists of which something is still to be followed to its end."""
        return self.filter(lifted_at=None, closed_at=None)


@guarded(site="site_id", subject="subject_id")
class Destruction(models.Model):
    """One destruction list: a participant withdrew the consent for samples (decisions C5).

    From `withdrawn_at` on nothing more of the participant is collected, worked up, analysed,
    packed or shipped, and nothing is thawed for use; that something has thawed by itself is
    entered. PostgreSQL closes it only when each sample is destroyed or explained.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="sample_destructions")
    withdrawn_at = models.DateTimeField(_("Consent withdrawn"))
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(_("Opened"))
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(pgettext_lazy("destruction", "Closed"), null=True, blank=True)
    #: The withdrawal was taken back or voided: what is left may be kept.
    lifted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(_("No longer to be destroyed"), null=True, blank=True)

    objects = DestructionQuerySet.as_manager()

    class Meta:
        verbose_name = _("destruction list")
        ordering: ClassVar[list[str]] = ["-opened_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "subject", "id"], name="destruction_site_key"),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(closed_at=None, lifted_at=None),
                name="destruction_open_once",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None)
                | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="destruction_closed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="destruction_lifted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id} {self.withdrawn_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None and self.lifted_at is None


class Outcome(models.TextChoices):
    """What became of a sample that was to be destroyed."""

    DESTROYED = "destroyed", _("Destroyed, witnessed")
    RECIPIENT = "recipient", _("Destroyed by the recipient, confirmed")
    USED = "used", _("Used up before")
    DISCARDED = "discarded", _("Discarded before")
    DISPOSED = "disposed", _("Discarded after it, witnessed")
    LOST = "lost", pgettext_lazy("sample", "Lost")
    DIVIDED = "divided", _("Divided; its aliquots are listed")


@guarded(site="site_id", subject="subject_id")
class DestructionLine(models.Model):
    """One sample of a destruction list; PostgreSQL notes its end from the custody log."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    destruction = models.ForeignKey(Destruction, models.PROTECT, related_name="lines")
    specimen = models.ForeignKey(Specimen, models.PROTECT, related_name="destruction_lines")
    #: Empty: the specimen itself, not yet divided.
    aliquot = models.ForeignKey(
        Aliquot, models.PROTECT, null=True, blank=True, related_name="destruction_lines"
    )
    listed_at = models.DateTimeField(_("Listed"))
    #: Empty while it is still somewhere.
    outcome = models.CharField(_("What became of it"), max_length=10, choices=Outcome, blank=True)
    #: The custody event that says so, with its time, reason and witness.
    event = models.ForeignKey(CustodyEvent, models.PROTECT, null=True, blank=True, related_name="+")

    objects = SiteScopedQuerySet["DestructionLine"].as_manager()

    class Meta:
        verbose_name = _("sample to be destroyed")
        ordering: ClassVar[list[str]] = ["destruction", "specimen__code", "aliquot__code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["destruction", "specimen", "aliquot"],
                nulls_distinct=False,
                name="destruction_lists_once",
            ),
            models.CheckConstraint(
                condition=Q(outcome="", event=None)
                | (Q(outcome__in=Outcome.values) & Q(event__isnull=False)),
                name="destruction_outcome_has_its_event",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.outcome}"

    @property
    def sample(self) -> Specimen | Aliquot:
        return self.aliquot or self.specimen

    @property
    def code(self) -> str:
        return self.sample.code

    @property
    def is_here(self) -> bool:
        """Whether the site itself has it, as far as custody knows."""
        return self.aliquot is None or not self.aliquot.is_elsewhere

    @property
    def is_settled(self) -> bool:
        """Destroyed, explained, or of a specimen that never was so."""
        return bool(self.outcome) or self.specimen.voided_at is not None
