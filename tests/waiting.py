"""Waiting for another process: ask again until it is so, or fail at the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_pause = threading.Event()


def until(ask: Callable[[], T | None], *, within: float = 20.0, what: str = "") -> T:
    """The first truthy answer; AssertionError when the seconds are over."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or ask}")
        _pause.wait(0.02)
