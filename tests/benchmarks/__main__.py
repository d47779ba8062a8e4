"""`make bench`: every benchmark in one run, printed and written to docs/benchmarks.md.

With names behind the command (`python -m tests.benchmarks exporting forms.saving`) those alone,
and only printed. With BENCH_SMALL in the environment everything is small: whether it works, not
how fast; that is only printed too. The page is written anew after each benchmark, so that a run
that is ended keeps what it has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
import psycopg

django.setup()

from tests import databases  # noqa: E402  (Django first)
from tests.benchmarks.registry import Benchmark, Found, every  # noqa: E402
from tests.benchmarks.report import Result, cost, load, machine, page  # noqa: E402
from tests.benchmarks.sizes import SMALL  # noqa: E402

REPORT = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"
#: A benchmark that takes longer hangs; the others are not to wait for it.
PATIENCE, LAST_WORD = 3600.0, 30.0


def main(wanted: frozenset[str]) -> int:
    chosen = [each for each in every() if not wanted or {each.name, _module(each)} & wanted]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    databases.template()
    results: list[Result] = []
    for result in _run(chosen):
        results.append(result)
        if not wanted and not SMALL:
            later = [Result.missing(each) for each in chosen[len(results) :]]
            REPORT.write_text(page(machine(_server()), [*results, *later]), encoding="utf-8")
    failed = [each.benchmark.name for each in results if each.found is None]
    _say(f"{len(results) - len(failed)} of {len(chosen)} benchmarks finished; {_list(failed)}")
    return 1 if failed or not chosen else 0


def _module(benchmark: Benchmark) -> str:
    return benchmark.name.partition(".")[0]


def _list(failed: list[str]) -> str:
    return f"failed: {', '.join(failed)}" if failed else "none failed"


def _run(chosen: list[Benchmark]) -> Iterator[Result]:
    for number, benchmark in enumerate(chosen, start=1):
        _say(f"[{number}/{len(chosen)}] {benchmark.title} ({benchmark.name})")
        result = _alone(benchmark)
        if result.found is None:
            databases.sweep()
        else:
            reached = (f"  {what}: {found}" for what, found in result.found.reached.items())
            _say("\n".join((*result.found.lines, "aims", *reached)))
        _say(cost(result) + "\n")
        yield result


def _alone(benchmark: Benchmark) -> Result:
    """The benchmark in a process of its own, ended where it takes too long."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file, errors = Path(folder) / "found.json", Path(folder) / "errors.txt"
        command = [sys.executable, "-m", "tests.benchmarks.alone", benchmark.name, str(file)]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command, cwd=databases.ROOT, stderr=stderr, start_new_session=True
            )
            before = _used()
            _wait(process)
        if not file.exists():
            _say(errors.read_text(errors="replace")[-3000:] or f"it ended by {process.returncode}")
        told = json.loads(file.read_text()) if file.exists() else {}
    found = Found(told["lines"], told["reached"]) if told else None
    took, cpu = time.perf_counter() - began, _used() - before
    return Result(benchmark, found, took, cpu, told.get("peak", 0), load())


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Until it ends; one that hangs is asked first, so that it ends what it has started."""
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        _say(f"took more than {PATIENCE:.0f} s and is ended")
    finally:
        for word in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, word)
                try:
                    process.wait(LAST_WORD)
                except subprocess.TimeoutExpired:
                    continue


def _used() -> float:
    """Seconds of CPU of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _server() -> str:
    """The database server's version, and whether a commit waits for the disk."""
    with psycopg.connect(databases.owner_url("postgres")) as owner:
        version, fsync = (
            str(owner.execute(f"SHOW {name}").fetchone()[0]).split()[0]  # type: ignore[index]
            for name in ("server_version", "fsync")
        )
    return f"{version} with fsync {fsync}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


sys.exit(main(frozenset(sys.argv[1:])))
