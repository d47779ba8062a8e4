"""A restore that is broken off, or whose backup is an older one, leaves all or nothing behind."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from tests import databases
from tests.api.conftest import fill
from tests.engine.models import Device
from tests.exports.backed_up import Study, address_on, assert_nothing_restored, databases_there
from tests.factories import as_person, given, make_record
from tests.waiting import until
from trialsite.casebook.models import Subject
from trialsite.crf.registry import form
from trialsite.exports.backups import manifest as manifests
from trialsite.exports.backups import taking

LATEST = ("engine", "0002_device_ward")
BEFORE = ("engine", "0001_initial")
READ_IN = "SELECT to_regclass('public.access_user') IS NOT NULL"


def begin(
    study: Study, folder: Path, *options: str, preexec: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """`manage.py restore` as a process of its own, to be killed or starved."""
    connections.close_all()
    places = {
        "ATTACHMENT_ROOT": study.files / "attachments",
        "EXPORT_ROOT": study.files / "exports",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "restore", str(folder), *options],
        cwd=databases.ROOT,
        env=os.environ | {name: str(place) for name, place in places.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=preexec,
    )


def staged(study: Study) -> str:
    return f"{study.database}_restoring"


def holds_tables(name: str) -> bool:
    """Whether the database is there and the dump has been read into it."""
    if name not in databases_there():
        return False
    with (
        suppress(psycopg.OperationalError),  # it is just being dropped
        psycopg.connect(databases.owner_url(name)) as there,
    ):
        return there.execute(READ_IN).fetchone() == (True,)
    return False


@pytest.mark.requirement("BR2")
@pytest.mark.fault(
    "restore killed half way",
    promised="the present study is what it was; the next restore clears up",
)
def test_a_restore_that_is_killed_has_changed_nothing_and_is_simply_begun_again(study):
    folder = study.back_up()
    given(fill)(form("F.VS"), study.site, study.nurse)
    before = study.contents()
    for moment in (lambda name: name in databases_there(), holds_tables):
        restoring = begin(study, folder, "--over")
        until(lambda: moment(staged(study)), what="the database beside the present one")  # noqa: B023
        os.killpg(restoring.pid, signal.SIGKILL)
        restoring.communicate()
        assert study.contents() == before
    unfinished = study.files / "attachments" / ".making-1"
    unfinished.write_bytes(b"half a docu")
    study.restore(folder, over=True)
    assert study.contents()["public.casebook_subject"][0] == 1
    assert staged(study) not in databases_there()
    assert not unfinished.exists()
    with pytest.raises(CommandError, match="already holds a study"):
        study.restore(folder)


@pytest.mark.requirement("BR2")
@pytest.mark.fault("disk full while restoring", promised="told in words; nothing is restored")
def test_a_disk_that_is_full_is_told_and_nothing_is_restored(study):
    """The largest file that the process may write is smaller than the document."""
    folder = study.back_up()
    study.destroy()

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32, 32))

    restoring = begin(study, folder, preexec=starve)
    _out, said = restoring.communicate()
    assert restoring.returncode == 1
    assert "File too large" in said
    assert "Traceback" not in said
    assert_nothing_restored(study)


def test_one_restore_at_a_time(study):
    folder = study.back_up()
    study.destroy()
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(hashtext(%s))", [staged(study)])
        with pytest.raises(CommandError, match="Another restore is at work"):
            study.restore(folder)
    assert_nothing_restored(study)


@pytest.mark.fault(
    "database server away while restoring",
    promised="told in words; nothing is restored",
)
def test_a_server_that_gives_out_is_told_and_nothing_is_restored(study, monkeypatch):
    """Whatever the server says while the database is made beside the present one."""
    folder = study.back_up()
    study.destroy()
    with monkeypatch.context() as away:
        away.setenv("DATABASE_OWNER_URL", address_on("DATABASE_OWNER_URL", "x") + "?port=1")
        with pytest.raises(CommandError, match="The database server said: ") as caught:
            study.restore(folder)
    assert "Nothing was changed." in str(caught.value)
    assert_nothing_restored(study)


# Backups of other versions.


def migrate(database: str, *target: tuple[str, str]) -> None:
    """Bring the tables to a state, as their owner, without what guards them."""
    connections.close_all()
    owner = connections["owner"]
    before = owner.settings_dict["NAME"]
    owner.settings_dict["NAME"] = database
    try:
        MigrationExecutor(owner).migrate(list(target))
    finally:
        owner.close()
        owner.settings_dict["NAME"] = before


def as_owner(database: str, statement: str) -> None:
    connections.close_all()
    with psycopg.connect(databases.owner_url(database)) as owner:
        owner.execute(statement)


def back_up_as_older(study: Study, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup as an older version makes one: it exports otherwise, and calls itself so."""
    monkeypatch.setattr(taking, "export_hashes", dict)
    monkeypatch.setattr(taking, "software_version", lambda: "0.0.9")
    return study.back_up()


