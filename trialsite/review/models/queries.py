"""Queries: questions about data, asked of the site and answered by it.

Review knows records, item OIDs and values; it knows nothing of forms.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded


class QueryStatus(models.TextChoices):
    OPEN = "open", _("Open")
    ANSWERED = "answered", _("Answered")
    CLOSED = "closed", _("Closed")


class QueryQuerySet(SiteScopedQuerySet["Query"]):
    def unresolved(self) -> QueryQuerySet:
        """Open and answered queries: those that somebody still has to act on."""
        return self.exclude(status=QueryStatus.CLOSED)


@guarded(site="site_id", subject="subject_id", record="record_id")
class Query(models.Model):
    """One question about one item of a record (ODM 2.0 Query)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="queries")
    record = models.ForeignKey(CrfRecord, models.PROTECT, related_name="queries")
    #: The row of a repeating item group, where the question is about one.
    row_id = models.UUIDField(null=True, blank=True)
    item_oid = models.CharField(_("Item"), max_length=60, blank=True)
    #: The edit check that asks; empty where a person does.
    check_oid = models.CharField(_("Edit check"), max_length=60, blank=True)
    #: SHA-256 of the row that the check asked about: settled data are not asked about again.
    content_hash = models.CharField(max_length=64, blank=True)
    status = models.CharField(
        _("Status"), max_length=10, choices=QueryStatus, default=QueryStatus.OPEN
    )
    raised_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    raised_at = models.DateTimeField(_("Raised"), auto_now_add=True)

    objects = QueryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["raised_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site", "status", "raised_at"],
                name="query_unresolved",
                condition=~Q(status=QueryStatus.CLOSED),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["record", "row_id", "check_oid"],
                condition=~Q(check_oid="") & ~Q(status=QueryStatus.CLOSED),
                nulls_distinct=False,
                name="one_standing_query_per_check",
            ),
            models.CheckConstraint(
                condition=Q(status__in=QueryStatus.values), name="query_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_oid} {self.status}"


@guarded(site="site_id", subject="subject_id", changeable=False)
class QueryMessage(models.Model):
    """One message of a query; what was said stays said."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    query = models.ForeignKey(Query, models.PROTECT, related_name="messages")
    status = models.CharField(max_length=10, choices=QueryStatus)
    text = models.TextField()
    written_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    written_at = models.DateTimeField(auto_now_add=True)

    objects = SiteScopedQuerySet["QueryMessage"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.text[:50]
