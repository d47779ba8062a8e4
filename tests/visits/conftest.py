"""A clock to put, and the words of reminders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notify.conftest import broker, mail_worker, sink
from tests.visits.clock import Clock

__all__ = ["broker", "mail_worker", "sink"]


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    """The trial's clock at site 001's wall, in the database of this test."""
    one = Clock()
    yield one
    one.stop()
