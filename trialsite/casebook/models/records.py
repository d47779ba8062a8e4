"""Forms expected or entered, the headers of all data (ODM FormData)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models.states import LockState, RecordStatus
from trialsite.casebook.models.subjects import Subject
from trialsite.casebook.models.versions import ProtocolVersion
from trialsite.casebook.models.visits import Visit
from trialsite.core.guards import guarded


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
