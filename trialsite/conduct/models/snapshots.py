"""The study as a safety committee looked at it: frozen figures, never changed."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ProtocolVersion
from trialsite.core.guards import guarded


class SafetySnapshotQuerySet(models.QuerySet["SafetySnapshot"]):
    def visible_to(
        self, user: User, capability: Capability = Capability.VIEW_CASEBOOK
    ) -> SafetySnapshotQuerySet:
        """All of them for whoever sees every site; for others there is none (decisions D6)."""
        return self.all() if user.access.study_wide(capability) else self.none()


@guarded(changeable=False)
class SafetySnapshot(models.Model):
    """A data cut for the safety committee (clinical.md C20): counts, rules, gates and holds
    of the whole study at one moment, in both languages, with the SHA-256 of what it holds.

    It is shown only to whoever sees every site; reviews name the snapshot they looked at.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(_("Number"), unique=True)
    version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    purpose = models.CharField(_("Purpose"), max_length=200)
    #: Language -> what the snapshot says in it (`services.snapshots.frozen`).
    content = models.JSONField(_("Content"))
    sha256 = models.CharField(max_length=64)
    taken_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    taken_at = models.DateTimeField(_("Data cut"))

    objects = SafetySnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = _("safety snapshot")
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(purpose="") & Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="safety_snapshot_says_what_for",
                violation_error_message=_("Say what the snapshot is for."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.purpose}"

    @property
    def said(self) -> dict[str, Any]:
        """The content in the reader's language."""
        found: dict[str, Any] = self.content.get(get_language() or "en") or self.content["en"]
        return found
