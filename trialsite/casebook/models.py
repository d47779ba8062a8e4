"""The casebook: ODM's spine SubjectData > StudyEventData > FormData.

`Subject`, `Visit` and `CrfRecord` live here because queries, locks, exports and the
trail all speak of them; `screening` and `visits` own their behaviour and their forms.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import DateRangeField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.guards import guarded


class LockState(models.TextChoices):
    OPEN = "open", _("Open")
    FROZEN = "frozen", _("Frozen")
    LOCKED = "locked", _("Locked")


class SubjectStatus(models.TextChoices):
    SCREENING = "screening", _("In screening")
    SCREEN_FAILED = "screen_failed", _("Screen failure")
    ENROLLED = "enrolled", _("Enrolled")
    COMPLETED = "completed", _("Completed")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    DIED = "died", _("Died")


class ConsentState(models.TextChoices):
    NONE = "none", _("No consent yet")
    GIVEN = "given", _("Consent given")
    RECONSENT_DUE = "reconsent_due", _("Re-consent due")
    WITHDRAWN = "withdrawn", _("Withdrawn, all data")


class VisitStatus(models.TextChoices):
    PLANNED = "planned", _("Planned")
    DUE = "due", _("Due")
    OPEN = "open", _("Open")
    ATTENDED = "attended", _("Attended")
    MISSED = "missed", _("Missed")
    NOT_REQUIRED = "not_required", _("Not required")


class RecordStatus(models.TextChoices):
    NOT_STARTED = "not_started", _("Not started")
    IN_PROGRESS = "in_progress", _("In progress")
    COMPLETE = "complete", _("Complete")
    NOT_DONE = "not_done", _("Not done")


@guarded()
class ProtocolVersion(models.Model):
    """One version of the protocol as loaded from its file (ODM MetaDataVersion)."""

    version = models.CharField(_("Version"), max_length=20, unique=True)
    content_hash = models.CharField(max_length=64)
    content = models.TextField()
    loaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.version


@guarded(site="site_id", unscoped="which version a site works under is no subject's data")
class SiteProtocolApproval(models.Model):
    """From which day a protocol version is in force at a site, by its ethics committee."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="approvals")
    version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="approvals")
    effective_on = models.DateField(_("In force from"))

    class Meta:
        ordering: ClassVar[list[str]] = ["effective_on", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "version"], name="approval_once"),
        ]

    def __str__(self) -> str:
        return f"{self.site.code} {self.version} {self.effective_on}"


@guarded(site="site_id")
class NumberSequence(models.Model):
    """The last number given out at a site; locked while the next is taken (decisions D6)."""

    site = models.ForeignKey(Site, models.PROTECT)
    kind = models.CharField(max_length=20)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "kind"], name="sequence_once"),
        ]

    def __str__(self) -> str:
        return f"{self.site.code} {self.kind} {self.last}"


@guarded(site="site_id", subject="id")
class Subject(models.Model):
    """A person in the trial, known by numbers only (ODM SubjectData)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="subjects")
    screening_number = models.CharField(_("Screening number"), max_length=20)
    number = models.CharField(_("Subject number"), max_length=20, null=True, blank=True)  # noqa: DJ001
    status = models.CharField(
        _("Status"), max_length=20, choices=SubjectStatus, default=SubjectStatus.SCREENING
    )
    consent_state = models.CharField(
        _("Consent"), max_length=20, choices=ConsentState, default=ConsentState.NONE
    )
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT)
    day_zero = models.DateField(_("Day zero"), null=True, blank=True)
    died_on = models.CharField(_("Date of death"), max_length=10, blank=True)
    lock_state = models.CharField(
        _("Lock"), max_length=10, choices=LockState, default=LockState.OPEN
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SiteScopedQuerySet["Subject"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["site", "screening_number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "screening_number"], name="screening_number_once"
            ),
            models.UniqueConstraint(fields=["site", "number"], name="subject_number_once"),
            models.UniqueConstraint(fields=["site", "id"], name="subject_site_key"),
            models.CheckConstraint(
                condition=Q(lock_state__in=LockState.values), name="subject_lock_known"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The number people use: the subject number, before enrolment the screening number."""
        return self.number or self.screening_number


