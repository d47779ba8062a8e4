"""Making the demonstration without waiting for what only real data need."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

#: So many new objects are let stand before anybody looks for those that nobody needs.
_OBJECTS = 200_000


@contextmanager
def in_haste() -> Iterator[None]:
    """No commit waits for the disk, no statement is too long, and memory is tidied up seldom.

    A demonstration that a power failure cuts short is made anew, so it needs no promise that
    each of its steps outlives one.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *before[1:])
    _promise("off")
    try:
        yield
    finally:
        _promise("on")
        gc.set_threshold(*before)
        gc.unfreeze()


def _promise(kept: str) -> None:
    for alias in ("default", "owner"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT set_config('synchronous_commit', %s, false)", [kept])
            if kept == "off":
                cursor.execute("SET statement_timeout = 0")
            else:
                cursor.execute("RESET statement_timeout")
