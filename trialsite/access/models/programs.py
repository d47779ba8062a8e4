"""What programs hold at the API: tokens of people, and the answers they were given."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Role
from trialsite.access.models.people import Site, User
from trialsite.core.guards import guarded


@guarded(
    secret=("token_hash",),
    site="site_id",
    unscoped="a token narrows a person's own access; it is read before there is a context",
)
class ApiToken(models.Model):
    """One program's key to the API in a person's name: no more than the person may, perhaps less.

    The token itself is shown once and kept as a hash (OWASP ASVS 5.0 14.2.1, 7.2.2); it ends
    by its date, by revocation, and with the account.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="api_tokens")
    name = models.CharField(_("Name"), max_length=100)
    token_hash = models.CharField(max_length=64, unique=True)
    #: The first characters, by which a person tells tokens apart.
    hint = models.CharField(_("Begins with"), max_length=20)
    read_only = models.BooleanField(_("Read only"), default=True)
    site = models.ForeignKey(
        Site,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Site"),
    )
    role = models.CharField(_("Role"), max_length=30, choices=Role, blank=True)
    created_at = models.DateTimeField(_("Created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("Valid until"))
    revoked_at = models.DateTimeField(_("Revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Revoked by"),
    )
    #: To the day; that it is used is no change worth an entry of the trail each time.
    last_used_on = models.DateField(_("Last used"), null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(role="") | Q(role__in=Role.values), name="api_token_role_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + dt.timedelta(days=366)),
                name="api_token_lives_a_year_at_most",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="api_token_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hint}… {self.name}"


@guarded(unaudited="the answers themselves are in the trail", changeable=False)
class IdempotentAnswer(models.Model):
    """The answer once given to a request that carried an Idempotency-Key."""

    user = models.ForeignKey(User, models.PROTECT)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return self.key
