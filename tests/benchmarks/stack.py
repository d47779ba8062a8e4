"""What the whole product holds in memory when nobody uses it: its own processes, and the two
servers behind it where they run on the same machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection

from tests import databases
from tests.benchmarks.registry import Found, benchmark
from tests.ports import free_port
from tests.waiting import until
from trialsite.launcher.environment import TEST, Choices
from trialsite.launcher.layout import Layout
from trialsite.launcher.product import beat_command, readiness, web_command, worker_command

#: A numbered database of the broker of which no running product takes its work.
_OWN_BROKER = "/7"
_PATIENCE = 120.0
_PSS = re.compile(rb"^Pss: +([0-9]+) kB", re.MULTILINE)


@benchmark(
    issue=7,
    title="The whole product at rest",
    means="How much memory a hospital's server needs to have Trialsite running for nobody.",
    aims={"web server, worker and beat": "at most 300 MB"},
)
def at_rest() -> Found:
    """Web server, worker and beat as the launcher starts them, once each of them is up.

    Proportional set size: what several processes share is counted once.
    """
    with running() as (_choices, processes):
        held = {name: _held(family(pid)) for name, pid in processes.items()}
        assert all(count for count, _size in held.values()), f"one of them has ended: {held}"
        own = sum(size for _count, size in held.values()) / 1024
        held |= _servers()
    lines = [
        f"  {name:<34} {count:>3} processes {size / 1024:8.0f} MB"
        for name, (count, size) in held.items()
    ]
    total = sum(size for _count, size in held.values()) / 1024
    lines.append(f"  {'together':<34} {'':>13} {total:8.0f} MB")
    return Found(lines, {"web server, worker and beat": f"{own:.0f} MB"})


@contextlib.contextmanager
def running() -> Iterator[tuple[Choices, dict[str, int]]]:
    """The product on the database of this benchmark: how it was started, and its processes."""
    layout = Layout.from_environment()
    choices = Choices.from_environment(
        TEST, os.environ | {"PORT": str(free_port()), "HOST": "127.0.0.1", "DEMO": "0"}
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as started:
        own = replace(layout, var=Path(folder))
        own.beat_schedule.parent.mkdir()
        commands = {
            "web server": web_command(layout, choices),
            "worker": worker_command(layout),
            "beat": beat_command(own),
        }
        logs = {name: Path(folder) / f"{name}.log" for name in commands}
        found = {
            name: started.enter_context(_process(command, logs[name], choices))
            for name, command in commands.items()
        }
        # A test's database does not wait for the disk, which readiness rightly refuses.
        until(lambda: readiness(choices)[0], within=_PATIENCE, what="the web server answers")
        for name, word in (("worker", " ready."), ("beat", "beat: Starting")):
            until(partial(_says, logs[name], word), within=_PATIENCE, what=f"{name} says “{word}”")
        yield choices, found


def _says(log: Path, word: str) -> bool:
    return word in log.read_text(errors="replace")


@contextlib.contextmanager
def _process(command: list[str], log: Path, choices: Choices) -> Iterator[int]:
    broker = urlsplit(settings.REDIS_URL)._replace(path=_OWN_BROKER).geturl()
    environment = {name: text for name, text in os.environ.items() if "OWNER" not in name}
    environment |= {
        "DATABASE_URL": databases.app_url(connection.settings_dict["NAME"]),
        "REDIS_URL": broker,
        "BASE_URL": choices.base_url,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=databases.ROOT, env=environment, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _servers() -> dict[str, tuple[int, int]]:
    """PostgreSQL and Valkey, where their processes are this machine's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    info = redis.Redis.from_url(settings.REDIS_URL).info("server")
    found = {"PostgreSQL": _parent(backend), "Valkey": int(info["process_id"])}
    names = {"PostgreSQL": ("postgres",), "Valkey": ("valkey", "redis")}
    return {name: _held(family(pid)) for name, pid in found.items() if _is_called(pid, names[name])}


def _is_called(pid: int, names: tuple[str, ...]) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith(names)
    return False


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    every = {int(each.name): _parent(int(each.name)) for each in Path("/proc").glob("[0-9]*")}
    found = {pid}
    while further := {child for child, parent in every.items() if parent in found} - found:
        found |= further
    return found


def _held(pids: set[int]) -> tuple[int, int]:
    """How many processes, and how many kB they hold."""
    sizes = []
    for pid in pids:
        with contextlib.suppress(OSError):
            match = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
            sizes += [int(match[1])] if match else []
    return len(sizes), sum(sizes)
