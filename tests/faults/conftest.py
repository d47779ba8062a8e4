"""The broker and the mail server of the dispatcher's tests, to be killed here."""

from __future__ import annotations

from tests.faulting import LONG
from tests.notify.conftest import broker, sink

__all__ = ["broker", "sink"]

#: Who makes a small disk must be allowed to mount one; migrating whole databases takes minutes.
collect_ignore = [] if LONG else ["test_disk.py", "test_migrating.py"]
