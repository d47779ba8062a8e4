"""Real launchers on data of their own, watched from outside as an operator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Poll a condition until it holds and return what it returned."""
    return until(condition, within=seconds, what=what)


def alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@dataclass
class Launcher:
    """One launcher process on one directory of data."""

    var: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the surrounding test run but its virtual environment."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/nonexistent"),
            "TRIALSITE_VENV": sys.prefix,
            "TRIALSITE_VAR": str(self.var),
            **self.settings,
        }

    def start(self, *verb: str, ready: str = "", within: float = PATIENCE) -> Launcher:
        """Start a verb as the leader of a group of its own and wait for a line."""
        self.output.write_bytes(b"")
        with self.output.open("ab") as stream:
            self.process = subprocess.Popen(
                self._command(verb),
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready:
            wait_until(lambda: ready in self.text or self._ended(), ready, within)
            assert ready in self.text, self.text
        return self

    def call(self, *verb: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            self._command(verb),
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @property
    def output(self) -> Path:
        """Where the running verb prints to."""
        return self.var.with_suffix(".out")

    @property
    def text(self) -> str:
        """What the running verb has printed so far."""
        return self.output.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """The launcher's own number."""
        assert self.process is not None
        return self.process.pid

    @property
    def children(self) -> dict[str, int]:
        """The recorded children, by name."""
        try:
            record = json.loads((self.var / "run/children.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {name: int(child["pid"]) for name, child in record.items()}

    def signal(self, number: signal.Signals, times: int = 1) -> None:
        """Signal the launcher, several times for an impatient operator."""
        for _ in range(times):
            os.kill(self.pid, number)

    def kill_and_await_successor(self, name: str) -> None:
        """Kill a child outright and wait until another one took its place."""
        killed = self.children[name]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: self.children.get(name, killed) != killed, f"a new {name}")

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for the end and return the exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def secret(self, name: str) -> str:
        """Read a generated secret."""
        return (self.var / "secrets" / name).read_text(encoding="utf-8").strip()

    def database(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the embedded database as its superuser."""
        ports = json.loads((self.var / "run/ports.json").read_text(encoding="utf-8"))
        return psycopg.connect(
            host="127.0.0.1",
            port=ports["postgres"],
            user="postgres",
            password=self.secret("postgres_password"),
            dbname="postgres",
            autocommit=True,
            connect_timeout=60,
        )

    def broker(self, password: str | None = None) -> redis.Redis:
        """Return a client of the embedded broker."""
        ports = json.loads((self.var / "run/ports.json").read_text(encoding="utf-8"))
        return redis.Redis(port=ports["valkey"], password=password, socket_timeout=60)

    def clean_up(self) -> None:
        """End whatever a failed test left."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.children:
            self.call("stop")

    def _command(self, verb: Iterable[str]) -> list[str]:
        return [sys.executable, "-m", "trialsite.launcher", *verb]

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None
