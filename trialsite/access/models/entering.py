"""How people come in: invitations, sign-ins, and accounts that are switched off."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models.people import User
from trialsite.core.guards import guarded


@guarded(secret=("token_hash",))
class Invitation(models.Model):
    """One offer to set a password; of several only the newest, unexpired, can be taken once."""

    user = models.ForeignKey(User, models.PROTECT, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="invitations_sent")
    reason = models.CharField(_("Reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("Invited"), auto_now_add=True)
    expires_at = models.DateTimeField(_("Valid until"))
    taken_at = models.DateTimeField(_("Taken"), null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.user} {self.created_at:%Y-%m-%d}"


@guarded()
class Deactivation(models.Model):
    """A time in which an account is switched off, so that any past day's access can be told."""

    user = models.ForeignKey(User, models.PROTECT, related_name="deactivations")
    reason = models.CharField(_("Reason"), max_length=500)
    started_at = models.DateTimeField(_("Deactivated"))
    ended_at = models.DateTimeField(_("Reactivated"), null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["started_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(ended_at=None), name="deactivated_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
                name="reactivated_after_deactivated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.started_at:%Y-%m-%d}"


@guarded(unaudited="each attempt is noted in the trail as an act", changeable=False)
class SignInAttempt(models.Model):
    """One failed or successful sign-in, for the lock-out; addresses are kept as hashes."""

    account_hash = models.CharField(max_length=64)
    address_hash = models.CharField(max_length=64)
    #: The person of a whole sign-in; a failed attempt is nobody's.
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="sign_ins")
    succeeded = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["account_hash", "at"], name="sign_in_account"),
            models.Index(fields=["address_hash", "at"], name="sign_in_address"),
        ]

    def __str__(self) -> str:
        return f"{self.at} {'ok' if self.succeeded else 'failed'}"
