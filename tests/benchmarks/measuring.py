"""Fair measuring: variants take turns in one run, medians and ratios are what counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds of wall time and of this process's CPU, per call."""

    name: str
    median: float
    p95: float
    cpu: float

    def line(self, base: Timing | None = None) -> str:
        ratio = f"  {self.median / base.median:5.2f}x" if base else "   1.00x"
        return (
            f"  {self.name:<44} median {self.median:8.0f} µs  p95 {self.p95:8.0f} µs  "
            f"CPU {self.cpu:8.0f} µs{ratio}"
        )


def in_turns(
    variants: dict[str, Callable[[int], None]], *, calls: int, rounds: int = 5
) -> dict[str, Timing]:
    """Run each variant `calls` times a round, in turns; timings over all rounds."""
    walls: dict[str, list[float]] = {name: [] for name in variants}
    cpus: dict[str, list[float]] = {name: [] for name in variants}
    serial = 0
    for _round in range(rounds + 1):
        for name, call in variants.items():
            cpu = time.process_time()
            for _call in range(calls):
                serial += 1
                start = time.perf_counter()
                call(serial)
                if _round:
                    walls[name].append((time.perf_counter() - start) * 1e6)
            if _round:
                cpus[name].append((time.process_time() - cpu) / calls * 1e6)
    return {
        name: Timing(
            name,
            statistics.median(walls[name]),
            statistics.quantiles(walls[name], n=20)[-1],
            statistics.median(cpus[name]),
        )
        for name in variants
    }
