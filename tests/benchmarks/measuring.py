"""Fair measuring: variants take turns in one run, medians and ratios are what counts."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.sizes import SMALL

_PEAK = re.compile(r"^VmHWM:\s+([0-9]+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds per call: of wall time, of this process's CPU, and of the database server's
    for this connection, which is zero where the server is another machine's."""

    name: str
    median: float
    p95: float
    cpu: float
    server: float = 0.0

    @property
    def both(self) -> float:
        """CPU of both sides, which a busy machine distorts least."""
        return self.cpu + self.server

    def against(self, base: Timing) -> str:
        """How often the base's median, and its CPU, fit into this."""
        return f"{self.median / base.median:.2f}x (CPU {self.both / base.both:.2f}x)"

    def line(self, base: Timing | None = None) -> str:
        return (
            f"  {self.name:<44} median {self.median / 1e3:9.2f} ms  p95 {self.p95 / 1e3:9.2f} ms  "
            f"CPU {self.cpu / 1e3:8.2f}+{self.server / 1e3:<8.2f} ms  {self.against(base or self)}"
        )


def in_turns(
    variants: dict[str, Callable[[int], None]], *, calls: int, rounds: int = 5
) -> dict[str, Timing]:
    """Run each variant `calls` times a round, in turns; timings over all rounds but the first."""
    if SMALL:
        calls, rounds = max(1, calls // 20), 2
    walls: dict[str, list[float]] = {name: [] for name in variants}
    cpus: dict[str, list[float]] = {name: [] for name in variants}
    servers: dict[str, list[float]] = {name: [] for name in variants}
    serial = 0
    for _round in range(rounds + 1):
        for name, call in variants.items():
            cpu, server = time.process_time(), backend_cpu()
            for _call in range(calls):
                serial += 1
                start = time.perf_counter()
                call(serial)
                if _round:
                    walls[name].append((time.perf_counter() - start) * 1e6)
            if _round:
                cpus[name].append((time.process_time() - cpu) / calls * 1e6)
                servers[name].append(_between(server, backend_cpu()) / calls * 1e6)
    return {
        name: Timing(
            name,
            statistics.median(walls[name]),
            statistics.quantiles(walls[name], n=20)[-1],
            statistics.median(cpus[name]),
            statistics.median(servers[name]),
        )
        for name in variants
    }


def statements(call: Callable[[], object]) -> int:
    """How many statements one call sends to the database."""
    with CaptureQueriesContext(connection) as queries:
        call()
    return len(queries)


def backend_cpu() -> tuple[int, float]:
    """The server's process for this connection, and the seconds of CPU it has used."""
    connection.ensure_connection()
    raw = connection.connection
    pid = raw.info.backend_pid if raw is not None else 0
    return pid, cpu_of(pid)


def cpu_of(backend: int) -> float:
    """Seconds of CPU of a server's process; nothing is known of a server on another machine,
    nor of the helpers of a parallel query."""
    with suppress(OSError, ValueError):
        if Path(f"/proc/{backend}/comm").read_text().startswith("postgres"):
            return int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9
    return 0.0


def _between(before: tuple[int, float], after: tuple[int, float]) -> float:
    return after[1] - before[1] if before[0] == after[0] else 0.0


def peak() -> int:
    """The most memory this process has held so far, in MB: its own, not its parent's."""
    with suppress(OSError):
        if match := _PEAK.search(Path("/proc/self/status").read_text()):
            return int(match[1]) // 1024
    return 0
