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
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.functional import Promise

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
    #: The same in one line, for a digest and for the list in Trialsite; else the subject.
    line: str = ""


#: Rows of object id, site id, recipient id, due at and dedupe key, in this order; a
#: recipient that is null shows as nobody to send to. The key is unique within the kind.
Rows = QuerySet[Any, Any] | tuple[str, Collection[object]]


def _nothing_known(_notices: list[Notice]) -> Mapping[uuid.UUID, object]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """How one kind of notice comes about, stays due, and reads."""

    kind: str
    #: What it is called in preferences and in the delivery log.
    title: str | Promise
    plan: Callable[[dt.datetime], Rows]
    #: The keys of those among these notices that are still due, asked when they are claimed.
    still_due: Callable[[list[Notice]], set[uuid.UUID]]
    render: Callable[[Notice, User], Mail]
    #: What notices of this kind are about, by their keys, read at once for a whole page or
    #: digest; `render` then finds it as `notice.about`.
    about: Callable[[list[Notice]], Mapping[uuid.UUID, object]] = _nothing_known
    #: Cannot wait and cannot be switched off: no quiet hours, no digest, no preferences.
    urgent: bool = False
    #: Merged into at most one mail for each person and local day.
    bundled: bool = False


#: Rows for each transaction: a backlog of a million is worked off within statement limits.
AT_ONCE = 50_000

_planners: dict[str, Planner] = {}


def register_planner(planner: Planner) -> None:
    """Called from `AppConfig.ready` of an app above."""
    taken = planner.kind in {READY_MADE, *_planners}
    if taken or not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", planner.kind):
        raise ValueError(f"kind of notice is malformed or taken: {planner.kind!r}")
    if planner.urgent and planner.bundled:
        raise ValueError(f"what is urgent waits for no digest: {planner.kind!r}")
    _planners[planner.kind] = planner


def planner_of(kind: str) -> Planner:
    """The planner of a kind; raises KeyError where the app that planned it is gone."""
    return _planners[kind]


def render(notice: Notice, user: User) -> Mail:
    """The text of one notice, in the language of the moment; raises where it cannot be made."""
    return _rendered(planner_of(notice.kind), [notice], user)[notice.pk]


def rendered(notices: Iterable[Notice], user: User) -> dict[uuid.UUID, Mail]:
    """Each notice's text for this reader, by its key; those that cannot be made are missing.

    A kind asks once for what its notices are about; a broken one leaves the others readable.
    """
    by_kind: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    texts: dict[uuid.UUID, Mail] = {}
    for kind, each in by_kind.items():
        try:
            with transaction.atomic():
                texts |= _rendered(planner_of(kind), each, user)
        except Exception:
            log.exception("notices of the kind %s cannot be rendered", kind)
    return texts


def _rendered(planner: Planner, notices: list[Notice], user: User) -> dict[uuid.UUID, Mail]:
    about = planner.about(notices)
    texts = {}
    for notice in notices:
        notice.about = about.get(notice.pk)
        texts[notice.pk] = planner.render(notice, user)
    return texts


def plan_notices(now: dt.datetime, *, kind: str = "") -> int:
    """Write what has come due and is not yet planned; the number of new notices.

    A planner that fails is logged and hinders no other.
    """
    planned = 0
    for planner in [_planners[kind]] if kind else list(_planners.values()):
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
