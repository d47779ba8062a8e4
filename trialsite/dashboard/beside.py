"""Beside the visits: what a person has begun, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.crf.models import Draft
from trialsite.dashboard.study import form_title, item_title, visit_name
from trialsite.review.models import Query, QueryStatus
from trialsite.review.models.queries import QueryQuerySet

_MOST_BESIDE = 8


@dataclass(frozen=True, slots=True)
class Left:
    """A form in which the person has typed something not yet saved."""

    draft: Draft
    title: str
    visit: str


def drafts_of(user: User) -> list[Left]:
    """The forms with drafts of the person's own, the latest first; a form may have several."""
    drafts = (
        Draft.objects.visible_to(user)
        .exclude(fields={})
        .filter(user=user, record__voided_at=None)
        .select_related("record__subject", "record__visit", "site")
        .order_by("record_id", "-saved_at")
        .distinct("record_id")
    )
    latest = sorted(drafts, key=lambda draft: draft.saved_at, reverse=True)[:_MOST_BESIDE]
    return [
        Left(
            draft,
            form_title(draft.record.form_oid),
            visit_name(draft.record.visit) if draft.record.visit else "",
        )
        for draft in latest
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that waits for this person, with the field's name."""

    query: Query
    form: str
    item: str


@dataclass(frozen=True, slots=True)
class Queries:
    """How many queries wait for the person, and the oldest of them."""

    count: int
    oldest: list[Asked]
    answering: bool
    #: Whether queries are this person's business at all.
    concerned: bool


def unresolved_queries(user: User, status: str) -> QueryQuerySet:
    """The queries of a state that the person may see, the oldest first."""
    found = Query.objects.visible_to(user).filter(status=status, record__voided_at=None)
    return _in_order(found)


def waiting_queries(user: User, *, site_id: int | None = None) -> QueryQuerySet:
    """Open queries where the person answers them; answered ones where the person closes them;
    the oldest first."""
    answering = user.can(Capability.ANSWER_QUERY)
    capability = Capability.ANSWER_QUERY if answering else Capability.CLOSE_QUERY
    status = QueryStatus.OPEN if answering else QueryStatus.ANSWERED
    waiting = Query.objects.visible_to(user, capability).filter(
        status=status, record__voided_at=None
    )
    return _in_order(waiting if site_id is None else waiting.at([site_id]))


def _in_order(queries: Any) -> QueryQuerySet:
    found: QueryQuerySet = queries.select_related("record__subject", "site").order_by(
        "raised_at", "pk"
    )
    return found


def asked(queries: Iterable[Query]) -> list[Asked]:
    """Queries as a list shows them."""
    return [
        Asked(
            query,
            form_title(query.record.form_oid),
            item_title(query.record.form_oid, query.item_oid) if query.item_oid else "",
        )
        for query in queries
    ]


def queries_of(user: User, *, site_id: int | None = None) -> Queries:
    """What waits for the person among the queries; two queries of the database."""
    waiting = waiting_queries(user, site_id=site_id)
    answering = user.can(Capability.ANSWER_QUERY)
    return Queries(
        waiting.order_by().count(),
        asked(waiting[:_MOST_BESIDE]),
        answering,
        answering or user.can(Capability.CLOSE_QUERY),
    )
