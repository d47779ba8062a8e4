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
from trialsite.notify.channels import channels_on
from trialsite.notify.models import DIGEST, READY_MADE, By, Lane, Notice, Planning

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

    @property
    def lane(self) -> Lane:
        """In which line its notices wait."""
        if self.urgent:
            return Lane.URGENT
        return Lane.BUNDLED if self.bundled else Lane.ORDINARY


#: Rows for each transaction: a backlog of a million is worked off within statement limits.
AT_ONCE = 50_000

_NOTICES = Notice._meta.db_table

_planners: dict[str, Planner] = {}


def register_planner(planner: Planner) -> None:
    """Called from `AppConfig.ready` of an app above."""
    taken = planner.kind in {READY_MADE, DIGEST, *_planners}
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
    planner = planner_of(notice.kind)
    notice.about = planner.about([notice]).get(notice.pk)
    return planner.render(notice, user)


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
        try:
            texts[notice.pk] = planner.render(notice, user)
        except Exception:
            log.exception("the text of %s cannot be made", notice.pk)
    return texts


def planners() -> list[Planner]:
    """Every kind of notice there is, in the order of registration."""
    return list(_planners.values())


def plan_notices(now: dt.datetime, *, kind: str = "") -> int:
    """Write what has come due and is not yet planned; the number of new notices.

    A planner that fails is logged and hinders no other.
    """
    chosen = [_planners[kind]] if kind else list(_planners.values())
    return sum(_plan_all(planner, now, wait=False) for planner in chosen)


def catch_up(moment: dt.datetime, now: dt.datetime) -> None:
    """See that all that is bundled and due by a moment is planned, before a digest is made:
    what is planned after it would wait for the next day's."""
    bundled = [planner for planner in _planners.values() if planner.bundled]
    known = Planning.objects.filter(kind__in=[planner.kind for planner in bundled])
    through = dict(known.values_list("kind", "through"))
    for planner in bundled:
        if planner.kind not in through or through[planner.kind] < moment:
            _plan_all(planner, now, wait=True)


def _plan_all(planner: Planner, now: dt.datetime, *, wait: bool) -> int:
    planned = 0
    try:
        while (written := _plan(planner, now, wait=wait)) is not None:
            planned += written
            if written < AT_ONCE:
                break
    except Exception:
        log.exception("planning %s failed", planner.kind)
    return planned


def _plan(planner: Planner, now: dt.datetime, *, wait: bool) -> int | None:
    """One transaction's worth; None where somebody else is planning the same right now."""
    with acting(system_context("notify", Channel.TASK)), connection.cursor() as cursor:
        lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [f"notify:{planner.kind}"])
        if cursor.fetchone()[0] is False:
            return None
        rows = planner.plan(now)
        query, parameters = rows.query.sql_with_params() if isinstance(rows, QuerySet) else rows
        cursor.execute(
            f"INSERT INTO {_NOTICES} (id, kind, object_id, site_id, recipient_id, channel, lane, "
            "shown, due_at, send_at, try_at, dedupe_key) "
            "SELECT gen_random_uuid(), %s, object_id, site_id, recipient_id, by.channel, %s, "
            "by.channel = %s AND recipient_id IS NOT NULL, due_at, due_at, due_at, "
            f"by.prefix || dedupe_key FROM ({query}) "
            "AS due (object_id, site_id, recipient_id, due_at, dedupe_key) "
            "CROSS JOIN unnest(%s::text[], %s::text[]) AS by (channel, prefix) "
            f"WHERE NOT EXISTS (SELECT FROM {_NOTICES} AS known "
            "WHERE known.dedupe_key = by.prefix || due.dedupe_key) "
            "LIMIT %s ON CONFLICT (dedupe_key) DO NOTHING",
            [planner.kind, planner.lane, By.MAIL, *parameters, *_channels(planner), AT_ONCE],
        )
        written = int(cursor.rowcount)
        if written < AT_ONCE:
            cursor.execute(
                f"INSERT INTO {Planning._meta.db_table} AS known (kind, through) VALUES (%s, %s) "
                "ON CONFLICT (kind) DO UPDATE "
                "SET through = greatest(known.through, excluded.through)",
                [planner.kind, now],
            )
        return written


def _channels(planner: Planner) -> tuple[list[str], list[str]]:
    """The channels that are on, and how the keys of their notices begin."""
    names = [str(name) for name in channels_on()]
    key = f"{planner.kind}:"
    return names, [key if name == By.MAIL else f"{name}!{key}" for name in names]
