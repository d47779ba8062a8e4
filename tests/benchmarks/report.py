"""docs/benchmarks.md: one run of every benchmark, beside what the design aimed at."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.registry import Benchmark, Found

#: Waiting work per core from which on times say more about the neighbours than about us.
BUSY = 0.8
_NOT_FINISHED = "did not finish in this run"


@dataclass(frozen=True, slots=True)
class Result:
    """A benchmark with what it found, or nothing where it failed, and what it took to run."""

    benchmark: Benchmark
    found: Found | None
    seconds: float
    cpu: float
    peak: int
    #: Of the whole machine when it ended, per core.
    load: float

    @classmethod
    def missing(cls, benchmark: Benchmark) -> Result:
        """One that has not had its turn yet."""
        return cls(benchmark, None, 0.0, 0.0, 0, load())


def machine(server: str) -> str:
    """What the times depend on, in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}, PostgreSQL {server}"
    )


def load() -> float:
    """How many processes wait for or hold a core, per core, over the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def page(described: str, results: Sequence[Result]) -> str:
    """The whole document."""
    parts = [
        "# Benchmarks",
        _wrapped(
            "Written by `make bench`, which runs every benchmark of the project in one go, each "
            "in a process and on a database of its own. Read the ratios: both sides of each were "
            "measured in the same run, in turns. Times belong to one machine "
            f"({described}). CPU is given as a sum of two: this process, and the "
            "database server for it. Nothing here fails a build; the tests hold the numbers of "
            "statements, this page tells the time."
        ),
        _wrapped(_loaded(results)),
        "## Aims",
        _aims(results),
        *(section(each) for each in results),
    ]
    return "\n\n".join(parts) + "\n"


def section(result: Result) -> str:
    """What one benchmark found, in the words of its registration."""
    known = result.benchmark
    heading = f"## {known.title}\n\n{_wrapped(known.means)}\n\n"
    if result.found is None:
        return f"{heading}It {_NOT_FINISHED}."
    lines = "\n".join(result.found.lines)
    return f"{heading}```\n{lines}\n```\n\n{cost(result)}"


def cost(result: Result) -> str:
    """What the benchmark itself took."""
    return (
        f"The run: {result.seconds:.0f} s, of them {result.cpu:.0f} s CPU of its own process, "
        f"which held at most {result.peak} MB; load {result.load:.1f} a core."
    )


def _loaded(results: Sequence[Result]) -> str:
    loads = sorted(each.load for each in results if each.seconds) or [load()]
    told = f"Load of the machine: {loads[0]:.1f} to {loads[-1]:.1f} waiting or running a core. "
    if loads[len(loads) // 2] > BUSY:
        return told + (
            "**The machine was shared with other work during this run:** wall times, rows per "
            "second and p95 are too high or too low by about that load; CPU, statements and "
            "memory stand, and ratios roughly."
        )
    return told + "The benchmarks had the machine to themselves."


def _aims(results: Sequence[Result]) -> str:
    rows = ["| Benchmark | Figure | Aim | Reached |", "|---|---|---|---|"]
    for each in results:
        for what, aim in each.benchmark.aims.items():
            reached = each.found.reached[what] if each.found else _NOT_FINISHED
            rows.append(f"| {each.benchmark.title} | {what} | {aim} | {reached} |")
    return "\n".join(rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
