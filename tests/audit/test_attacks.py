"""Whoever holds the application's own connection cannot change data in silence.

Each attack is tried as the role of the application on a committed database. It is refused,
or what it changed is in the trail; what was in the trail before stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import pytest

from tests.audit.conftest import Study, act_as
from trialsite.access.context import system_context
from trialsite.audit.folding import audited_tables, unaccounted
from trialsite.core.context import Channel, acting

pytestmark = pytest.mark.requirement("AT2")

REFUSED, LOGGED, IDLE = "refused", "logged", "idle"
#: A privilege, one of our own guards, or a value that cannot be read; never a slip of ours.
REFUSALS = {"42501", "TS001", "TS002", "TS003", "TS012", "22P02"}

CHANGE = (
    "UPDATE casebook_subject SET day_zero = coalesce(day_zero, '2026-01-01') + 1 "
    "WHERE id = '{ours}'"
)
ANEW = "died_on = left(md5(random()::text), 9)"
FORGERY = (
    "(xid, at, trial_at, database_user, system, role, channel, reason, operation, act, "
    "table_name, row_id) {} (1, '2020-01-01', '2020-01-01', 'x', '', '', 'ui', '', 'A', 'forged', "
    "'', '')"
)


@dataclass(frozen=True)
class Attack:
    """Statements, what becomes of them, and how many changes they leave in the trail."""

    name: str
    statements: tuple[str, ...]
    outcome: str
    changes: int = 1


def refused(name: str, *statements: str) -> Attack:
    return Attack(name, statements, REFUSED, 0)


def logged(name: str, *statements: str, changes: int = 1) -> Attack:
    return Attack(name, statements, LOGGED, changes)


def idle(name: str, *statements: str) -> Attack:
    return Attack(name, statements, IDLE, 0)


ATTACKS = [
    logged("the switch of another audit library", "SET pgtrigger.ignore = '{{audit}}'", CHANGE),
    refused("replica mode", "SET session_replication_role = replica", CHANGE),
    refused("disabling the trigger", "ALTER TABLE casebook_subject DISABLE TRIGGER audit"),
    refused("disabling all triggers", "ALTER TABLE casebook_subject DISABLE TRIGGER ALL"),
    refused("dropping the trigger", "DROP TRIGGER audit ON casebook_subject"),
    refused("truncating the data", "TRUNCATE casebook_subject CASCADE"),
    refused("truncating the trail", "TRUNCATE audit_event"),
    refused("dropping the trail", "DROP TABLE audit_event"),
    refused("deleting events", "DELETE FROM audit_event"),
    refused("editing events", "UPDATE audit_event SET reason = 'nothing to see'"),
    refused("locking an event for change", "SELECT * FROM audit_event FOR UPDATE"),
    refused("inserting a forged event", "INSERT INTO audit_event " + FORGERY.format("VALUES")),
    refused("copying forged events in", "COPY audit_event FROM STDIN"),
    refused("merging into the trail", "MERGE INTO audit_event e USING (SELECT 1) s ON false "
            "WHEN NOT MATCHED THEN INSERT " + FORGERY.format("VALUES")),
    refused("calling the trigger function", "SELECT trialsite.record_event()"),
    refused("a trigger of its own with the trail's function", "CREATE TRIGGER x AFTER INSERT ON "
            "casebook_subject FOR EACH ROW EXECUTE FUNCTION trialsite.record_event()"),
    refused("drawing the trail's numbers", "SELECT nextval('audit_event_eid_seq')"),
    refused("setting the trail's numbers back", "SELECT setval('audit_event_eid_seq', 1)"),
    refused("a temporary table in the trail's place",
            "CREATE TEMP TABLE audit_event (eid bigint)", CHANGE),
    refused("a temporary table in the data's place",
            "CREATE TEMP TABLE casebook_subject AS SELECT 1 AS id"),
    refused("a temporary function in a built-in's place", "CREATE FUNCTION pg_temp.to_jsonb("
            "casebook_subject) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{{}}'::jsonb $$", CHANGE),
    refused("a temporary view to write through", "CREATE TEMP VIEW v AS SELECT * FROM "
            "casebook_subject", "UPDATE v SET " + ANEW),
    refused("a schema of its own", "CREATE SCHEMA evil"),
    refused("a function in the guards' schema", "CREATE FUNCTION trialsite.now() RETURNS "
            "timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'"),
    refused("another function of a guard's name", "CREATE FUNCTION trialsite.sites(integer) "
            "RETURNS integer LANGUAGE sql AS 'SELECT 1'"),
    refused("a function in the tables' schema", "CREATE FUNCTION public.to_jsonb(anyelement) "
            "RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'"),
    refused("replacing the trail's function", "CREATE OR REPLACE FUNCTION trialsite.record_event()"
            " RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"),
    refused("moving the function's path",
            "ALTER FUNCTION trialsite.record_event() SET search_path = pg_temp"),
    refused("dropping the trail's function", "DROP FUNCTION trialsite.record_event() CASCADE"),
    logged("a search path that begins elsewhere", "SET search_path = pg_temp, public",
           "UPDATE public.casebook_subject SET " + ANEW + " WHERE id = '{ours}'"),
    refused("a context for every later session",
            "ALTER ROLE trialsite_app IN DATABASE {database} SET trialsite.system = 'x'"),
    refused("becoming the owner", "SET ROLE trialsite_owner"),
    refused("becoming the trail's role", "SET ROLE trialsite_audit"),
    refused("becoming the owner for the session", "SET SESSION AUTHORIZATION trialsite_owner"),
    refused("granting itself the owner", "GRANT trialsite_owner TO trialsite_app"),
    refused("passing by row-level security", "ALTER ROLE trialsite_app BYPASSRLS"),
    refused("turning row-level security off", "SET row_security = off",
            "SELECT * FROM casebook_subject"),
    refused("granting itself the trail", "GRANT INSERT ON audit_event TO trialsite_app",
            "INSERT INTO audit_event " + FORGERY.format("VALUES")),
    refused("a policy of its own", "CREATE POLICY open ON casebook_subject USING (true)"),
    refused("a rule that swallows events",
            "CREATE RULE hush AS ON INSERT TO audit_event DO INSTEAD NOTHING"),
    refused("a default that lies", "ALTER TABLE audit_event ALTER reason SET DEFAULT 'x'"),
    refused("dropping a constraint",
            "ALTER TABLE casebook_crfrecord DROP CONSTRAINT record_voided_iff_reason"),
    refused("deleting the data", "DELETE FROM casebook_subject"),
    refused("an unlogged copy of the data", "CREATE UNLOGGED TABLE mine AS TABLE casebook_subject"),
    refused("writing without a context", "SET trialsite.actor = ''", CHANGE),
    refused("writing without a site", "SET trialsite.sites = ''", CHANGE),
    refused("an actor that is no number", "SET trialsite.actor = 'nobody'", CHANGE),
    refused("an act of nobody", "SET trialsite.actor = ''",
            "SELECT trialsite.note_act('signed', NULL, NULL, NULL, '{{}}')"),
    refused("an act without a name", "SELECT trialsite.note_act('', NULL, NULL, NULL, '{{}}')"),
    refused("a row whose key changes", "UPDATE casebook_subject SET id = gen_random_uuid() "
            "WHERE id = '{theirs}'"),
    refused("a row into a site outside the context", "SET trialsite.sites = '{{}}'",
            "INSERT INTO casebook_numbersequence (site_id, kind, last) VALUES ({site}, 'x', 0)"),
    refused("writing past a lock through ctid", "UPDATE casebook_crfrecord SET lock_state = "
            "'locked' WHERE id = '{record}'", "UPDATE casebook_crfrecord SET version = 9 WHERE "
            "ctid = (SELECT ctid FROM casebook_crfrecord WHERE id = '{record}')"),
    logged("a write through ctid", "UPDATE casebook_subject SET " + ANEW + " WHERE ctid = "
           "(SELECT ctid FROM casebook_subject WHERE id = '{ours}')"),
    logged("a write inside a common table expression",
           "WITH w AS (UPDATE casebook_subject SET " + ANEW + " WHERE id = '{ours}' "
           "RETURNING id) SELECT count(*) FROM w"),
    logged("an upsert", "INSERT INTO casebook_numbersequence (site_id, kind, last) VALUES "
           "({site}, 'x', 0)", "INSERT INTO casebook_numbersequence (site_id, kind, last) VALUES "
           "({site}, 'x', 0) ON CONFLICT (site_id, kind) DO UPDATE SET last = 7", changes=2),
    logged("a merge", "MERGE INTO casebook_subject s USING (SELECT 1) one ON s.id = '{ours}' "
           "WHEN MATCHED THEN UPDATE SET " + ANEW),
    logged("a block that catches its errors", "DO $$ BEGIN UPDATE casebook_subject SET " + ANEW +
           " WHERE id = '{ours}'; BEGIN PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; "
           "END; END $$"),
    logged("a prepared statement", "PREPARE p AS " + CHANGE, "EXECUTE p"),
    logged("rolling back to before a change", "BEGIN", CHANGE, "SAVEPOINT s", "UPDATE "
           "casebook_subject SET " + ANEW + " WHERE id = '{ours}'", "ROLLBACK TO s", "COMMIT"),
    logged("constraints put off to the end", "BEGIN", "SET CONSTRAINTS ALL DEFERRED", CHANGE,
           "COMMIT"),
    logged("dates written in another way", "SET DateStyle = 'German'",
           "SET TimeZone = 'Asia/Shanghai'", "UPDATE casebook_subject SET day_zero = '02.01.2027',"
           " created_at = '2026-01-02 08:00' WHERE id = '{ours}'"),
    logged("a second name for the own role", "SET ROLE trialsite_app", CHANGE),
    idle("privileges on objects to come", "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"),
    idle("a large object beside the tables", "SELECT lo_create(0)"),
]  # fmt: skip


def _events(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM audit_event ORDER BY eid").fetchall()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_no_silence_by(attack: Attack, study: Study, app, owner):
    act_as(app, study.cast.site.pk, study.cast.other_site.pk, actor=study.cast.nurse.pk)
    names = {
        "ours": study.ours.pk,
        "theirs": study.theirs.pk,
        "record": study.record.pk,
        "site": study.cast.site.pk,
        "database": study.database,
    }
    before = _events(owner)
    outcome = _run(app, [each.format(**names) for each in attack.statements])
    assert outcome == (REFUSED if attack.outcome == REFUSED else "done")
    after = _events(owner)
    assert after[: len(before)] == before
    changed = len(after) - len(before)
    assert changed >= attack.changes
    if attack.outcome != REFUSED:
        assert changed == attack.changes
    assert nothing_unaccounted()


def _run(app: psycopg.Connection, statements: list[str]) -> str:
    try:
        for statement in statements:
            if statement.startswith("COPY"):
                with app.cursor().copy(statement) as copy:
                    copy.write("1\n")
            else:
                app.execute(statement)
    except psycopg.Error as error:
        return REFUSED if error.sqlstate in REFUSALS else str(error)
    return "done"


def nothing_unaccounted() -> bool:
    with acting(system_context("tests", Channel.COMMAND)):
        return [each for table in audited_tables() for each in unaccounted(table)] == []


def test_a_forged_actor_still_leaves_the_database_user_and_the_moment(study, app, owner):
    """The honest limit: who holds the connection can say another name, not be unseen."""
    act_as(app, study.cast.site.pk, actor=study.cast.investigator.pk, reason="forged")
    app.execute(CHANGE.format(ours=study.ours.pk))
    actor, user, here, recent = owner.execute(
        "SELECT actor_id, database_user, xid > 0, clock_timestamp() - at < interval '1 minute' "
        "FROM audit_event ORDER BY eid DESC LIMIT 1"
    ).fetchone()
    assert (actor, user, here, recent) == (
        study.cast.investigator.pk, "trialsite_app", True, True)  # fmt: skip


def test_an_event_is_written_the_same_from_any_session(study, app, owner):
    act_as(app, study.cast.site.pk)
    app.execute("SET TimeZone = 'Asia/Shanghai'; SET DateStyle = 'German'")
    app.execute(
        "INSERT INTO casebook_visit (id, site_id, subject_id, event_oid, repeat_key, status, "
        '"window", protocol_version_id, lock_state, anchor_version, version, mode, '
        "missed_reason, not_required_cause, target_on) SELECT gen_random_uuid(), site_id, id, "
        "'SE.X', 1, 'planned', '[2026-03-01,2026-03-05)', protocol_version_id, 'open', "
        "0, 0, '', '', '', '2026-03-02' "
        "FROM casebook_subject WHERE id = %s",
        [study.ours.pk],
    )
    app.execute("UPDATE casebook_subject SET created_at = '2026-01-03 08:00:00+08'")
    window, created = owner.execute(
        "SELECT (SELECT new ->> 'window' FROM audit_event WHERE table_name = 'casebook_visit'), "
        "(SELECT new ->> 'created_at' FROM audit_event ORDER BY eid DESC LIMIT 1)"
    ).fetchone()
    assert (window, created) == ("[2026-03-01,2026-03-05)", "2026-01-03T00:00:00+00:00")


@pytest.mark.parametrize(
    "table", ["casebook_subject", "casebook_crfrecord", "visits_vitalsigns", "access_user"]
)
def test_not_even_the_owner_truncates(table, owner):
    with pytest.raises(psycopg.Error, match="TRUNCATE"):
        owner.execute(f"TRUNCATE {table} CASCADE")


def test_not_even_the_owner_changes_an_event(owner):
    before = _events(owner)
    owner.execute("UPDATE audit_event SET reason = 'x'")
    owner.execute("DELETE FROM audit_event")
    assert _events(owner) == before
    owner.execute("ALTER TABLE audit_event NO FORCE ROW LEVEL SECURITY; SET ROLE trialsite_audit")
    for attempt in ("UPDATE audit_event SET reason = 'x'", "DELETE FROM audit_event"):
        with pytest.raises(psycopg.Error, match="is refused"):
            owner.execute(attempt)
    assert _events(owner) == before
