"""kill -9 of any part while nurses save: nothing acknowledged is lost, everything comes back.

The real product under its real launcher; short here, longer with FAULTS=1 (`make faults`).
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faulting import LONG
from tests.faults.nurse import Browser, Saver
from tests.faults.saving import (
    ENTERING,
    failed,
    go_on,
    is_ready,
    judged,
    reach,
    sign_in_nurse,
    unbegun_records,
)
from tests.launcher.launching import Launcher
from tests.ports import free_port
from tests.waiting import PATIENCE, until

ROUNDS = 10 if LONG else 1
STORMS = 50 if LONG else 5
#: Seconds; on a machine that does nothing else it is under 20.
WITHIN = 120
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'trialsite_app'"
VICTIMS = ("web", "valkey", "worker", "postgres")
#: Each test saves values of its own, so that no other's stands for one that was lost.
_runs = itertools.count(1)


@pytest.fixture(scope="module")
def product() -> Iterator[Launcher]:
    """The demonstration study, running as `make run` runs it."""
    directory = Path(tempfile.mkdtemp(prefix="trialsite-faults-"))
    directory.chmod(0o755)
    launcher = Launcher(directory / "var", {"PORT": str(free_port()), "DEMO": "1"})
    launcher.start("run", ready="Logs: ", within=ENTERING)
    yield launcher
    launcher.clean_up()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def nurse(product: Launcher) -> Browser:
    return sign_in_nurse(product)


@pytest.fixture(scope="module")
def records(nurse: Browser) -> list[str]:
    return unbegun_records(nurse)


@pytest.fixture
def savers(nurse: Browser, records: list[str]) -> Iterator[list[Saver]]:
    """Four hands that save, each a record of its own, until the test is over."""
    begun = next(_runs) * 1_000_000
    found = [Saver(nurse.twin(), record, begun) for record in records]
    for saver in found:
        saver.start()
    yield found
    for saver in found:
        saver.stopping.set()
    for saver in found:
        saver.join(PATIENCE)


@pytest.mark.fault
@pytest.mark.requirement("AV1", "DI7")
def test_no_acknowledged_save_is_lost_and_everything_comes_back(product, savers, fault_table):
    waits: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
    for _round in range(ROUNDS):
        for victim in VICTIMS:
            go_on(savers)
            waits[victim].append(_kill(product, victim))
    counted = judged(product, savers)
    for victim, seconds in waits.items():
        fault_table(
            f"kill -9 of {victim} while four nurses save",
            done=f"{len(seconds)} kills",
            promised="what was acknowledged is there; ready again without hands within 60 s",
            counted=f"ready after {min(seconds):.0f}-{max(seconds):.0f} s; of all four: {counted}",
        )
    assert max(map(max, waits.values())) < WITHIN


@pytest.mark.fault
@pytest.mark.requirement("AV1", "DI7")
def test_sessions_that_are_cut_off_lose_nothing(product, savers, fault_table):
    """As a network that breaks between web server and database, again and again."""
    cut = 0
    for _storm in range(STORMS):
        go_on(savers)
        with product.database() as server:
            cut += len(server.execute(CUT_OFF).fetchall())
    assert cut
    fault_table(
        "connections to PostgreSQL cut while four nurses save",
        done=f"{cut} connections in {STORMS} storms",
        promised="what was acknowledged is there; saving goes on",
        counted=judged(product, savers),
    )


@pytest.mark.fault
@pytest.mark.requirement("AV1")
def test_whoever_holds_a_table_is_not_waited_for_without_end(product, savers, fault_table):
    """A forgotten transaction of an administrator: saves are refused in words, the rest works."""
    go_on(savers)
    before = failed(savers)["409"]
    with psycopg.connect(**reach(product)) as holder:
        holder.execute("LOCK TABLE visits_vitalsigns IN EXCLUSIVE MODE")
        until(lambda: failed(savers)["409"] > before + 3, what="saves are refused")
        assert is_ready(product)
    refused = failed(savers)["409"] - before
    fault_table(
        "a table locked by somebody for longer than 10 s",
        done="1 lock",
        promised="saves are refused in words (409) and go on after it; the product stays ready",
        counted=f"{refused} refused; {judged(product, savers)}",
    )


def _kill(product: Launcher, victim: str) -> float:
    """Kill a part outright; the seconds until all of the product is ready again."""
    killed = product.children[victim]
    os.kill(killed, signal.SIGKILL)
    started = time.monotonic()
    until(
        lambda: product.children.get(victim, killed) != killed,
        within=PATIENCE,
        what=f"new {victim}",
    )
    until(lambda: is_ready(product), within=PATIENCE, what="the product is ready")
    return time.monotonic() - started
