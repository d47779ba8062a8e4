"""Feasibility of 10,000 people: reading the file, judging every row, what the page then holds."""

from __future__ import annotations

import time

from tests.benchmarks.measuring import peak
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.dashboard.feasibility.hospital import (
    TODAY,
    as_csv,
    as_xlsx,
    mapping,
    patients,
    protocol,
    table,
)
from trialsite.dashboard.feasibility.result import packed
from trialsite.dashboard.feasibility.running import run

ROWS = sized(10_000, 200)


@benchmark(
    issue=7,
    title="Feasibility of a hospital's spreadsheet",
    means="How long a hospital waits for the answer which of its 10,000 patients could take part, "
    "from nothing but its own spreadsheet and a file that says what its columns mean.",
    aims={"rows a second, CSV": "none set", "the answer as it is held": "none set"},
)
def judging() -> Found:
    """A text file with everything confirmed and with nothing confirmed, and the workbook."""
    rows = table(patients(ROWS), umol=True)
    files = {
        "CSV, assumptions as written": (as_csv(rows, "gb18030"), True),
        "CSV, nothing confirmed": (as_csv(rows, "gb18030"), False),
        "XLSX, assumptions as written": (as_xlsx(rows), True),
    }
    text, study = mapping("umol"), protocol()
    lines = [f"{ROWS:,} people by fourteen criteria"]
    speeds = []
    for name, (content, as_written) in files.items():
        began, used = time.perf_counter(), time.process_time()
        found = run(content, text, study, today=TODAY, as_written=as_written)
        taken, cpu = time.perf_counter() - began, time.process_time() - used
        assert len(found.people) == ROWS
        speeds.append(f"{ROWS / taken:,.0f} ({cpu / ROWS * 1e3:.2f} s CPU for 1,000)")
        lines.append(f"  {name:30} {taken:6.1f} s  CPU {cpu:6.1f} s  {ROWS / taken:8,.0f} rows/s")
    held = f"{len(packed(found)) / 1e6:.1f} MB"
    lines.append(f"  the answer as it is held: {held}; peak memory {peak()} MB")
    return Found(lines, {"rows a second, CSV": speeds[0], "the answer as it is held": held})
