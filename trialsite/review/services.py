"""The life of a query: asked, answered by the site, closed by who may."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import TransitionError
from trialsite.review.models import Query, QueryMessage, QueryStatus


@dataclass(frozen=True, slots=True)
class Finding:
    """What an edit check has found: which item, and the question to the site."""

    item_oid: str
    message: str


def reconcile(
    *,
    record: CrfRecord,
    findings: Mapping[str, Finding],
    standing: frozenset[str] | None = None,
    row_id: uuid.UUID | None = None,
    content_hash: str = "",
) -> None:
    """Make the record's automatic queries match what the checks find now.

    A broken check has one standing query; a check that holds again closes its own. What a
    person has closed is not asked again about the same content (trust QS1).
    `standing` are the check OIDs with a standing query, where the caller knows them.
    """
    if standing is None:
        standing = frozenset(
            Query.objects.unresolved()
            .filter(record=record, row_id=row_id)
            .exclude(check_oid="")
            .values_list("check_oid", flat=True)
        )
    fresh = findings.keys() - standing
    if fresh:
        settled = Query.objects.filter(
            Exists(
                QueryMessage.objects.filter(
                    query=OuterRef("pk"), status=QueryStatus.CLOSED, written_by__isnull=False
                )
            ),
            record=record,
            row_id=row_id,
            check_oid__in=fresh,
            content_hash=content_hash,
        )
        fresh = fresh - set(settled.values_list("check_oid", flat=True))
    for check_oid in sorted(fresh):
        finding = findings[check_oid]
        query = Query.objects.create(
            site_id=record.site_id,
            subject_id=record.subject_id,
            record=record,
            row_id=row_id,
            item_oid=finding.item_oid,
            check_oid=check_oid,
            content_hash=content_hash,
        )
        _say(query, finding.message, by=None)
    resolved = standing - findings.keys()
    if resolved:
        held = Query.objects.unresolved().filter(
            record=record, row_id=row_id, check_oid__in=resolved
        )
        for query in held.select_for_update(no_key=True):
            _move(query, QueryStatus.CLOSED, _("The value was changed; the check holds."), by=None)


@transaction.atomic
def raise_query(*, record: CrfRecord, item_oid: str, text: str, by: User) -> Query:
    """Ask the site about an item of a record."""
    by.require(Capability.RAISE_QUERY, site=record.site_id)
    query = Query.objects.create(
        site_id=record.site_id,
        subject_id=record.subject_id,
        record=record,
        item_oid=item_oid,
        raised_by=by,
    )
    _say(query, text, by=by)
    return query


@transaction.atomic
def answer_query(*, query: Query, text: str, by: User) -> Query:
    """Answer for the site; the asker then decides."""
    query = _lock(query, expecting=(QueryStatus.OPEN,))
    by.require(Capability.ANSWER_QUERY, site=query.site_id)
    _move(query, QueryStatus.ANSWERED, text, by=by)
    return query


@transaction.atomic
def close_query(*, query: Query, text: str, by: User) -> Query:
    """Accept the answer, or withdraw the question."""
    query = _lock(query, expecting=(QueryStatus.OPEN, QueryStatus.ANSWERED))
    by.require(Capability.CLOSE_QUERY, site=query.site_id)
    _move(query, QueryStatus.CLOSED, text, by=by)
    return query


@transaction.atomic
def reopen_query(*, query: Query, text: str, by: User) -> Query:
    """Ask again: the answer does not settle it."""
    query = _lock(query, expecting=(QueryStatus.ANSWERED, QueryStatus.CLOSED))
    by.require(Capability.CLOSE_QUERY, site=query.site_id)
    _move(query, QueryStatus.OPEN, text, by=by)
    return query


def _lock(query: Query, *, expecting: tuple[QueryStatus, ...]) -> Query:
    """Reload under a row lock, so that two people cannot both make the same move."""
    query = Query.objects.select_for_update(no_key=True).get(pk=query.pk)
    if query.status not in expecting:
        raise TransitionError(
            _("This query is already %(state)s.") % {"state": query.get_status_display().lower()}
        )
    return query


def _move(query: Query, status: QueryStatus, text: str, *, by: User | None) -> None:
    query.status = status
    query.save(update_fields=["status"])
    _say(query, text, by=by)


def _say(query: Query, text: str, *, by: User | None) -> None:
    QueryMessage.objects.create(
        site_id=query.site_id,
        subject_id=query.subject_id,
        query=query,
        status=query.status,
        text=text,
        written_by=by,
    )
