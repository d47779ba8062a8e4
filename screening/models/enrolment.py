"""Enrolments and the study's count of them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.core.guards import guarded


class EnrolmentQuerySet(SiteScopedQuerySet["Enrolment"]):
    def standing(self) -> EnrolmentQuerySet:
        """Enrolments that were not made in error."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id")
class Enrolment(models.Model):
    """A subject taken into the study: when, by whom, under which version and target.

    An enrolment in error is voided before treatment: the place is given back, because nobody
    was enrolled; the subject number stays taken for ever (decisions H5).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="enrolments")
    number = models.CharField(_("Subject number"), max_length=20)
    enrolled_at = models.DateTimeField(_("Enrolled"))
    enrolled_on = models.DateField(_("Enrolled on"))
    enrolled_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    #: The target of the version in force when the place was taken.
    target = models.PositiveIntegerField(_("Target"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["enrolled_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "number"], name="enrolment_number_once"),
            models.UniqueConstraint(
                fields=["subject"], condition=Q(voided_at=None), name="enrolled_once"
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="enrolment_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return self.number


@guarded(unaudited="it counts the enrolments, which are in the trail", writable=False)
class StudyEnrolment(models.Model):
    """How many places of the study are taken, over all sites; one row (decisions D6).

    The database itself counts, by a trigger on the enrolments; nobody writes here. The row is
    held while an enrolment is decided, so that two sites never take the last place at once.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    enrolled = models.PositiveIntegerField(default=0)
    #: The target under which the last place was taken.
    target = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(id=1), name="study_enrolment_only_row"),
            models.CheckConstraint(
                condition=Q(enrolled__lte=F("target")), name="study_enrolment_within_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enrolled}/{self.target}"
