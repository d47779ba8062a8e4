"""Signatures: who stands for what, in which sense, bound to the very content."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, StudyScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON


class Sense(models.TextChoices):
    """The meanings a signature can have (21 CFR 11.50(a)(3))."""

    AUTHORSHIP = "authorship", _("Authorship")
    REVIEW = "review", _("Review")
    APPROVAL = "approval", _("Approval")
    RESPONSIBILITY = "responsibility", _("Responsibility")


class SignatureQuerySet(StudyScopedQuerySet["Signature"]):
    def unvoided(self) -> SignatureQuerySet:
        """Those nobody has voided; whether the content is still the signed one, `stands` says."""
        return self.filter(voided_at=None)


@guarded(
    site="site_id",
    subject="subject_id",
    record="record_id",
    siteless="the configuration of the study is signed once, for every site",
)
class Signature(models.Model):
    """One electronic signature (21 CFR 11.50, 11.70): insert-only, but it can be voided once.

    `seal` is the SHA-256 over what was signed, by whom, in which sense and words, so that a
    signature neither survives a change of the content nor fits another target.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+")
    subject = models.ForeignKey(
        Subject, models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    record = models.ForeignKey(
        CrfRecord, models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    #: What kind of thing is signed, by the app that owns it, and which one.
    kind = models.CharField(_("Kind"), max_length=40)
    target = models.UUIDField(_("Signed thing"))
    seal = models.CharField(_("SHA-256 of what was signed"), max_length=64)
    sense = models.CharField(_("Sense"), max_length=20, choices=Sense)
    #: The words the person read when signing, in their language of that moment.
    meaning = models.TextField(_("Meaning"))
    signed_by = models.ForeignKey(User, models.PROTECT, related_name="signatures")
    printed_name = models.CharField(_("Printed name"), max_length=150)
    role = models.CharField(_("Role"), max_length=200)
    #: Which second factor was shown beside the password.
    method = models.CharField(_("Second factor"), max_length=20)
    #: Set by the database from its own clock, whatever the application says.
    signed_at = models.DateTimeField(_("Signed"))
    trial_at = models.DateTimeField(_("Study time"))
    time_zone = models.CharField(_("Time zone"), max_length=64)
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SignatureQuerySet.as_manager()

    class Meta:
        verbose_name = _("signature")
        ordering: ClassVar[list[str]] = ["signed_at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["target", "kind"], name="signature_target"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(subject=None) | Q(site__isnull=False), name="signature_subject_has_site"
            ),
            models.CheckConstraint(
                condition=Q(record=None) | Q(subject__isnull=False),
                name="signature_record_has_subject",
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="signature_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(sense__in=Sense.values, seal__regex=r"^[0-9a-f]{64}$")
                & ~Q(meaning="")
                & ~Q(printed_name="")
                & ~Q(kind=""),
                name="signature_says_what_it_means",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.printed_name} {self.kind}"
