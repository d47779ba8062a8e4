"""The protocol's versions, and from when each is in force at a site."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.core.guards import guarded


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
