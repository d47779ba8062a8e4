"""Looks at processes by number without ever confusing a reused number with its former owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = sys.platform.startswith("linux") and (PROC / "self" / "stat").exists()
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Identity:
    """A process that stays distinguishable after its number is given to another."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return the identity of a living process, or None (a zombie does not live)."""
        started = _started_from_proc(pid) if HAS_PROC else _started_from_ps(pid)
        return cls(pid, started) if started else None

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Identity.of(self.pid) == self


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group."""
    if HAS_PROC:
        found = ((pid, _stat_fields(pid)) for pid in _all_pids())
        return [
            pid for pid, stat in found if stat and stat[0] not in "ZX" and int(stat[2]) == group
        ]
    rows = (line.split() for line in _ps("-axo", "pid=,pgid=,stat="))
    return [int(r[0]) for r in rows if int(r[1]) == group and not r[2].startswith("Z")]


def occupants(directory: Path) -> list[int]:
    """Return the PostgreSQL processes of a data directory; every one of them works in it.

    Known on Linux only: elsewhere the answer is empty and callers retry instead.
    """
    if not HAS_PROC:
        return []
    target = os.path.realpath(directory)
    return [pid for pid in _all_pids() if _is_postgres(pid) and _working_directory(pid) == target]


def signal_all(pids: Iterable[int], number: int) -> None:
    """Signal processes, ignoring those that have gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def signal_group(group: int, number: int) -> None:
    """Signal a whole process group, ignoring one that has gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM for a group that consists of zombies only.
        return


def end_group(group: int, numbers: Sequence[int], patience: float) -> None:
    """Send each signal in turn to a process group until nothing of it is left."""
    for number in numbers:
        if not group_members(group):
            return
        signal_group(group, number)
        wait_until_gone(lambda: group_members(group), patience)


def end_occupants(directory: Path, patience: float) -> None:
    """Stop the PostgreSQL processes of a data directory, gently first."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        pids = occupants(directory)
        if not pids:
            return
        signal_all(pids, number)
        wait_until_gone(lambda: occupants(directory), patience)


def wait_until_gone(living: Callable[[], object], patience: float) -> bool:
    """Wait until a look-up finds nothing, at most `patience` seconds; tell whether it did."""
    deadline = time.monotonic() + patience
    while living():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat_fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on (the name before may hold blanks)."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _started_from_proc(pid: int) -> str | None:
    stat = _stat_fields(pid)
    if not stat or stat[0] in "ZX":
        return None
    # Ticks count from boot, so the boot is part of the identity.
    boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{stat[19]}"


def _started_from_ps(pid: int) -> str | None:
    rows = [line.split(None, 1) for line in _ps("-p", str(pid), "-o", "stat=,lstart=")]
    return rows[0][1] if rows and not rows[0][0].startswith("Z") else None


def _is_postgres(pid: int) -> bool:
    """Spare a shell or editor that somebody left in the directory."""
    try:
        return (PROC / str(pid) / "comm").read_text(encoding="utf-8").strip() == "postgres"
    except OSError:
        return False


def _working_directory(pid: int) -> str | None:
    try:
        return str((PROC / str(pid) / "cwd").readlink())
    except OSError:
        return None


def _ps(*options: str) -> list[str]:
    answer = subprocess.run(["ps", *options], capture_output=True, text=True, check=False)
    return [line for line in answer.stdout.splitlines() if line.strip()]
