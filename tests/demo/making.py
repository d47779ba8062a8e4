"""The demonstration study in a database of its own, made by the command people run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from zoneinfo import ZoneInfo

from django.utils import timezone

from tests import databases
from trialsite.casebook.protocols import protocol_of
from trialsite.demo.study import SITES
from trialsite.review.assumptions import _composed

#: Where the days of the demonstration are counted.
ZONE = ZoneInfo("Asia/Shanghai")
_SOURCES = ("trialsite", "screening", "visits", "outcomes", "samples")


@contextmanager
def demonstration(name: str, *, scale: int = 1) -> Iterator[str]:
    """A fresh database that holds the demonstration study so many times, dropped afterwards.

    The study is made once for each state of the code and each day of its sites, and then cloned.
    """
    kind = f"demonstration{scale}" if scale > 1 else "demonstration"
    made = databases.kept(f"trialsite_{kind}_{_state_of_the_code()}", partial(_make, scale=scale))
    databases.clone(name, made)
    _forget()
    try:
        yield name
    finally:
        _forget()
        databases.drop(name)


def _forget() -> None:
    """Another database numbers other protocol versions by the same keys."""
    protocol_of.cache_clear()
    _composed.cache_clear()


def _make(name: str, *, scale: int) -> None:
    databases.clone(name)
    subprocess.run(
        [sys.executable, "manage.py", "load_demo", "--scale", str(scale)],
        cwd=databases.ROOT,
        env=os.environ
        | {
            "DEMO": "1",
            "DATABASE_URL": databases.app_url(name),
            "DATABASE_OWNER_URL": databases.owner_url_text(name),
        },
        check=True,
    )


def _state_of_the_code() -> str:
    digest = hashlib.sha256()
    for _name, _name_zh, zone in SITES.values():
        digest.update(timezone.localdate(timezone=ZoneInfo(zone)).isoformat().encode())
    for folder in _SOURCES:
        files = (databases.ROOT / folder).rglob("*")
        for path in sorted(each for each in files if each.suffix in {".py", ".yaml"}):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
