"""The demonstration study in a database of its own, made by the command people run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests import databases


@contextmanager
def demonstration(name: str) -> Iterator[str]:
    """A fresh database that holds the demonstration study, dropped afterwards."""
    databases.clone(name)
    try:
        subprocess.run(
            [sys.executable, "manage.py", "load_demo"],
            cwd=databases.ROOT,
            env=os.environ
            | {
                "DEMO": "1",
                "DATABASE_URL": databases.app_url(name),
                "DATABASE_OWNER_URL": databases.owner_url_text(name),
            },
            check=True,
        )
        yield name
    finally:
        databases.drop(name)
