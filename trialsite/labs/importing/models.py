"""How a laboratory's files are read, and the files that were read so."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.clock import trial_now
from trialsite.core.guards import guarded

#: How long a prepared import waits for the site.
KEPT_FOR = dt.timedelta(days=14)


class ImportState(models.TextChoices):
    """Prepared, then taken or put away; both are final."""

    PREPARED = "prepared", _("Waits for the site")
    ACCEPTING = "accepting", _("Is being taken")
    ACCEPTED = "accepted", _("Taken into the casebook")
    DISCARDED = "discarded", _("Put away")


#: States in which a file is known here; reading it again shows the import there is.
STANDING = (ImportState.PREPARED, ImportState.ACCEPTING, ImportState.ACCEPTED)


@guarded(site="site_id", changeable=False)
class LabFileMapping(models.Model):
    """One version of how a laboratory's files are read; a change is a further version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    laboratory = models.ForeignKey("labs.Laboratory", models.PROTECT, related_name="mappings")
    version = models.PositiveIntegerField(_("Version"))
    text = models.TextField(_("Mapping"))
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("Stated"))

    objects = SiteScopedQuerySet["LabFileMapping"].as_manager()

    class Meta:
        verbose_name = _("mapping of a laboratory's files")
        ordering: ClassVar[list[str]] = ["laboratory", "-version"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["laboratory", "version"], name="mapping_version_once"),
            models.UniqueConstraint(fields=["site", "laboratory", "id"], name="mapping_site_key"),
            models.CheckConstraint(
                condition=Q(version__gte=1) & ~Q(text=""), name="mapping_is_stated"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.laboratory_id} {self.version}"


@guarded(site="site_id", secret=("basis", "report"))
class LabImport(models.Model):
    """One file of a laboratory's results, prepared for a site that takes it as its own.

    The file rests encrypted under `stored_as`; `sha256` is of the file as it came, and stands
    in the reason of every change it makes. `report` is the comparison a person looked at, and
    `digest` says which; `choices` are what they said about single lines of `basis`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    laboratory = models.ForeignKey("labs.Laboratory", models.PROTECT, related_name="imports")
    mapping = models.ForeignKey(LabFileMapping, models.PROTECT, related_name="imports")
    filename = models.CharField(_("File"), max_length=255)
    size = models.PositiveBigIntegerField(_("Size"))
    sha256 = models.CharField("SHA-256", max_length=64)
    stored_as = models.CharField(max_length=64)
    read_as = models.CharField(_("Read as"), max_length=200)
    state = models.CharField(
        _("State"), max_length=10, choices=ImportState, default=ImportState.PREPARED
    )
    #: What the comparison found of every line, whatever was chosen since.
    basis = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    compared_at = models.DateTimeField(_("Compared"))
    choices = models.JSONField(default=dict)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField(_("Prepared"))
    #: Who took it, while the worker has not yet written it.
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    accepted_at = models.DateTimeField(_("Taken"), null=True, blank=True)
    reason = models.CharField(_("Reason"), max_length=300, blank=True)
    discarded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    discarded_at = models.DateTimeField(_("Put away"), null=True, blank=True)
    discard_reason = models.CharField(_("Reason for putting away"), max_length=500, blank=True)
    #: How often the worker has begun with it.
    attempts = models.PositiveSmallIntegerField(default=0)
    #: Why the last attempt to take it in the background failed.
    problem = models.CharField(max_length=1000, blank=True)
    version = models.PositiveIntegerField(default=0)

    objects = SiteScopedQuerySet["LabImport"].as_manager()

    class Meta:
        verbose_name = _("import of laboratory results")
        ordering: ClassVar[list[str]] = ["-prepared_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["stored_as"], name="lab_import_content"),
            models.Index(fields=["site", "-prepared_at"], name="lab_imports_of_site"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["mapping", "sha256"],
                condition=Q(state__in=STANDING),
                name="lab_import_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ImportState.values)
                & Q(sha256__regex=r"^[0-9a-f]{64}$", stored_as__regex=r"^[0-9a-f]{64}$"),
                name="lab_import_codes_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=ImportState.ACCEPTED,
                    accepted_at__isnull=False,
                    accepted_by__isnull=False,
                )
                | (~Q(state=ImportState.ACCEPTED) & Q(accepted_at=None)),
                name="lab_import_accepted_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state=ImportState.ACCEPTING) | Q(asked_by__isnull=False),
                name="lab_import_asked_by_somebody",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state=ImportState.DISCARDED, discarded_at__isnull=False)
                    & Q(discarded_by__isnull=False)
                    & ~Q(discard_reason="")
                )
                | (~Q(state=ImportState.DISCARDED) & Q(discarded_at=None, discard_reason="")),
                name="lab_import_discarded_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.filename} {self.sha256[:12]}"

    @property
    def expires_at(self) -> dt.datetime:
        """Until when the site may take it."""
        return self.prepared_at + KEPT_FOR

    @property
    def is_open(self) -> bool:
        """Whether it still waits for the site."""
        return self.state == ImportState.PREPARED and trial_now() < self.expires_at

    @property
    def counts(self) -> dict[str, Any]:
        """How many lines of each kind, as last compared."""
        counts: dict[str, Any] = self.report.get("counts", {})
        return counts
