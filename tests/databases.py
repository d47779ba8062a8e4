"""Databases for tests: one migrated template, cloned as the owner, used as the application.

A clone takes a fraction of a second, so a test that commits gets a database of its own;
nothing is flushed, and every connection of a test is the application's role.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.waiting import until
from trialsite.core.protection import close_database

ROOT = Path(__file__).resolve().parents[1]


def owner_url(database: str) -> str:
    """The owner's connection string for another database of the test server."""
    return make_conninfo(os.environ["DATABASE_OWNER_URL"], dbname=database)


def app_url(database: str) -> str:
    """The application's URL for another database of the test server."""
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{base}/{database}"


def owner_url_text(database: str) -> str:
    """The owner's URL for another database, for a process that is started on it."""
    base, _, _ = os.environ["DATABASE_OWNER_URL"].rpartition("/")
    return f"{base}/{database}"


def _administer(*statements: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(owner_url("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    folders = ("trialsite", "screening", "visits", "outcomes", "samples", "tests/engine")
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        relative = path.relative_to(ROOT)
        if (
            "migrations" in relative.parts
            or path.name.endswith(("models.py", "guards.py", "functions.py", "vault.py", "_sql.py"))
            or "models" in relative.parts
            or relative.parts[:2] in {("trialsite", "crf"), ("trialsite", "core")}
            or relative.parts[:2] == ("tests", "engine")
        ):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def of_this_process(purpose: str) -> str:
    """A database name that no other run of the tests uses."""
    return f"trialsite_{purpose}_{os.getpid()}"


def sweep() -> None:
    """Drop what runs that were killed have left behind."""
    with psycopg.connect(owner_url("postgres"), autocommit=True) as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database "
            "WHERE datname ~ '^trialsite_[a-z0-9]+_[0-9]+(_[0-9]+)?$'"
        ).fetchall()
    for (name,) in names:
        if not Path(f"/proc/{name.split('_')[2]}").exists() and Path("/proc/self").exists():
            drop(name)


def template() -> str:
    """The name of the migrated template; made once for each state of the schema's code."""
    name = f"trialsite_template_{_fingerprint()}"
    return kept(name, _migrate)


def kept(name: str, make: Callable[[str], None]) -> str:
    """A database that is made once and then only cloned; other processes wait for it."""
    lock = Path(tempfile.gettempdir()) / f"{name.rpartition('_')[0]}-{os.getuid()}.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with psycopg.connect(owner_url("postgres"), autocommit=True) as connection:
            exists = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [name]
            ).fetchone()
        if not exists:
            making = f"{name}_making"
            drop(making)
            make(making)
            _administer(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(making), sql.Identifier(name)
                )
            )
    return name


def _migrate(making: str) -> None:
    _administer(
        sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
            sql.Identifier(making)
        ),
        sql.SQL(
            "GRANT CONNECT ON DATABASE {} TO trialsite_app, trialsite_public, trialsite_backup"
        ).format(sql.Identifier(making)),
    )
    owner = connections["owner"]
    owner.close()
    before = owner.settings_dict["NAME"]
    owner.settings_dict["NAME"] = making
    try:
        call_command("migrate", database="owner", verbosity=0)
    finally:
        owner.close()
        owner.settings_dict["NAME"] = before


def clone(name: str, source: str = "") -> None:
    """A fresh database from the migrated template, or from another one that nobody uses."""
    drop(name)
    _administer(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(source or template())
        ),
        sql.SQL(close_database(name)),
    )


def drop(name: str) -> None:
    """Remove a database, whoever is connected to it.

    The owner may not end what the application has open: a request that was on its way when its
    connection was ended connects anew. An autovacuum worker, which nobody may end, is waited for.
    """
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))

    def dropped() -> bool:
        with suppress(psycopg.errors.InsufficientPrivilege):
            _administer(statement)
            return True
        with suppress(psycopg.OperationalError):
            send_away(name)
        return False

    until(dropped, within=120.0, what=f"no process of the server left in {name}")


def send_away(name: str) -> None:
    """End what the application's processes have open; they connect anew when they need to."""
    with psycopg.connect(app_url(name), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
            "AND usename = current_user AND pid <> pg_backend_pid()",
            [name],
        )


@contextmanager
def using(name: str) -> Iterator[None]:
    """Point the application's connection at a database for a while."""
    connection = connections["default"]
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
