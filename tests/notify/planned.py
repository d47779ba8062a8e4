"""Planners for tests: so many things due at a moment, for one reader."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.utils.translation import get_language

from trialsite.access.models import User
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
