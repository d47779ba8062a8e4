"""The packages that people have asked for: what was in them stays told when the file is gone."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import User
from trialsite.core.guards import guarded


class PackageState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    REMOVED = "removed", _("Removed after its time")


@guarded()
class Package(models.Model):
    """One archive of every dataset its person may export, all of one moment.

    The worker holds the row's lock while it makes the file: where it dies the row is
    waiting again, but not for ever, and no row is ready before its file is whole on the disk.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="packages")
    requested_at = models.DateTimeField(_("Asked for"), auto_now_add=True)
    state = models.CharField(
        _("State"), max_length=10, choices=PackageState, default=PackageState.WAITING
    )
    #: How often a worker has begun with it; one that dies leaves no other word.
    attempts = models.PositiveSmallIntegerField(_("Attempts"), default=0)
    finished_at = models.DateTimeField(_("Finished"), null=True, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("Bytes"), null=True, blank=True)
    manifest = models.JSONField(_("Manifest"), null=True, blank=True)
    error = models.CharField(_("Why it failed"), max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-requested_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(state__in=PackageState.values), name="package_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=PackageState.READY)
                | Q(
                    finished_at__isnull=False,
                    size__isnull=False,
                    manifest__isnull=False,
                    sha256__regex=r"^[0-9a-f]{64}$",
                ),
                name="package_ready_with_its_hash",
            ),
            models.UniqueConstraint(
                fields=["requested_by"],
                condition=Q(state=PackageState.WAITING),
                name="package_one_waiting_each",
                violation_error_message=_("A package of yours is being made already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d} {self.state}"
