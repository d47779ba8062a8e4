"""Starts children, brings back those that die, and stops all of them together."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialsite.launcher import processes
from trialsite.launcher.errors import LauncherError, log_tail
from trialsite.launcher.interruption import Interruption
from trialsite.launcher.logs import open_log
from trialsite.launcher.progress import say
from trialsite.launcher.roster import Roster

POLL_SECONDS = 0.1
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
STEADY_SECONDS = 30.0


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """How one child is started, known to be ready, and stopped."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    directory: Path
    ready: Callable[[], bool]
    explain: Callable[[], str] = str
    before_start: Callable[[], None] = _nothing
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 5.0
    ready_within: float = 60.0
    popen_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Child:
    """A service and the process that currently embodies it."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Owns the children of one launcher; tiers started later are stopped earlier."""

    def __init__(self, roster: Roster, interruption: Interruption) -> None:
        """Record the children on the roster and respect requests to stop."""
        self._roster = roster
        self._interruption = interruption
        self._tiers: list[list[_Child]] = []

    def start_tier(self, services: Sequence[Service]) -> None:
        """Start services that do not depend on each other and wait until all are ready."""
        tier = [_Child(service) for service in services]
        self._tiers.append(tier)
        for child in tier:
            self._launch(child)
        for child in tier:
            self._await_ready(child)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Bring children back as they die, until the condition holds or a signal arrives."""
        while not until():
            for child in self._children():
                self._tend(child)
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop every tier, the latest first; nothing is left behind."""
        with self._interruption.held():
            for tier in reversed(self._tiers):
                self._stop_tier(tier)
            self._tiers.clear()

    def _children(self) -> list[_Child]:
        return [child for tier in self._tiers for child in tier]

    def _launch(self, child: _Child) -> None:
        service = child.service
        service.before_start()
        output = open_log(service.log, " ".join(service.command[:4]))
        try:
            with self._interruption.held():
                child.process = subprocess.Popen(
                    service.command,
                    cwd=service.directory,
                    env=dict(service.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches the launcher alone, which then stops children in order.
                    start_new_session=True,
                    **service.popen_options,
                )
                self._roster.add(service.name, child.process.pid)
        finally:
            os.close(output)
        child.since = time.monotonic()

    def _await_ready(self, child: _Child) -> None:
        service = child.service
        deadline = time.monotonic() + service.ready_within
        while not service.ready():
            if not child.running:
                self._fail(service, "ended before it was ready")
            if time.monotonic() > deadline:
                self._fail(service, f"was not ready within {service.ready_within:.0f} s")
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _fail(service: Service, what: str) -> None:
        tail = log_tail(service.log)
        raise LauncherError(
            f"{service.name} {what}. {service.explain()}\nFrom {service.log}:\n{tail}"
        )

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.running:
            if now - child.since > STEADY_SECONDS:
                child.pause = FIRST_PAUSE
            return
        if child.process is not None:
            self._bury(child, child.process)
            child.due = now + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE)
        if now >= child.due:
            self._revive(child)

    def _bury(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        """Clear away what outlived its leader, such as workers still holding the port."""
        name = child.service.name
        say(f"  {name} ended ({_how(process.returncode)}); starting it again")
        processes.end_group(process.pid, (signal.SIGTERM, signal.SIGKILL), patience=2.0)
        self._roster.remove(name)
        child.process = None

    def _revive(self, child: _Child) -> None:
        try:
            self._launch(child)
        except (OSError, LauncherError) as error:
            say(f"  {child.service.name} could not be started: {error}")
            child.due = time.monotonic() + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _stop_tier(self, tier: Sequence[_Child]) -> None:
        living = [child for child in tier if child.running]
        for child in living:
            # Only the leader: it takes its own children along in the order it needs.
            if child.process is not None:
                processes.signal_all([child.process.pid], child.service.stop_signal)
        begun = time.monotonic()
        for child in living:
            left = max(0.0, child.service.patience - (time.monotonic() - begun))
            processes.wait_until_gone(lambda child=child: child.running, left)  # type: ignore[misc]
        for child in tier:
            if child.process is not None:
                processes.end_group(child.process.pid, (signal.SIGKILL,), patience=1.0)
                child.process.wait()
                self._roster.remove(child.service.name)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"