@guarded(site="site_id", subject="subject_id")
class Visit(models.Model):
    """One occurrence of a protocol visit for one subject (ODM StudyEventData)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="visits")
    event_oid = models.CharField(_("Study event"), max_length=20)
    repeat_key = models.PositiveSmallIntegerField(default=1)
    visit_number = models.DecimalField(
        _("Visit number"), max_digits=7, decimal_places=2, null=True, blank=True
    )
    status = models.CharField(
        _("Status"), max_length=15, choices=VisitStatus, default=VisitStatus.PLANNED
    )
    target_on = models.DateField(_("Target date"), null=True, blank=True)
    window = DateRangeField(_("Window"), null=True, blank=True)
    attended_on = models.DateField(_("Attended on"), null=True, blank=True)
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT)
    lock_state = models.CharField(
        _("Lock"), max_length=10, choices=LockState, default=LockState.OPEN
    )

    objects = SiteScopedQuerySet["Visit"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["visit_number", "repeat_key"]
        # Work lists and calendars read by target day: dates compare without leaking, so these
        # conditions reach the index also under row-level security; those on a range do not.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site", "target_on"], name="visit_of_a_day"),
            models.Index(
                fields=["site", "target_on"],
                name="visit_waiting",
                condition=Q(status__in=["planned", "due", "open"]),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["subject", "event_oid", "repeat_key"], name="visit_once_per_occurrence"
            ),
            models.UniqueConstraint(fields=["site", "subject", "id"], name="visit_site_key"),
            models.CheckConstraint(
                condition=Q(status=VisitStatus.ATTENDED, attended_on__isnull=False)
                | (~Q(status=VisitStatus.ATTENDED) & Q(attended_on=None)),
                name="visit_attended_iff_dated",
                violation_error_message=_(
                    "An attended visit needs its date; no other visit has one."
                ),
            ),
            models.CheckConstraint(
                condition=Q(lock_state__in=LockState.values), name="visit_lock_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_oid} {self.repeat_key}"


class CrfRecordQuerySet(SiteScopedQuerySet["CrfRecord"]):
    def standing(self) -> CrfRecordQuerySet:
        """Records that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="id")
class CrfRecord(models.Model):
    """One expected or entered form of a subject, the header of its data (ODM FormData).

    It exists before the data do, so that what is missing can be counted; a voided record
    keeps its number for ever.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="records")
    visit = models.ForeignKey(Visit, models.PROTECT, null=True, blank=True, related_name="records")
    form_oid = models.CharField(_("Form"), max_length=30)
    repeat_key = models.PositiveIntegerField(default=1)
    status = models.CharField(
        _("Status"), max_length=15, choices=RecordStatus, default=RecordStatus.NOT_STARTED
    )
    not_done_reason = models.CharField(_("Reason not done"), max_length=200, blank=True)
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT)
    form_version = models.PositiveSmallIntegerField(default=1)
    #: Counts saves; who saves from an older version is shown both values (DI1).
    version = models.PositiveIntegerField(default=0)
    content_hash = models.CharField(max_length=64, blank=True)
    first_entered_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(_("Completed"), null=True, blank=True)
    completed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    lock_state = models.CharField(
        _("Lock"), max_length=10, choices=LockState, default=LockState.OPEN
    )
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = CrfRecordQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["form_oid", "repeat_key"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["subject", "visit", "form_oid", "repeat_key"],
                nulls_distinct=False,
                name="record_once",
            ),
            models.UniqueConstraint(fields=["site", "subject", "id"], name="record_site_key"),
            models.CheckConstraint(
                condition=Q(status=RecordStatus.NOT_DONE) ^ Q(not_done_reason=""),
                name="record_not_done_iff_reason",
                violation_error_message=_("A form that was not done needs its reason."),
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="record_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=RecordStatus.values, lock_state__in=LockState.values),
                name="record_states_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.form_oid} {self.repeat_key}"

    @property
    def is_closed(self) -> bool:
        return self.lock_state != LockState.OPEN or self.voided_at is not None


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
