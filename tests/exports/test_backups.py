"""A destroyed study comes back whole from its backup, and a bad backup brings back nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from tests import databases
from tests.access.browser import acts, is_signed_in, sign_in_fully
from tests.api.conftest import fill
from tests.casebook.documents import PNG
from tests.exports.backed_up import assert_nothing_restored, databases_there
from tests.factories import PASSWORD, as_person, given
from trialsite.access.models import Membership
from trialsite.casebook.attachments import content_of
from trialsite.casebook.models import Attachment
from trialsite.crf.registry import form
from trialsite.exports.backups import manifest as manifests
from trialsite.exports.backups.restoring import PASSWORD as PASSWORD_VARIABLE
from trialsite.exports.models import Package
from trialsite.exports.packages import file_of


@pytest.mark.requirement("BR2", "BR4")
@pytest.mark.fault(
    "database and files destroyed, then restored",
    promised="every table, dataset and document is what it was",
)
def test_a_destroyed_study_comes_back_as_it_was(study):
    exports = {name: study.exported(name) for name in ("subjects", "vs", "queries")}
    before = study.contents()
    folder = study.back_up()
    given(fill)(form("F.VS"), study.site, study.nurse)
    assert study.contents()["public.casebook_subject"][0] == 2, "entered after the backup"
    study.destroy()
    told = study.restore(folder)
    after = study.contents()
    # The backup itself and the restore are acts of their own.
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"public.audit_event"}
    assert {name: study.exported(name) for name in exports} == exports
    for person in (study.nurse, study.manager):
        assert is_signed_in(sign_in_fully(person))
    with as_person(study.nurse):
        assert content_of(Attachment.objects.get()) == PNG
        assert file_of(Package.objects.get()).stat().st_size == Package.objects.get().size
    for line in ("tables", "datasets", "guards", "audit trail", "sign-in"):
        assert f"  {line} " in told, told
    call_command("verify_trail", stdout=io.StringIO())
    assert [(each.new or {})["backup"] for each in acts("restored")] == [folder.name]
    with (
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match="without a context"),
    ):
        cursor.execute("SELECT count(*) FROM casebook_subject")
    given(fill)(form("F.VS"), study.site, study.nurse)
    assert study.contents()["public.casebook_subject"][0] == 2, "it can be written to"


def test_no_key_and_no_plain_secret_is_inside(study, settings):
    folder = study.back_up()
    said = json.loads((folder / manifests.MANIFEST).read_text())
    assert said["keys_inside"] is False
    assert said["synthetic"] is settings.DEMO
    secrets = [*settings.FIELD_KEYS, settings.IDENTITY_INDEX_KEY, settings.SECRET_KEY]
    secrets += [key.partition(":")[2] for key in settings.IDENTITY_KEYS]
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        content = path.read_bytes()
        assert not [key for key in secrets if key.encode() in content]


def test_a_study_is_never_replaced_unless_that_is_said(study, monkeypatch):
    folder = study.back_up()
    given(fill)(form("F.VS"), study.site, study.nurse)
    before = study.contents()
    with pytest.raises(CommandError, match="already holds a study"):
        study.restore(folder)
    assert study.contents() == before
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    told = study.restore(folder, over=True, sign_in=study.nurse.email)
    assert f"{study.nurse.email} is let in by the password given" in told
    assert study.contents()["public.casebook_subject"][0] == 1
    (aside,) = [name for name in databases_there() if name.startswith(f"{study.database}_before_")]
    assert aside in told
    with psycopg.connect(databases.owner_url(aside)) as kept:
        kept.execute("SET ROLE trialsite_owner")
        assert kept.execute("SELECT 1 FROM access_user").fetchone()


def test_nobody_is_thrown_out_by_a_restore(study):
    folder = study.back_up()
    with (
        psycopg.connect(databases.owner_url(study.database)),
        pytest.raises(CommandError, match="1 sessions use the database"),
    ):
        study.restore(folder, over=True)


def _cut(folder: Path) -> None:
    path = folder / manifests.DUMP
    path.write_bytes(path.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    path = folder / manifests.DOCUMENTS
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)


def _reseal(folder: Path) -> None:
    """Somebody alters a part and makes its hash anew, without our keys."""
    _flip(folder)
    path = folder / manifests.DOCUMENTS
    said = json.loads((folder / manifests.MANIFEST).read_text())
    said["parts"][path.name]["sha256"] = manifests.sha256_of(path)
    (folder / manifests.MANIFEST).write_text(json.dumps(said))


def _remove(folder: Path) -> None:
    (folder / manifests.PACKAGES).unlink()


def _scribble(folder: Path) -> None:
    (folder / manifests.MANIFEST).write_text("{}")


def _empty(folder: Path) -> None:
    (folder / manifests.MANIFEST).unlink()


@pytest.mark.requirement("BR2")
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_cut, "truncated"),
        (_flip, "altered"),
        (_reseal, "manifest.json was altered"),
        (_remove, "packages.tar is missing"),
        (_scribble, "damaged"),
        (_empty, "holds no backup"),
    ],
)
@pytest.mark.fault(
    "backup truncated, a bit flipped, a part altered and hashed anew, removed",
    promised="refused in words; nothing is restored",
)
def test_a_damaged_backup_is_refused_and_nothing_is_restored(study, harm, said):
    folder = study.back_up()
    harm(folder)
    study.destroy()
    with pytest.raises(CommandError, match=said):
        study.restore(folder)
    assert_nothing_restored(study)


@pytest.mark.parametrize("name", ["FIELD_KEYS", "IDENTITY_KEYS", "IDENTITY_INDEX_KEY"])
@pytest.mark.fault(
    "restore with other keys",
    promised="refused, naming the key; nothing is restored",
)
def test_without_its_keys_a_backup_is_refused(study, settings, name):
    folder = study.back_up()
    study.destroy()
    other = "k1:" + "A" * 43 + "=" if name == "IDENTITY_KEYS" else "A" * 43 + "="
    setattr(settings, name, other if name == "IDENTITY_INDEX_KEY" else [other])
    with pytest.raises(CommandError, match=f"other keys: {name}"):
        study.restore(folder)
    assert_nothing_restored(study)


def test_what_differs_from_the_manifest_is_not_restored(study, monkeypatch):
    """A dump that is whole but holds other rows than were counted."""
    folder = study.back_up()
    said = json.loads((folder / manifests.MANIFEST).read_text())
    said.pop("seal")
    said["tables"]["public.casebook_subject"][0] += 1
    manifests.write_manifest(folder, said)
    study.destroy()
    with pytest.raises(CommandError, match=r"public.casebook_subject: \[1, .* instead of \[2, "):
        study.restore(folder)
    assert_nothing_restored(study)


def test_a_backup_of_newer_tables_is_refused(study):
    folder = study.back_up()
    said = json.loads((folder / manifests.MANIFEST).read_text())
    said.pop("seal")
    said["migrations"].append("casebook.9999_later")
    manifests.write_manifest(folder, said)
    study.destroy()
    with pytest.raises(CommandError, match=r"casebook\.9999_later"):
        study.restore(folder)
    assert_nothing_restored(study)


def test_a_backup_in_which_nobody_can_sign_in_as_asked_is_not_restored(study, monkeypatch):
    folder = study.back_up()
    study.destroy()
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(CommandError, match="cannot sign in with this password"):
        study.restore(folder, sign_in=study.nurse.email)
    assert_nothing_restored(study)


def test_a_lost_document_is_told_and_the_rest_is_kept(study):
    (document,) = (path for path in study.files.glob("attachments/??/??/*"))
    document.write_bytes(b"rotten")
    with pytest.raises(CommandError, match="1 files that the database names are missing"):
        call_command("backup", to=study.backups, stdout=io.StringIO())
    (folder,) = study.backups.iterdir()
    assert json.loads((folder / "manifest.json").read_text())["files"]["damaged"]


def test_a_backup_that_could_not_be_finished_leaves_nothing(study, monkeypatch, tmp_path):
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    with pytest.raises(CommandError, match="pg_dump is not found"):
        call_command("backup", to=study.backups, stdout=io.StringIO())
    assert list(study.backups.iterdir()) == []


def test_a_backup_is_in_the_trail(study):
    folder = study.back_up()
    assert [(each.new or {})["backup"] for each in acts("backed_up")] == [folder.name]
    assert given(Membership.objects.count)() > 0
