"""The audit trail: one append-only table that only its trigger function can write.

Every guarded table reports here (see `trialsite.core.guards`). The table and its function
belong to a role nobody can sign in as; the application may read, never write. Why one
table instead of one per model: `docs/adr/0001-one-audit-table.md`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from trialsite.core.context import Channel
from trialsite.core.guards import guarded


class ExactDecoder(json.JSONDecoder):
    """Numbers as they were stored: 36.80 stays 36.80."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"parse_float": Decimal})


class Operation(models.TextChoices):
    INSERT = "I", _("Entered")
    UPDATE = "U", _("Changed")
    DELETE = "D", _("Removed")
    ACT = "A", _("Act")


@guarded(
    site="site_id",
    unaudited="it is the trail",
    bespoke="written by its trigger alone; read by the subject's present site (casebook)",
)
class Event(models.Model):
    """One change of one row, or one act worth keeping (ODM AuditRecord)."""

    eid = models.BigAutoField(primary_key=True)
    xid = models.BigIntegerField(editable=False)
    at = models.DateTimeField(_("When"))
    trial_at = models.DateTimeField(_("Study time"))
    database_user = models.TextField()
    actor_id = models.BigIntegerField(_("Who"), null=True)
    system = models.TextField(blank=True)
    role = models.TextField(_("Role"), blank=True)
    channel = models.CharField(_("Through"), max_length=10, choices=Channel)
    request_id = models.UUIDField(null=True)
    reason = models.TextField(_("Why"), blank=True)
    operation = models.CharField(_("What"), max_length=1, choices=Operation)
    act = models.TextField(blank=True)
    table_name = models.TextField(blank=True)
    row_id = models.TextField(blank=True)
    site_id = models.IntegerField(null=True)
    subject_id = models.UUIDField(null=True)
    record_id = models.UUIDField(null=True)
    old = models.JSONField(null=True, decoder=ExactDecoder)
    new = models.JSONField(null=True, decoder=ExactDecoder)

    class Meta:
        ordering: ClassVar[list[str]] = ["eid"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["table_name", "row_id", "eid"], name="event_row"),
            models.Index(fields=["subject_id", "eid"], name="event_subject"),
            models.Index(
                fields=["record_id", "eid"],
                name="event_record",
                condition=models.Q(record_id__isnull=False),
            ),
            models.Index(fields=["actor_id", "at"], name="event_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.eid} {self.operation} {self.table_name or self.act}"

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Column -> (old, new) for everything this event changed."""
        old, new = self.old or {}, self.new or {}
        return {name: (old.get(name), new.get(name)) for name in {**old, **new}}
