"""People in the trial, known by numbers only (ODM SubjectData)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models.states import ConsentState, LockState, SubjectStatus
from trialsite.casebook.models.versions import ProtocolVersion
from trialsite.core.guards import guarded


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
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site"],
                name="subject_reconsent_due",
                condition=Q(consent_state=ConsentState.RECONSENT_DUE),
            ),
        ]
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