def enter_before(study: Study) -> None:
    """A device as it is entered while its table has no ward yet."""
    with as_person(study.nurse), connection.cursor() as cursor:
        record = make_record(Subject.objects.get(), form_oid="F.TDEV")
        cursor.execute(
            "INSERT INTO engine_device (id, site_id, subject_id, record_id, serial) "
            "VALUES (gen_random_uuid(), %s, %s, %s, 'R-1')",
            [record.site_id, record.subject_id, record.pk],
        )


@pytest.mark.requirement("BR2")
@pytest.mark.fault(
    "backup of an older version",
    promised="brought forward and proven like one of today",
)
def test_a_backup_of_an_older_version_is_brought_forward_and_proven(study, monkeypatch):
    migrate(study.database, BEFORE)
    enter_before(study)
    before = study.contents()
    folder = back_up_as_older(study, monkeypatch)
    said = json.loads((folder / manifests.MANIFEST).read_text())
    assert ".".join(LATEST) not in said["migrations"]
    study.destroy()
    told = study.restore(folder)
    assert "  migrations       1 brought forward" in told
    assert "  datasets         not compared: exported by Trialsite 0.0.9" in told
    for line in ("tables", "guards", "audit trail", "sign-in"):
        assert f"  {line} " in told, told
    after = study.contents()
    changed = {name.partition(".")[2] for name in before if before[name] != after.get(name)}
    assert changed == {"audit_event", "django_migrations", "engine_device"}
    with as_person(study.nurse):
        device = Device.objects.get()
        assert (device.serial, device.ward) == ("R-1", "")
    given(fill)(form("F.VS"), study.site, study.nurse)


@pytest.mark.requirement("BR2")
@pytest.mark.fault(
    "backup of a state whose migrations were made anew",
    promised="refused, naming the columns; nothing is restored",
)
def test_tables_of_the_same_name_that_are_not_ours_are_refused(study, monkeypatch):
    """As a state of development has them whose migrations were made anew under their names."""
    as_owner(
        study.database,
        "ALTER TABLE engine_device ADD COLUMN mood text, DROP COLUMN ward, "
        "ALTER COLUMN serial TYPE varchar(99), ALTER COLUMN site_id DROP NOT NULL",
    )
    folder = back_up_as_older(study, monkeypatch)
    study.destroy()
    with pytest.raises(
        CommandError, match=r"Trialsite 0\.0\.9 in a state of development"
    ) as caught:
        study.restore(folder)
    for each in (
        "engine_device.mood is foreign",
        "engine_device.serial is character varying(99) instead of character varying(20)",
        "engine_device.site_id is bigint or empty instead of bigint",
        "and 1 more",
        "Restore it with the checkout that made it. Nothing was changed.",
    ):
        assert each in str(caught.value)
    assert_nothing_restored(study)


@pytest.mark.fault(
    "backup of a state whose migrations were made anew",
    promised="refused, naming the columns; nothing is restored",
)
def test_migrations_that_stand_in_another_order_now_are_refused_before_anything_is_made(study):
    """Seen with a backup two days older, whose tables had been made by other migrations."""
    folder = study.back_up()
    said = json.loads((folder / manifests.MANIFEST).read_text())
    said.pop("seal")
    said["migrations"].remove("casebook.0003_visit_course")
    manifests.write_manifest(folder, said)
    study.destroy()
    with pytest.raises(CommandError, match=r"needs casebook\.0003_visit_course before ") as caught:
        study.restore(folder)
    assert "Restore it with the checkout that made it." in str(caught.value)
    assert_nothing_restored(study)
