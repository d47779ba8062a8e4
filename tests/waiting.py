"""Waiting for another process: ask again until it is so, or fail at the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")

#: Seconds. A loaded machine is slow, not wrong: what arrives in time is not waited for.
PATIENCE = 180.0

_pause = threading.Event()


def until(ask: Callable[[], T | None], *, within: float = PATIENCE, what: str = "") -> T:
    """The first truthy answer; AssertionError when the seconds are over."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or ask}")
        _pause.wait(0.02)


def somebody_waits() -> bool:
    """Whether somebody waits for a lock in the database at hand; other processes have theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks waiting JOIN pg_locks held USING (pid) "
            "JOIN pg_database here ON here.oid = held.database "
            "WHERE NOT waiting.granted AND here.datname = current_database())"
        )
        return bool(cursor.fetchone()[0])
