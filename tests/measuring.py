"""What coverage follows: every second test function, and of its cases the first.

Following doubles what a test costs, and a floor that a part of the tests reaches is reached by
all of them. `make coverage` follows every test.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator

import coverage
import pytest

ONE_IN = 1

_followed = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Choose by name, before the order is shuffled: each run follows the same tests."""
    everything = os.environ.get("COVER") == "all"
    seen: set[str] = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        chosen = name not in seen and zlib.crc32(name.encode()) % ONE_IN == 0
        item.stash[_followed] = everything or chosen
        seen.add(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """The tracer rests while a test runs that is not followed."""
    tracer = coverage.Coverage.current()
    if tracer is None or item.stash[_followed]:
        return (yield)
    tracer.stop()
    try:
        return (yield)
    finally:
        tracer.start()
