"""Bringing a backup back: into a database of its own, which takes the name once it is proven."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from trialsite.core.guards import APP, AUDIT, BACKUP, OWNER, PUBLIC, VAULT
from trialsite.exports.backups.contents import table_contents
from trialsite.exports.backups.files import (
    DOCUMENT,
    PACKAGE,
    discard,
    remove_unfinished,
    settle,
    unpack,
)
from trialsite.exports.backups.manifest import (
    DOCUMENTS,
    DUMP,
    PACKAGES,
    BackupError,
    fingerprint,
    read_manifest,
)
from trialsite.exports.backups.origin import demand_known, demand_same_tables
from trialsite.exports.backups.programs import run_program

ADMIN = "DATABASE_ADMIN_URL"
ROLES = (OWNER, APP, PUBLIC, BACKUP, AUDIT, VAULT)
#: Where the password of the person who is to sign in is handed on, never on a command line.
PASSWORD = "SIGN_IN_PASSWORD"  # noqa: S105 - its name
ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_PUBLIC_URL", "DATABASE_BACKUP_URL")
_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
)
#: A line of the table that is printed: what was compared, and what was found.
Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """The database that is to be there in the end, and the one it is made in."""

    admin: str
    name: str

    @property
    def staged(self) -> str:
        return f"{self.name}_restoring"

    @property
    def emptied(self) -> str:
        """What a database that held nothing is called until it is dropped."""
        return f"{self.name}_empty"

    def url(self, variable: str) -> str:
        """The address of one role for the staged database."""
        return _on(os.environ[variable], self.staged)


def restore(
    folder: Path, *, over: bool = False, sign_in: str = ""
) -> tuple[list[Line], dict[str, Any]]:
    """Restore a backup under the name of DATABASE_URL; what was compared, and the manifest.

    Nothing of the present database or files is touched before the restored one is complete,
    equal to the manifest, migrated and guarded. With `over` a database that holds a study is
    kept aside under another name. Raises BackupError, and then nothing has changed.
    """
    said = read_manifest(folder)
    demand_known(said)
    target = _target()
    with psycopg.connect(target.admin, autocommit=True) as admin, _alone(admin, target):
        _demand_server(admin, target)
        _demand_quiet(admin, target)
        _demand_room(target, over=over)
        try:
            lines = _stage(admin, target, folder, said, sign_in)
            aside = _take_over(admin, target, folder)
        except psycopg.Error as error:
            said_by_server = str(error).strip()
            raise BackupError(
                f"The database server said: {said_by_server}\nNothing was changed."
            ) from error
        finally:
            _drop_if_possible(admin, target.staged)
    files = said["files"]
    lines.append(("files", f"{files['attachments']} documents, {files['packages']} packages"))
    if files["missing"] or files["damaged"]:
        lost = len(files["missing"]) + len(files["damaged"])
        lines.append(("missing files", f"{lost}, as when the backup was made"))
    if aside:
        lines.append(("former database", f"kept as {aside}"))
    return lines, said


def _stage(
    admin: psycopg.Connection[Any],
    target: Target,
    folder: Path,
    said: Mapping[str, Any],
    sign_in: str,
) -> list[Line]:
    """Make the database beside the present one and prove it."""
    _create(admin, target)
    arguments = ["--exit-on-error", "--single-transaction", str(folder / DUMP)]
    run_program("pg_restore", _on(target.admin, target.staged), arguments)
    lines = [_compare_tables(target, said)]
    before = said["migrations"]
    _manage(target, "migrate", "--noinput", "--verbosity", "0")
    asked = ["--software", said["software"], "--sign-in", sign_in]
    found = json.loads(_manage(target, "check_restored", *asked).splitlines()[-1])
    lines.append(_told_migrations(before, found["migrations"]))
    lines.append(_compare_exports(said, found))
    lines.extend((name, text) for name, text in found["lines"])
    if said["secret_key"] != fingerprint(settings.SECRET_KEY):
        lines.append(("SECRET_KEY", "another one: sessions and open invitations have ended"))
    return lines


def _take_over(admin: psycopg.Connection[Any], target: Target, folder: Path) -> str:
    """Put the files and then the database into their places; the former one's new name."""
    for root in (settings.ATTACHMENT_ROOT, settings.EXPORT_ROOT):
        remove_unfinished(Path(root))
    waiting = unpack(folder / DOCUMENTS, Path(settings.ATTACHMENT_ROOT), DOCUMENT)
    try:
        waiting += unpack(folder / PACKAGES, Path(settings.EXPORT_ROOT), PACKAGE)
        # Under the hash of its content a file says the same as one that is there already.
        settle(waiting)
    finally:
        discard(waiting)
    aside = f"{target.name}_before_{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}".lower()
    kept = _holds_study(target)
    aside = aside if kept else target.emptied
    # Outside the transaction: inside one, PostgreSQL shows the same sessions for ever.
    _demand_quiet(admin, target)
    with admin.transaction():
        _rename(admin, target.name, aside)
        _rename(admin, target.staged, target.name)
    if not kept:
        _drop_if_possible(admin, aside)
    return aside if kept else ""


def _rename(admin: psycopg.Connection[Any], name: str, new: str) -> None:
    admin.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new))
    )


