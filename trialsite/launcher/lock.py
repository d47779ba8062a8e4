"""One launcher at a time on one set of data."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trialsite.launcher.errors import LauncherError
from trialsite.launcher.processes import Identity
from trialsite.launcher.storage import read_json, write_json


@dataclass(frozen=True)
class Holder:
    """The launcher that holds the lock: who it is, what it does and whether it is ready."""

    identity: Identity
    verb: str
    ready: bool


class Lock:
    """A lock the operating system releases with its process, even after kill -9."""

    def __init__(self, run: Path) -> None:
        """Place the lock among the run files of an installation."""
        self._path = run / "launcher.lock"
        self._record = run / "launcher.json"
        self._descriptor: int | None = None

    def acquire(self, verb: str) -> bool:
        """Take the lock without waiting; tell whether it was free."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self.note(verb, ready=False)
        return True

    def note(self, verb: str, *, ready: bool) -> None:
        """Tell other launchers what this one is doing."""
        identity = Identity.of(os.getpid())
        if identity:
            who = {"pid": identity.pid, "started": identity.started}
            write_json(self._record, {**who, "verb": verb, "ready": ready})

    def holder(self) -> Holder | None:
        """Return the living launcher that last took the lock, if there is one."""
        record = read_json(self._record)
        if not record:
            return None
        identity = Identity(int(record["pid"]), str(record["started"]))
        return Holder(identity, record["verb"], record["ready"]) if identity.alive() else None

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            self._record.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def held(self, verb: str) -> Iterator[None]:
        """Hold the lock, or say who holds it."""
        if not self.acquire(verb):
            raise LauncherError(self._refusal())
        try:
            yield
        finally:
            self.release()

    def _refusal(self) -> str:
        holder = self.holder()
        who = f"process {holder.identity.pid}, `{holder.verb}`" if holder else "just starting"
        return (
            f"Trialsite is already running from {self._path.parents[1]} ({who}).\n"
            "Stop it with Ctrl-C in its window or with: python3 -m trialsite.launcher stop\n"
            "To run a second one beside it: TRIALSITE_VAR=var/second PORT=8001 make run"
        )


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold a lock that others wait for, such as the one around changing the environment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
