"""Assumptions of the protocol file that the principal investigator has made the study's own."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import User
from trialsite.casebook.models import ProtocolVersion
from trialsite.core.guards import guarded
from trialsite.review.models.signatures import Signature


class ConfirmedAssumptionQuerySet(models.QuerySet["ConfirmedAssumption"]):
    def standing(self) -> ConfirmedAssumptionQuerySet:
        """Confirmations that have not been revoked."""
        return self.filter(revoked_at=None, signature__voided_at=None)


@guarded()
class ConfirmedAssumption(models.Model):
    """One value of one protocol version, confirmed by signature (decisions C2).

    It belongs to no subject and so has no CrfRecord (adr 0007). The value itself is kept:
    a confirmation never speaks for a later value.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="confirmations")
    path = models.CharField(_("Path"), max_length=200)
    value = models.TextField(_("Value"))
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="+")
    confirmed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(_("Confirmed"))
    revoked_at = models.DateTimeField(_("Revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revocation = models.ForeignKey(
        Signature, models.PROTECT, null=True, blank=True, related_name="+"
    )
    revoke_reason = models.CharField(_("Reason for revoking"), max_length=500, blank=True)

    objects = ConfirmedAssumptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("confirmed assumption")
        ordering: ClassVar[list[str]] = ["version", "path", "confirmed_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["version", "path"],
                condition=Q(revoked_at=None),
                name="assumption_confirmed_once",
                violation_error_message=_("This assumption is confirmed already."),
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None, revocation=None, revoke_reason="")
                | (
                    Q(revoked_at__isnull=False, revoked_by__isnull=False)
                    & Q(revocation__isnull=False)
                    & ~Q(revoke_reason="")
                ),
                name="assumption_revoked_iff_signed",
                violation_error_message=_("Revoking needs a reason and a signature."),
            ),
        ]

    def __str__(self) -> str:
        return self.path
