"""Making a backup, beside the running product: everything in it is of one moment."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from trialsite.access.context import system_context
from trialsite.casebook.models import Attachment
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting
from trialsite.core.software import NAME, software_version
from trialsite.exports.backups.contents import export_hashes, table_contents
from trialsite.exports.backups.files import DOCUMENT, PACKAGE, Packed, pack
from trialsite.exports.backups.manifest import (
    DOCUMENTS,
    DUMP,
    FORMAT,
    PACKAGES,
    PARTS,
    BackupError,
    fingerprint,
    keys_here,
    sha256_of,
    write_manifest,
)
from trialsite.exports.backups.programs import run_program
from trialsite.exports.models import Package, PackageState

SYSTEM = "backup"


def back_up(target: Path) -> tuple[Path, dict[str, Any]]:
    """Put the whole study into a new folder under `target`; the folder and its manifest.

    The folder has its name only once it is whole on the disk. Raises BackupError.
    """
    url = os.environ.get("DATABASE_BACKUP_URL")
    if not url:
        raise BackupError("DATABASE_BACKUP_URL is needed: its role is the one that sees every row.")
    _demand_study()
    now = timezone.now()
    folder = target / f"trialsite-{now:%Y%m%dT%H%M%SZ}"
    partial = folder.with_suffix(".partial")
    partial.mkdir(mode=0o700, parents=True)
    try:
        said = _fill(partial, url, now)
        _sync(partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    with acting(system_context(SYSTEM, Channel.COMMAND)):
        note_act("backed_up", details={"backup": folder.name, "dump": said["parts"][DUMP]})
    return folder, said


def _demand_study() -> None:
    if "django_migrations" not in connection.introspection.table_names():
        raise BackupError("There is nothing to back up: this database holds no study yet.")


def _fill(folder: Path, url: str, now: dt.datetime) -> dict[str, Any]:
    context = system_context(SYSTEM, Channel.COMMAND)
    with (
        acting(context, one_moment=True),
        psycopg.connect(url, autocommit=False) as reader,
    ):
        snapshot = _shared_snapshot()
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        reader.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        tables = table_contents(reader)
        run_program(
            "pg_dump",
            url,
            ["--format=custom", f"--snapshot={snapshot}", f"--file={folder / DUMP}"],
        )
        said = _head(now) | {"tables": tables, "exports": export_hashes()}
        documents = pack(Path(settings.ATTACHMENT_ROOT), DOCUMENT, folder / DOCUMENTS)
        packages = pack(Path(settings.EXPORT_ROOT), PACKAGE, folder / PACKAGES)
        said["files"] = _files(documents, packages)
    said["parts"] = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in PARTS
    }
    write_manifest(folder, said)
    return said


def _shared_snapshot() -> str:
    """The name under which other connections see exactly what this transaction sees."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', '0', true), "
            "set_config('statement_timeout', '0', true), pg_export_snapshot()"
        )
        return str(cursor.fetchone()[2])


def _head(now: dt.datetime) -> dict[str, Any]:
    applied = MigrationRecorder(connection).applied_migrations()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]
    return {
        "format": FORMAT,
        "made_at": now.astimezone(dt.UTC).isoformat(),
        "software": f"{NAME} {software_version()}",
        "postgresql": server,
        "synthetic": settings.DEMO,
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "keys": keys_here(),
        "secret_key": fingerprint(settings.SECRET_KEY),
        "keys_inside": False,
    }


def _files(documents: Packed, packages: Packed) -> Mapping[str, Any]:
    """How many files there are, and which of those the database speaks of are not there."""
    known = {each[:2] + "/" + each[2:4] + "/" + each for each in _documents_known()}
    ready = Package.objects.filter(state=PackageState.READY).values_list("pk", flat=True)
    wanted = {f"{key}.zip" for key in ready}
    return {
        "attachments": len(documents.names),
        "packages": len(packages.names),
        "damaged": sorted(documents.damaged),
        "missing": sorted(
            (known - documents.names - set(documents.damaged)) | (wanted - packages.names)
        ),
    }


def _documents_known() -> set[str]:
    return set(Attachment.objects.values_list("sha256", flat=True))


def _sync(folder: Path) -> None:
    """Everything is on the disk before the folder gets its name."""
    for path in [*folder.iterdir(), folder]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