def _target() -> Target:
    missing = [name for name in (*ADDRESSES, ADMIN) if not os.environ.get(name)]
    if missing:
        raise BackupError(f"A restore makes a database, which needs {', '.join(missing)}.")
    name = str(conninfo_to_dict(os.environ["DATABASE_URL"])["dbname"])
    return Target(os.environ[ADMIN], name)


def _on(url: str, database: str) -> str:
    return make_conninfo(url, dbname=database)


@contextmanager
def _alone(admin: psycopg.Connection[Any], target: Target) -> Iterator[None]:
    """One restore at a time; what a broken one left is removed first."""
    row = admin.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [target.staged]).fetchone()
    if not (row and row[0]):
        raise BackupError("Another restore is at work on this server.")
    for name in (target.staged, target.emptied):
        _drop(admin, name)
    yield


def _demand_server(admin: psycopg.Connection[Any], target: Target) -> None:
    """Roles and database are there; a new server gets them first."""
    row = admin.execute(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)), "
        "EXISTS (SELECT 1 FROM pg_database WHERE datname = %s)",
        [list(ROLES), target.name],
    ).fetchone()
    if row != (len(ROLES), True):
        call_command("create_roles")


def _demand_quiet(admin: psycopg.Connection[Any], target: Target) -> None:
    """Nobody is connected; sessions that are just ending get a moment."""
    connection.close()
    sessions = 0
    for _try in range(50):
        row = admin.execute(_SESSIONS, [target.name]).fetchone()
        sessions = row[0] if row else 0
        if not sessions:
            return
        admin.execute("SELECT pg_sleep(0.1)")
    raise BackupError(
        f"{sessions} sessions use the database {target.name}. Stop web, worker and beat first."
    )


def _demand_room(target: Target, *, over: bool) -> None:
    if _holds_study(target) and not over:
        raise BackupError(
            f"The database {target.name} already holds a study, and nothing was changed. Say so "
            "explicitly to replace it (make restore … OVER=1): it is then kept under another name."
        )


def _holds_study(target: Target) -> bool:
    """Whether anybody or anything was ever entered: a study begins with its administrator."""
    with psycopg.connect(_on(target.admin, target.name)) as there:
        row = there.execute("SELECT to_regclass('public.access_user')").fetchone()
        if row is None or row[0] is None:
            return False
        return there.execute("SELECT 1 FROM public.access_user LIMIT 1").fetchone() is not None


def _create(admin: psycopg.Connection[Any], target: Target) -> None:
    name = sql.Identifier(target.staged)
    roles = sql.SQL(", ").join(map(sql.Identifier, (APP, PUBLIC, BACKUP)))
    admin.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
            name, sql.Identifier(OWNER)
        )
    )
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))
    # The extension belongs to the owner, who may later update it; the dump then finds it.
    with psycopg.connect(target.url("DATABASE_OWNER_URL")) as owner:
        owner.execute("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public")


def _drop(admin: psycopg.Connection[Any], name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop_if_possible(admin: psycopg.Connection[Any], name: str) -> None:
    """What cannot be dropped now, the next restore drops first."""
    with suppress(psycopg.Error):
        _drop(admin, name)


def _compare_tables(target: Target, said: Mapping[str, Any]) -> Line:
    """Every table's rows and content, before anything is migrated."""
    with psycopg.connect(target.url("DATABASE_BACKUP_URL")) as reader:
        demand_same_tables(reader, said)
        found = table_contents(reader)
    told: dict[str, list[Any]] = said["tables"]
    wrong = sorted(name for name in told.keys() | found if told.get(name) != found.get(name))
    if wrong:
        words = [f"{n}: {found.get(n)} instead of {told.get(n)}" for n in wrong[:5]]
        raise BackupError("The restored tables are not those of the manifest:\n" + "\n".join(words))
    rows = sum(count for count, _digest in found.values())
    return "tables", f"{len(found)} with {rows} rows, each equal to the manifest"


def _compare_exports(said: Mapping[str, Any], found: Mapping[str, Any]) -> Line:
    told, made = said["exports"], found["exports"]
    if said["migrations"] != found["migrations"] or not made:
        return "datasets", f"not compared: exported by {said['software']} of another state"
    wrong = sorted(name for name in told.keys() | made if told.get(name) != made.get(name))
    if wrong:
        raise BackupError(f"These datasets are exported differently: {', '.join(wrong)}.")
    return "datasets", f"{len(made)} exported with the SHA-256 of the manifest"


def _told_migrations(before: list[str], after: list[str]) -> Line:
    new = len(set(after) - set(before))
    return "migrations", f"{new} brought forward" if new else "as in the backup"


def _manage(target: Target, *arguments: str) -> str:
    """Run a management command on the staged database, as a process of its own."""
    addresses = {name: _as_url(os.environ[name], target.staged) for name in ADDRESSES}
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **addresses},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        # Of a fault in the program its last line says most.
        said = lines[-1:] if any(each.startswith("Traceback") for each in lines) else lines[-12:]
        raise BackupError(f"{arguments[0]} refused the restored database:\n" + "\n".join(said))
    return done.stdout


def _as_url(url: str, database: str) -> str:
    """The same address for another database, still as a URL."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}" + (f"?{query}" if query else "")
