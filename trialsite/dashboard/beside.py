"""Beside the visits: what a person has begun, and what is asked of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, LockState, VisitStatus
from trialsite.crf.items import items_of
from trialsite.crf.models import Draft
from trialsite.crf.registry import forms
from trialsite.dashboard.study import form_title, item_title, visit_name
from trialsite.review.models import Query, QueryStatus
from trialsite.review.models.queries import QueryQuerySet

_MOST_BESIDE = 8


@dataclass(frozen=True, slots=True)
class Left:
    """A form in which the person has typed something not yet saved.

    Where the form is no longer due, `kept` says why and `typed` what was typed: its page may
    take nothing any more, and nothing typed is lost.
    """

    draft: Draft
    title: str
    visit: str
    kept: str = ""
    typed: tuple[tuple[str, str], ...] = ()


def drafts_of(user: User) -> list[Left]:
    """The forms with drafts of the person's own, the latest first; a form may have several.

    Those that are no longer due follow, every one of them. One query.
    """
    drafts = (
        Draft.objects.visible_to(user)
        .exclude(fields={})
        .filter(user=user)
        .select_related("record__subject", "record__visit", "site")
        .order_by("-saved_at", "pk")
    )
    due: dict[uuid.UUID, Left] = {}
    kept = []
    for draft in drafts:
        if why := _no_longer_due(draft.record):
            kept.append(_left(draft, kept=why, typed=_typed(draft)))
        elif draft.record_id not in due:
            due[draft.record_id] = _left(draft)
    return [*list(due.values())[:_MOST_BESIDE], *kept]


def _left(draft: Draft, **more: Any) -> Left:
    visit = draft.record.visit
    return Left(
        draft, form_title(draft.record.form_oid), visit_name(visit) if visit else "", **more
    )


def _no_longer_due(record: CrfRecord) -> str:
    """Why nothing more is entered into a record; empty where it may be."""
    if record.voided_at is not None:
        return _("The record is voided.")
    if record.lock_state != LockState.OPEN or record.subject.lock_state != LockState.OPEN:
        return _("The record is locked.")
    visit = record.visit
    if visit is not None and visit.status in (VisitStatus.NOT_REQUIRED, VisitStatus.MISSED):
        return _("The visit: %(status)s.") % {"status": visit.get_status_display()}
    return ""


def _typed(draft: Draft) -> tuple[tuple[str, str], ...]:
    """What was typed, by the labels of the form; a unit or a reason stays with its field."""
    known = forms().get(draft.record.form_oid)
    labels = {
        name: str(item.label)
        for table in (known.tables if known else ())
        for name, item in items_of(table).items()
    }
    found = []
    for name, text in draft.fields.items():
        field, _dot, part = name.partition(".")
        label = labels.get(field, field)
        if str(text).strip():
            found.append((f"{label} ({part})" if part else label, str(text)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that waits for this person, with the field's name and the visit's."""

    query: Query
    form: str
    item: str
    visit: str


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
    shown = queries.select_related("record__subject", "record__visit", "site")
    found: QueryQuerySet = shown.order_by("raised_at", "pk")
    return found


def asked(queries: Iterable[Query]) -> list[Asked]:
    """Queries as a list shows them."""
    return [
        Asked(
            query,
            form_title(query.record.form_oid),
            item_title(query.record.form_oid, query.item_oid) if query.item_oid else "",
            visit_name(query.record.visit) if query.record.visit else "",
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
