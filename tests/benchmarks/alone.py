"""One benchmark in a process and on a database of its own: `python -m tests.benchmarks.alone
NAME FILE` writes to the file what was found. None meets the rows, the memory or the failure of
another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django

django.setup()

from tests import databases  # noqa: E402  (Django first)
from tests.benchmarks.measuring import peak  # noqa: E402
from tests.benchmarks.registry import Found, every  # noqa: E402
from trialsite.casebook.protocols import protocol_of  # noqa: E402


def main(name: str, file: Path) -> None:
    benchmark = next(each for each in every() if each.name == name)
    database = databases.of_this_process("bench")
    databases.clone(database)
    protocol_of.cache_clear()
    try:
        with databases.using(database):
            found: Found = benchmark.run()
    finally:
        databases.drop(database)
    if set(found.reached) != set(benchmark.aims):
        raise ValueError(f"{name} reached {sorted(found.reached)}, not {sorted(benchmark.aims)}")
    told = {"lines": found.lines, "reached": dict(found.reached), "peak": peak()}
    file.write_text(json.dumps(told), encoding="utf-8")


main(sys.argv[1], Path(sys.argv[2]))
