"""What coverage follows: every test function of what runs, and of its cases the first.

Following adds two thirds to what a test costs, and a floor that a part of the runs reaches is
reached by all of them. So what is the same again and again is followed once: what the tests of
a module have set up, and what the later examples of a property run through. `make coverage`
follows everything.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import coverage
import pytest

#: So many examples of a property are followed.
EXAMPLES = 20
#: These read the sources and run none of them.
READING = ("tests/architecture/", "tests/protocol/test_no_study_in_code.py")

_followed = pytest.StashKey[bool]()
_followed_from_setup = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Choose by name, before the order is shuffled: each run follows the same tests."""
    everything = os.environ.get("COVER") == "all"
    seen: set[str] = set()
    for item in items:
        names = {item.nodeid.partition(mark)[0] for mark in ("[", "::")}
        function, module = max(names, key=len), min(names, key=len)
        first = function not in seen and not item.nodeid.startswith(READING)
        item.stash[_followed] = everything or first
        item.stash[_followed_from_setup] = everything or module not in seen
        if first and not everything:
            _follow_examples(getattr(item, "obj", None))
        seen |= names


def _follow_examples(test: Any) -> None:
    """Of a property (Hypothesis) the tracer follows the first examples."""
    if not hasattr(test, "hypothesis"):
        return
    one: Callable[..., Any] = test.hypothesis.inner_test
    numbers = itertools.count()

    @functools.wraps(one)
    def example(*args: Any, **kwargs: Any) -> Any:
        if coverage.Coverage.current() is None or next(numbers) < EXAMPLES:
            return one(*args, **kwargs)
        with _unfollowed():
            return one(*args, **kwargs)

    test.hypothesis.inner_test = example


@contextmanager
def _unfollowed() -> Iterator[None]:
    """The tracer rests."""
    tracer = coverage.Coverage.current()
    if tracer is None:
        yield
        return
    tracer.stop()
    try:
        yield
    finally:
        tracer.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """The tracer rests while a test runs that is not followed."""
    if item.stash[_followed]:
        return (yield)
    with _unfollowed():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """The tracer rests while a test is set up, unless it is the first of its module."""
    if item.stash[_followed_from_setup]:
        return (yield)
    with _unfollowed():
        return (yield)
