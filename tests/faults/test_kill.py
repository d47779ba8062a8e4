"""kill -9 of any part while nurses save: nothing acknowledged is lost, everything comes back.

The real product under its real launcher; short here, longer with FAULTS=1 (`make faults`).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.faults.nurse import Browser, Saver
from tests.launcher.launching import Launcher
from tests.ports import free_port
from tests.waiting import PATIENCE, until

ROUNDS = 10 if os.environ.get("FAULTS") else 1
# The demonstration is entered as people enter it: half a minute alone, minutes on a busy machine.
ENTERING = 600.0
VICTIMS = ("web", "valkey", "worker", "postgres")


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
    """The demonstration's nurse, signed in with both factors."""
    printed = product.call("manage", "demo_signins").stdout
    password = re.search(r"Password of all: (\S+)", printed)
    secret = re.search(r"nurse@demo\.example\s+\d{6}\s+([A-Z2-7]+)", printed)
    assert password is not None
    assert secret is not None
    browser = Browser(f"http://localhost:{product.settings['PORT']}")
    browser.sign_in("nurse@demo.example", password.group(1), secret.group(1))
    return browser


@pytest.mark.requirement("AV1", "DI7")
def test_no_acknowledged_save_is_lost_and_everything_comes_back(product, nurse):
    page, _tag = nurse.call("GET", "records/?status=not_started&form=F.VS")
    records = [each["id"] for each in page["results"]][:4]
    savers = [Saver(nurse.twin(), record) for record in records]
    for saver in savers:
        saver.start()
    waits = []
    for _round in range(ROUNDS):
        for victim in VICTIMS:
            before = _acknowledged(savers)
            until(lambda: _acknowledged(savers) > before + 8, within=PATIENCE, what="saves go on")  # noqa: B023
            waits.append((victim, _kill(product, victim)))
    after = _acknowledged(savers)
    until(lambda: _acknowledged(savers) > after + 8, within=PATIENCE, what="saves go on at the end")
    for saver in savers:
        saver.stopping.set()
    for saver in savers:
        saver.join(PATIENCE)
    lost = [each for saver in savers for each in _lost(product, saver)]
    slowest = max(seconds for _victim, seconds in waits)
    sys.stdout.write(
        f"\nkilled {len(waits)} times ({', '.join(f'{v} {s:.1f} s' for v, s in waits)}): "
        f"{_acknowledged(savers)} acknowledged saves, {len(lost)} lost, "
        f"{sum(saver.failures for saver in savers)} refused or unanswered\n"
    )
    assert lost == []
    assert slowest < 120


def _acknowledged(savers: list[Saver]) -> int:
    return sum(len(saver.acknowledged) for saver in savers)


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
    until(lambda: _ready(product), within=PATIENCE, what="the product is ready")
    return time.monotonic() - started


def _ready(product: Launcher) -> bool:
    with suppress(OSError, urllib.error.URLError):
        address = f"http://127.0.0.1:{product.settings['PORT']}/healthz/ready"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return bool(answer.status == 200)
    return False


def _lost(product: Launcher, saver: Saver) -> list[tuple[int, int]]:
    """Acknowledged saves whose event the trail does not hold."""
    with product.database() as server:
        host, port = server.info.host, server.info.port
    with psycopg.connect(
        host=host,
        port=port,
        user="postgres",
        password=product.secret("postgres_password"),
        dbname="trialsite",
    ) as connection:
        kept = connection.execute(
            "SELECT new ->> 'comment' FROM audit_event "
            "WHERE record_id = %s AND table_name = 'visits_vitalsigns'",
            [saver.record],
        ).fetchall()
    comments = {row[0] for row in kept}
    return [
        (version, value)
        for version, value in saver.acknowledged.items()
        if f"save {value}" not in comments
    ]
