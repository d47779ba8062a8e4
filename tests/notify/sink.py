"""A real mail server that keeps what it accepts, and a real broker and worker to kill."""

from __future__ import annotations

import email
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests import databases
from tests.ports import free_port

ACCEPTED = "250 accepted"
Answer = Callable[["Sink", Any], str | Awaitable[str]]


def accept(_sink: Sink, _session: Any) -> str:
    return ACCEPTED


def hang_up(_sink: Sink, server: Any) -> str:
    """The text has arrived, the line breaks before the last word."""
    server.transport.abort()
    return ACCEPTED


@dataclass
class Sink:
    """Every text that arrived, accepted or not, and how the server answers."""

    arrived: list[Message] = field(default_factory=list)
    answer: Answer = accept
    refuse: dict[str, str] = field(default_factory=dict)
    running: bool = True
    _controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        self._controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), ready_timeout=120.0
        )
        self._controller.start()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def ids(self) -> list[str]:
        return [message["Message-ID"] for message in self.arrived]

    def stop(self) -> None:
        if self.running:
            self._controller.stop()
            self.running = False

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.arrived.append(email.message_from_bytes(envelope.content, policy=default))
        answer = self.answer(self, server)
        return answer if isinstance(answer, str) else await answer


@dataclass
class Worker:
    """A Celery worker as in production, on a database, a broker and a mail server."""

    database: str
    broker: str
    mail_port: int
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    #: What the process does, and how.
    ERRAND = ("worker", "--concurrency", "1", "--without-gossip", "--without-mingle")

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if "OWNER" not in name}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "trialsite.celery", *self.errand],
                cwd=databases.ROOT,
                env=inherited
                | {
                    "DATABASE_URL": databases.app_url(self.database),
                    "DJANGO_SETTINGS_MODULE": "trialsite.settings.test",
                    "CELERY_BROKER_URL": self.broker,
                    "EMAIL_URL": f"smtp://127.0.0.1:{self.mail_port}",
                    **self.settings,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def errand(self) -> tuple[str, ...]:
        """The arguments of celery."""
        return self.ERRAND

    def kill(self) -> None:
        """A power cut: the whole process group, at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Beat(Worker):
    """A beat as in production, only quicker."""

    @property
    def errand(self) -> tuple[str, ...]:
        return ("beat", "--pidfile=", "-s", str(self.log.with_suffix(".schedule")))
