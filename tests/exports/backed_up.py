"""A study with something in every part of a backup, and what is asked of it afterwards."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connections

from tests import databases
from tests.api.conftest import ApiClient, fill
from tests.casebook.documents import PNG
from tests.exports.test_packages import packed
from tests.factories import as_person, given, make_protocol, make_site, make_user
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.attachments import add_attachment
from trialsite.crf.registry import form
from trialsite.exports.backups.contents import table_contents
from trialsite.launcher.binaries import find_clients
from trialsite.launcher.layout import Layout

ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_PUBLIC_URL", "DATABASE_BACKUP_URL")


@dataclass
class Study:
    """A study with a record, a document and a package; what is outside its database."""

    database: str
    files: Path
    backups: Path
    site: Site
    manager: User
    nurse: User

    def back_up(self) -> Path:
        out = io.StringIO()
        call_command("backup", to=self.backups, stdout=out)
        (folder,) = self.backups.glob("trialsite-*Z")
        assert str(folder) in out.getvalue()
        return folder

    def destroy(self) -> None:
        """Nothing is left but an empty database and the keys."""
        connections.close_all()
        databases.drop(self.database)
        with psycopg.connect(databases.owner_url("postgres"), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {self.database} TEMPLATE template0")
        shutil.rmtree(self.files)

    def restore(self, folder: Path, **options: Any) -> str:
        out = io.StringIO()
        connections.close_all()
        call_command("restore", folder, stdout=out, **options)
        return out.getvalue()

    def contents(self) -> dict[str, list[Any]]:
        url = address_on("DATABASE_BACKUP_URL", self.database)
        with psycopg.connect(url) as reader:
            return table_contents(reader)

    def exported(self, name: str) -> bytes:
        answer = ApiClient(self.manager).get(f"datasets/{name}/")
        return b"".join(answer.streaming_content)


def address_on(variable: str, database: str) -> str:
    return f"{os.environ[variable].rpartition('/')[0]}/{database}"


def databases_there() -> set[str]:
    with psycopg.connect(databases.owner_url("postgres")) as server:
        return {row[0] for row in server.execute("SELECT datname FROM pg_database").fetchall()}


@pytest.fixture
def study(committed, settings, tmp_path, monkeypatch) -> Iterator[Study]:
    files = tmp_path / "var"
    settings.ATTACHMENT_ROOT, settings.EXPORT_ROOT = files / "attachments", files / "exports"
    for name in ADDRESSES:
        monkeypatch.setenv(name, address_on(name, committed))
    layout = Layout(databases.ROOT, Path(sys.prefix), files)
    monkeypatch.setenv("POSTGRES_BIN", str(find_clients(layout)))
    site = make_site("001", name="北京协和医院")
    make_protocol(site)
    nurse, manager = make_user(Role.RESEARCH_NURSE, site), make_user(Role.DATA_MANAGER)
    record = given(fill)(form("F.VS"), site, nurse)
    with as_person(nurse):
        add_attachment(
            subject=record.subject,
            file=SimpleUploadedFile("a.png", PNG),
            title="同意书",
            by=nurse,
        )
    packed(ApiClient(manager))
    yield Study(committed, files, tmp_path / "backups", site, manager, nurse)
    connections.close_all()
    for name in databases_there():
        if name.startswith(f"{committed}_"):
            databases.drop(name)


def assert_nothing_restored(study: Study) -> None:
    with psycopg.connect(databases.owner_url(study.database)) as there:
        assert there.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)
    assert not [path for path in study.files.rglob("*") if path.is_file()]
    assert f"{study.database}_restoring" not in databases_there()
