"""Planners for tests: so many things due at a moment for one reader, or an agenda."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.utils.translation import get_language

from trialsite.access.models import Site, User
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, register_planner

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
_THINGS = """
    SELECT md5(n::text)::uuid, %s::bigint, %s::bigint, %s::timestamptz, n::text
    FROM generate_series(1, %s) n
"""


def still(notices: list[Notice]) -> set[uuid.UUID]:
    """Everything is still due."""
    return {notice.pk for notice in notices}


def remind(
    reader: User | None,
    *,
    things: int = 1,
    due_at: dt.datetime = NOON,
    still_due: Callable[[list[Notice]], set[uuid.UUID]] = still,
    **more: Any,
) -> None:
    """Register a planner of the kind `reminder`."""
    planner = Planner(
        kind="reminder",
        title="A reminder",
        plan=lambda _now: (_THINGS, [None, reader and reader.pk, due_at, things]),
        still_due=still_due,
        render=written,
    )
    register_planner(replace(planner, **more))


def written(notice: Notice, user: User) -> Mail:
    """A text in the language of the moment."""
    return Mail(
        f"Subject 001-T001 ({get_language()})", f"Dear {user.full_name}", f"/x/{notice.object_id}/"
    )


class Agenda:
    """A kind of notice whose things are added, and done, as a test goes on."""

    def __init__(self, kind: str = "visit", **more: Any) -> None:
        self.kind = kind
        self.things: dict[uuid.UUID, tuple[int | None, int | None, dt.datetime]] = {}
        self.done: set[uuid.UUID] = set()
        register_planner(
            Planner(
                kind=kind,
                title=f"Reminder of {kind}",
                plan=self._plan,
                still_due=self._still_due,
                render=self._render,
                **more,
            )
        )

    def add(
        self, reader: User | None, due_at: dt.datetime, *, site: Site | None = None
    ) -> uuid.UUID:
        """Something more becomes due for a reader at a moment."""
        key = uuid.uuid4()
        self.things[key] = (site.pk if site else None, reader.pk if reader else None, due_at)
        return key

    def _plan(self, now: dt.datetime) -> tuple[str, list[Any]]:
        """As the planners of visits do: what has come due, whenever it was."""
        rows = [
            [key, site, reader, due_at, str(key)]
            for key, (site, reader, due_at) in self.things.items()
            if due_at <= now
        ]
        if not rows:
            return "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false", []
        row = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
        values = ", ".join([row] * len(rows))
        return f"SELECT * FROM (VALUES {values}) AS due", [part for each in rows for part in each]

    def _still_due(self, notices: list[Notice]) -> set[uuid.UUID]:
        return {notice.pk for notice in notices if notice.object_id not in self.done}

    def _render(self, notice: Notice, user: User) -> Mail:
        return Mail(
            subject=f"{self.kind}: 001-T001 ({get_language()})",
            body=f"{user.full_name}, this is {self.kind}.",
            path=f"/x/{notice.object_id}/",
            line=f"001-T001 {self.kind} 2026-11-22",
        )
