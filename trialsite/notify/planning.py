"""Planners: the apps above say what is due; each notice is planned once.

Planning is INSERT .. SELECT in the database, repeated without harm: the dedupe key decides,
not the moment. Nothing is pushed at a notice later; its planner is asked again
when it is claimed, so a death or a withdrawal needs to tell nobody.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from trialsite.access.context import system_context
from trialsite.access.models import User
from trialsite.core.context import Channel, acting
from trialsite.notify.models import READY_MADE, Notice

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """A text in the reader's language: of a subject the number only, of data nothing."""

    subject: str
    body: str
    #: Where to read on, within this site.
    path: str = ""


#: Rows of object id, site id, recipient id, due at and dedupe key, in this order; a
#: recipient that is null shows as nobody to send to. The key is unique within the kind.
Rows = QuerySet[Any, Any] | tuple[str, Collection[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """How one kind of notice comes about, stays due, and reads."""

    kind: str
    plan: Callable[[dt.datetime], Rows]
    still_due: Callable[[list[uuid.UUID]], set[uuid.UUID]]
    render: Callable[[Notice, User], Mail]


#: Rows for each transaction: a backlog of a million is worked off within statement limits.
AT_ONCE = 50_000

_planners: dict[str, Planner] = {}


def register_planner(planner: Planner) -> None:
    """Called from `AppConfig.ready` of an app above."""
    taken = planner.kind in {READY_MADE, *_planners}
    if taken or not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", planner.kind):
        raise ValueError(f"kind of notice is malformed or taken: {planner.kind!r}")
    _planners[planner.kind] = planner


def planner_of(kind: str) -> Planner:
    """The planner of a kind; raises KeyError where the app that planned it is gone."""
    return _planners[kind]


def plan_notices(now: dt.datetime) -> int:
    """Write what has come due and is not yet planned; the number of new notices.

    A planner that fails is logged and hinders no other.
    """
    planned = 0
    for planner in _planners.values():
        try:
            while written := _plan(planner, now):
                planned += written
        except Exception:
            log.exception("planning %s failed", planner.kind)
    return planned


def _plan(planner: Planner, now: dt.datetime) -> int:
    with acting(system_context("notify", Channel.TASK)), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"notify:{planner.kind}"],
        )
        if not cursor.fetchone()[0]:
            return 0  # somebody else is planning the same at this moment
        rows = planner.plan(now)
        query, parameters = rows.query.sql_with_params() if isinstance(rows, QuerySet) else rows
        cursor.execute(
            f"INSERT INTO {Notice._meta.db_table} "
            "(id, kind, object_id, site_id, recipient_id, due_at, try_at, dedupe_key) "
            "SELECT gen_random_uuid(), %s, object_id, site_id, recipient_id, due_at, due_at, "
            f"%s || ':' || dedupe_key FROM ({query}) "
            "AS due (object_id, site_id, recipient_id, due_at, dedupe_key) "
            f"WHERE NOT EXISTS (SELECT FROM {Notice._meta.db_table} AS known "
            "WHERE known.dedupe_key = %s || ':' || due.dedupe_key) "
            "LIMIT %s ON CONFLICT (dedupe_key) DO NOTHING",
            [planner.kind, planner.kind, *parameters, planner.kind, AT_ONCE],
        )
        return int(cursor.rowcount)
