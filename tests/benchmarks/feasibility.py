"""Feasibility of 10,000 people: reading the file, judging every row, what the page then holds."""

from __future__ import annotations

import time

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


def judging() -> list[str]:
    """A text file with everything confirmed and with nothing confirmed, and the workbook."""
    rows = table(patients(ROWS), umol=True)
    files = {
        "CSV, assumptions as written": (as_csv(rows, "gb18030"), True),
        "CSV, nothing confirmed": (as_csv(rows, "gb18030"), False),
        "XLSX, assumptions as written": (as_xlsx(rows), True),
    }
    text, study = mapping("umol"), protocol()
    lines = [f"Feasibility of {ROWS:,} people by fourteen criteria"]
    for name, (content, as_written) in files.items():
        began = time.perf_counter()
        found = run(content, text, study, today=TODAY, as_written=as_written)
        taken = time.perf_counter() - began
        assert len(found.people) == ROWS
        lines.append(f"  {name:30} {taken:6.1f} s  {ROWS / taken:8.0f} rows/s")
    lines.append(f"  the answer as it is held: {len(packed(found)) / 1e6:.1f} MB")
    return lines
