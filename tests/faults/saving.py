"""The whole product under its launcher, and what four nurses who save tell of it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections import Counter
from contextlib import suppress
from typing import Any

import psycopg

from tests.faulting import LONG
from tests.faults.nurse import Browser, Saver
from tests.launcher.launching import Launcher
from tests.waiting import PATIENCE, until

# The demonstration is entered as people enter it: half a minute alone, minutes on a busy machine.
ENTERING = 1800.0 if LONG else 600.0


def sign_in_nurse(product: Launcher) -> Browser:
    """The demonstration's nurse, signed in with both factors."""
    printed = product.call("manage", "demo_signins").stdout
    password = re.search(r"Password of all: (\S+)", printed)
    secret = re.search(r"nurse@demo\.example\s+\d{6}\s+([A-Z2-7]+)", printed)
    assert password is not None
    assert secret is not None
    browser = Browser(f"http://localhost:{product.settings['PORT']}")
    browser.sign_in("nurse@demo.example", password.group(1), secret.group(1))
    return browser


def unbegun_records(nurse: Browser) -> list[str]:
    """Four records that nobody has begun."""
    page, _tag = nurse.call("GET", "records/?status=not_started&form=F.VS")
    found = [str(each["id"]) for each in page["results"]][:4]
    assert len(found) == 4
    return found


def go_on(savers: list[Saver]) -> None:
    """Wait until they have saved again."""
    before = acknowledged(savers)
    until(lambda: acknowledged(savers) > before + 8, what="saves go on")


def acknowledged(savers: list[Saver]) -> int:
    return sum(len(saver.acknowledged) for saver in savers)


def failed(savers: list[Saver]) -> Counter[str]:
    """How often saves failed, by the answer's status."""
    return sum((saver.failed for saver in savers), Counter[str]())


def judged(product: Launcher, savers: list[Saver]) -> str:
    """Nothing acknowledged is lost and no refusal tells of the inside; the figures."""
    go_on(savers)
    for saver in savers:
        saver.stopping.set()
    for saver in savers:
        saver.join(PATIENCE)
    lost = [each for saver in savers for each in _lost(product, saver)]
    assert lost == []
    assert [said for saver in savers for said in saver.indiscreet] == []
    told = ", ".join(f"{times} {how}" for how, times in sorted(failed(savers).items()))
    return f"{acknowledged(savers)} acknowledged, 0 lost; not saved: {told or 'none'}"


def is_ready(product: Launcher) -> bool:
    """What a load balancer would be told."""
    with suppress(OSError, urllib.error.URLError):
        address = f"http://127.0.0.1:{product.settings['PORT']}/healthz/ready"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return bool(answer.status == 200)
    return False


def reach(product: Launcher) -> dict[str, Any]:
    """The study's database, as its superuser."""
    with product.database() as server:
        host, port = server.info.host, server.info.port
    password = product.secret("postgres_password")
    return {"host": host, "port": port, "user": "postgres", "password": password,
            "dbname": "trialsite"}  # fmt: skip


def _lost(product: Launcher, saver: Saver) -> list[tuple[int, int]]:
    """Acknowledged saves whose event the trail does not hold."""
    with psycopg.connect(**reach(product)) as connection:
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
