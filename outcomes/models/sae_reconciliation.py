"""SAE reconciliation: the study's serious events beside the list of a safety database."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.sae import SaeCase
from trialsite.access.models import Site, StudyScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded


class Found(models.TextChoices):
    """What comparing one event came to."""

    AGREES = "agrees", _("Agrees")
    DIFFERS = "differs", _("Differs")
    ONLY_HERE = "only_here", _("Not in the safety database")
    ONLY_THERE = "only_there", _("No adverse event here")
    NOT_SERIOUS_HERE = "not_serious", _("Not serious here")


@guarded()
class SaeReconciliation(models.Model):
    """One comparison with the list of a safety database, as it stood that day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.CharField(_("Safety database"), max_length=200)
    source_hash = models.CharField(_("SHA-256 of the list"), max_length=64)
    rows = models.PositiveIntegerField(_("Rows"))
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(_("Compared"))

    class Meta:
        verbose_name = _("SAE reconciliation")
        ordering: ClassVar[list[str]] = ["-made_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(source=""), name="sae_reconciliation_says_with_what"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.made_at:%Y-%m-%d}"


@guarded(
    site="site_id",
    subject="subject_id",
    siteless="a row of the list whose subject number is nobody's here has no site",
)
class SaeReconciliationLine(models.Model):
    """One event of a comparison: what differs, field by field, and what was decided."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reconciliation = models.ForeignKey(SaeReconciliation, models.PROTECT, related_name="lines")
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, null=True, blank=True, related_name="+")
    case = models.ForeignKey(SaeCase, models.PROTECT, null=True, blank=True, related_name="+")
    position = models.PositiveIntegerField()
    found = models.CharField(_("Result"), max_length=12, choices=Found)
    #: Field name -> what stands here and there.
    here = models.JSONField(default=dict)
    there = models.JSONField(default=dict)
    differing = models.JSONField(default=list)
    decision = models.CharField(_("Decision"), max_length=500, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(_("Decided"), null=True, blank=True)

    objects = StudyScopedQuerySet["SaeReconciliationLine"].as_manager()

    class Meta:
        verbose_name = _("line of an SAE reconciliation")
        ordering: ClassVar[list[str]] = ["reconciliation", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["reconciliation", "position"], name="sae_reconciliation_line_once"
            ),
            models.CheckConstraint(
                condition=Q(subject=None) | Q(site__isnull=False),
                name="sae_reconciliation_subject_has_site",
            ),
            models.CheckConstraint(
                condition=Q(found__in=Found.values), name="sae_reconciliation_result_known"
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_by=None, decided_at=None)
                | (~Q(decision="") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="sae_reconciliation_decided_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reconciliation_id} {self.position}"
