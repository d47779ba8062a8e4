"""Children on record, so that a launcher killed with -9 can be healed by the next one."""

import signal
from pathlib import Path

from trialsite.launcher import processes
from trialsite.launcher.processes import Identity
from trialsite.launcher.storage import read_json, write_json

PATIENCE = 3.0


class Roster:
    """The children of one launcher, each the leader of a process group of its own."""

    def __init__(self, path: Path) -> None:
        """Keep the record in the given file."""
        self._path = path
        self._children: dict[str, Identity] = {}

    def add(self, name: str, pid: int) -> None:
        """Record a child that was just started."""
        identity = Identity.of(pid)
        if identity:
            self._children[name] = identity
            self._save()

    def remove(self, name: str) -> None:
        """Strike a child that has ended."""
        self._children.pop(name, None)
        self._save()

    def heal(self) -> list[str]:
        """Stop what a dead launcher left running and return the names of it."""
        healed = []
        for name, record in (read_json(self._path) or {}).items():
            identity = Identity(int(record["pid"]), str(record["started"]))
            if self._is_ours(identity):
                numbers = (signal.SIGINT if name == "postgres" else signal.SIGTERM, signal.SIGKILL)
                processes.end_group(identity.pid, numbers, PATIENCE)
                healed.append(name)
        self._path.unlink(missing_ok=True)
        return healed

    @staticmethod
    def _is_ours(identity: Identity) -> bool:
        """Accept the recorded leader, or what is left of its group after it.

        The kernel gives out no process number that still names a group, so a group without its
        leader is the recorded one; a living leader must be the recorded process itself.
        """
        leader = Identity.of(identity.pid)
        if leader is None:
            return bool(processes.group_members(identity.pid))
        return leader == identity

    def _save(self) -> None:
        entries = self._children.items()
        write_json(self._path, {n: {"pid": i.pid, "started": i.started} for n, i in entries})
