"""Every benchmark there is: what it is called, which issue asked for it, what its figures mean
to whoever waits for them, and for which of them the design set an aim."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """What a benchmark has to say: lines as they are printed, and the figures that have an aim."""

    lines: list[str]
    reached: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark, run in a process and on a database of its own."""

    name: str
    issue: int
    title: str
    #: One sentence for those who do not read milliseconds.
    means: str
    #: A figure, and what the design wants it to be.
    aims: Mapping[str, str]
    run: Callable[[], Found]


_known: dict[str, Benchmark] = {}
#: The parts of this package that measure nothing themselves.
HELPERS = frozenset({"__main__", "alone", "measuring", "registry", "report", "sizes", "studies"})


def benchmark(
    *, issue: int, title: str, means: str, aims: Mapping[str, str]
) -> Callable[[Callable[[], Found]], Callable[[], Found]]:
    """Name a function as a benchmark; it is then part of `make bench` and of its page."""

    def named(run: Callable[[], Found]) -> Callable[[], Found]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        _known[name] = Benchmark(name, issue, title, means, aims, run)
        return run

    return named


def every() -> list[Benchmark]:
    """All of them, by the issue that asked first."""
    for name in modules():
        importlib.import_module(f"tests.benchmarks.{name}")
    return sorted(_known.values(), key=lambda each: (each.issue, each.name))


def modules() -> list[str]:
    """The parts of this package that hold benchmarks."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted({each.name for each in found} - HELPERS)
