"""Documents of subjects."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models.records import CrfRecord
from trialsite.casebook.models.subjects import Subject
from trialsite.core.guards import guarded


class AttachmentKind(models.TextChoices):
    CONSENT = "consent", _("Consent form")
    SOURCE = "source", _("Source document")
    CERTIFICATE = "certificate", _("Certificate")
    OTHER = "other", _("Other document")


class MediaType(models.TextChoices):
    """What a scanner or a camera makes and a browser cannot run."""

    PDF = "application/pdf", "PDF"
    PNG = "image/png", "PNG"
    JPEG = "image/jpeg", "JPEG"
    WEBP = "image/webp", "WebP"


@guarded(site="site_id", subject="subject_id", record="record_id")
class Attachment(models.Model):
    """A document of a subject; the file itself is kept under the hash of its content."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="attachments")
    record = models.ForeignKey(
        CrfRecord, models.PROTECT, null=True, blank=True, related_name="attachments"
    )
    kind = models.CharField(
        _("Kind"), max_length=20, choices=AttachmentKind, default=AttachmentKind.OTHER
    )
    title = models.CharField(_("Title"), max_length=200)
    #: As the client called it; shown and offered at download, never a path.
    filename = models.CharField(_("File name"), max_length=255)
    media_type = models.CharField(_("Content"), max_length=30, choices=MediaType)
    size = models.PositiveBigIntegerField(_("Size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(_("Uploaded"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["Attachment"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-uploaded_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["sha256"], name="attachment_content"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="attachment_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AttachmentKind.values, media_type__in=MediaType.values)
                & Q(sha256__regex=r"^[0-9a-f]{64}$", size__gt=0),
                name="attachment_content_known",
            ),
        ]

    def __str__(self) -> str:
        return self.title
