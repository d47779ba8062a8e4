"""`make bench`: every benchmark in one run, printed and written to docs/benchmarks.md.

With names of modules behind the command, those alone, and only printed. With BENCH_SMALL in
the environment everything is small: whether it works, not how fast; that is only printed too.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import django

django.setup()

from django.db import connection  # noqa: E402

from tests import databases  # noqa: E402  (Django first)
from tests.benchmarks import (  # noqa: E402
    eligibility,
    endpoints,
    exporting,
    feasibility,
    forms,
    imports,
    notices,
    overview,
    reminders,
    samples,
    stack,
    today,
)
from tests.benchmarks.sizes import SMALL  # noqa: E402
from trialsite.casebook.protocols import protocol_of  # noqa: E402

DATABASE = databases.of_this_process("bench")
REPORT = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"


def main(wanted: frozenset[str]) -> None:
    machine = "\n".join(alone(lambda: [described()]))
    lines: list[str] = []
    for benchmark in (
        forms.saving,
        forms.rendering,
        eligibility.evaluating,
        eligibility.from_the_database,
        notices.dispatching,
        reminders.planning,
        today.today,
        imports.importing,
        exporting.exporting,
        endpoints.estimating,
        overview.overview,
        samples.at_the_bench,
        feasibility.judging,
        stack.at_rest,
    ):
        if not wanted or benchmark.__module__.rpartition(".")[2] in wanted:
            found = [*alone(benchmark), ""]
            sys.stdout.write("\n".join(found) + "\n")
            sys.stdout.flush()
            lines += found
    if wanted or SMALL:
        return
    REPORT.write_text(
        "# Benchmarks\n\nWritten by `make bench`. Read the ratios, which hold; the times are "
        f"one machine's: {machine}.\n\n```\n" + "\n".join(lines).rstrip() + "\n```\n",
        encoding="utf-8",
    )


def alone(benchmark: Callable[[], list[str]]) -> list[str]:
    """What a benchmark says, on a database of its own: none meets the people of another."""
    databases.clone(DATABASE)
    protocol_of.cache_clear()
    try:
        with databases.using(DATABASE):
            return benchmark()
    finally:
        protocol_of.cache_clear()
        databases.drop(DATABASE)


def described() -> str:
    """The machine, as far as the times need it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0].split()[0]
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}, PostgreSQL {server}, "
        f"with a load of {busy:.1f} a core when it began"
    )


main(frozenset(sys.argv[1:]))
