"""The broker and the mail server of the dispatcher's tests, to be killed here."""

from __future__ import annotations

from tests.notify.conftest import broker, sink

__all__ = ["broker", "sink"]
