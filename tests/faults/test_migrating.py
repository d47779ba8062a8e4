"""A migration that is killed half way is taken up where it stopped (trust F16)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests import databases
from tests.faulting import LONG
from tests.waiting import until
from trialsite.core.existing import Catalog

KILLS = 8 if LONG else 1
APPLIED = "SELECT count(*) FROM django_migrations"


@pytest.fixture
def empty(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database in which nothing was ever made."""
    name = f"{databases.of_this_process('test')}_migrating"
    with django_db_blocker.unblock():
        databases.drop(name)
        with psycopg.connect(databases.owner_url("postgres"), autocommit=True) as server:
            server.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )
        yield name
        databases.drop(name)


def migrating(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"],
        cwd=databases.ROOT,
        env=os.environ
        | {
            "DATABASE_URL": databases.app_url(name),
            "DATABASE_OWNER_URL": databases.owner_url_text(name),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def applied(name: str) -> int:
    with psycopg.connect(databases.owner_url(name)) as owner:
        there = owner.execute("SELECT to_regclass('django_migrations')").fetchone()
        counted = owner.execute(APPLIED).fetchone() if there and there[0] else None
    return counted[0] if counted else 0


@pytest.mark.fault
@pytest.mark.requirement("AT3")
def test_a_migration_that_is_killed_is_taken_up_by_the_next(empty, fault_table):
    chance = random.Random(16)
    stopped = []
    for _kill in range(KILLS):
        process = migrating(empty)
        further = applied(empty) + chance.randint(1, 5)
        until(
            lambda: process.poll() is not None or applied(empty) >= further,  # noqa: B023
            what="some migrations",
        )
        process.kill()
        process.communicate()
        stopped.append(applied(empty))
    last = migrating(empty)
    _out, said = last.communicate()
    assert last.returncode == 0, said
    assert stopped[0] < applied(empty)
    with databases.using(empty):
        mended = _catalog()
    with databases.using(databases.template()):
        assert mended == _catalog()
    fault_table(
        "kill -9 of a migration",
        done=f"{KILLS} kills, after {', '.join(map(str, stopped))} of {applied(empty)}",
        promised="the next one takes it up; tables and guards as if nothing had been",
        counted=f"{len(mended.types)} columns, {len(mended.policies)} policies compared: 0 differ",
    )


def _catalog() -> Catalog:
    return Catalog.read()
