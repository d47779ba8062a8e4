"""Whatever the owner, or somebody with the owner's password, alters is found at once."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import Client

from tests.audit.conftest import act_as
from trialsite.access.context import system_context
from trialsite.audit.folding import Discrepancy, unaccounted
from trialsite.core.context import Channel, acting
from trialsite.core.protection import apply, drift

pytestmark = pytest.mark.requirement("AT3")

#: What is altered, what undoes it, and a word of the answer.
ALTERATIONS = {
    "a trigger is disabled": (
        "ALTER TABLE casebook_subject DISABLE TRIGGER audit",
        "ALTER TABLE casebook_subject ENABLE ALWAYS TRIGGER audit",
        "trigger audit on casebook_subject",
    ),
    "a trigger no longer fires in replica mode": (
        "ALTER TABLE casebook_subject ENABLE TRIGGER audit",
        "ALTER TABLE casebook_subject ENABLE ALWAYS TRIGGER audit",
        "trigger audit on casebook_subject",
    ),
    "a trigger is dropped": (
        "DROP TRIGGER guard_record ON casebook_crfrecord",
        "",
        "trigger guard_record on casebook_crfrecord is missing",
    ),
    "a foreign trigger is added": (
        "CREATE TRIGGER aa_hush BEFORE INSERT ON casebook_subject FOR EACH ROW EXECUTE FUNCTION "
        "suppress_redundant_updates_trigger()",
        "DROP TRIGGER aa_hush ON casebook_subject",
        "unknown trigger",
    ),
    "the body of a function is altered": (
        "CREATE OR REPLACE FUNCTION trialsite.refuse_truncate() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'",
        "",
        "function refuse_truncate: body",
    ),
    "the owner of a function is altered": (
        "ALTER FUNCTION trialsite.record_event() OWNER TO trialsite_owner",
        "",
        "function record_event: owner",
    ),
    "a function may be called by more": (
        "GRANT EXECUTE ON FUNCTION trialsite.refuse_change() TO PUBLIC",
        "",
        "function refuse_change: grants",
    ),
    "a function's path is altered": (
        "ALTER FUNCTION trialsite.record_event() SET search_path = pg_temp, public",
        "",
        "function record_event: settings",
    ),
    "a function is promised to be stable": (
        "ALTER FUNCTION trialsite.now() IMMUTABLE",
        "",
        "function now: language",
    ),
    "a second function of a guard's name appears": (
        "CREATE FUNCTION trialsite.sites(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION trialsite.sites(integer)",
        "unknown function",
    ),
    "a function stands in the tables' schema": (
        "CREATE FUNCTION public.helper() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION public.helper()",
        "function helper in schema public",
    ),
    "the application may insert events": (
        "GRANT INSERT ON audit_event TO trialsite_app",
        "",
        "grants of trialsite_app on audit_event",
    ),
    "the application may delete data": (
        "GRANT DELETE ON casebook_subject TO trialsite_app",
        "",
        "grants of trialsite_app on casebook_subject",
    ),
    "the public role may read data": (
        "GRANT SELECT ON casebook_subject TO trialsite_public",
        "",
        "unknown grant",
    ),
    "everybody may read data": ("GRANT SELECT ON casebook_subject TO PUBLIC", "", "unknown grant"),
    "the application may change one column of the trail": (
        "GRANT UPDATE (reason) ON audit_event TO trialsite_app",
        "REVOKE UPDATE (reason) ON audit_event FROM trialsite_app",
        "privileges on column reason of audit_event",
    ),
    "the application may draw the trail's numbers": (
        "GRANT ALL ON SEQUENCE audit_event_eid_seq TO trialsite_app",
        "",
        "on sequence audit_event_eid_seq",
    ),
    "row-level security is off": (
        "ALTER TABLE casebook_subject DISABLE ROW LEVEL SECURITY",
        "",
        "table casebook_subject",
    ),
    "row-level security spares the owner": (
        "ALTER TABLE casebook_subject NO FORCE ROW LEVEL SECURITY",
        "",
        "table casebook_subject",
    ),
    "a policy is dropped": (
        "DROP POLICY site_reads ON casebook_subject",
        "",
        "policy site_reads on casebook_subject is missing",
    ),
    "a policy is opened": (
        "ALTER POLICY site_reads ON casebook_subject USING (true)",
        "",
        "policy site_reads on casebook_subject differs",
    ),
    "a policy is added": (
        "CREATE POLICY open ON casebook_subject USING (true)",
        "",
        "unknown policy",
    ),
    "a table changes hands": (
        "ALTER TABLE audit_event OWNER TO trialsite_owner",
        "",
        "table audit_event",
    ),
    "a derived constraint is dropped": (
        "ALTER TABLE casebook_crfrecord DROP CONSTRAINT casebook_crfrecord_same_site",
        "",
        "constraint casebook_crfrecord_same_site",
    ),
    "a derived constraint is made empty under its name": (
        "ALTER TABLE visits_vitalsigns DROP CONSTRAINT visits_vitalsigns_missing_xor_value; "
        "ALTER TABLE visits_vitalsigns ADD CONSTRAINT visits_vitalsigns_missing_xor_value "
        "CHECK (true)",
        "",
        "constraint visits_vitalsigns_missing_xor_value",
    ),
    "a declared constraint is dropped": (
        "ALTER TABLE casebook_crfrecord DROP CONSTRAINT record_voided_iff_reason",
        "ALTER TABLE casebook_crfrecord ADD CONSTRAINT record_voided_iff_reason CHECK "
        "((voided_at IS NULL) = (void_reason = ''))",
        "constraint record_voided_iff_reason on casebook_crfrecord is missing",
    ),
    "a declared unique index is dropped": (
        "DROP INDEX one_standing_query_per_check",
        "CREATE UNIQUE INDEX one_standing_query_per_check ON review_query "
        "(record_id, row_id, check_oid) NULLS NOT DISTINCT "
        "WHERE check_oid <> '' AND status <> 'closed'",
        "constraint one_standing_query_per_check",
    ),
    "a column may be empty": (
        "ALTER TABLE casebook_visit ALTER event_oid DROP NOT NULL",
        "ALTER TABLE casebook_visit ALTER event_oid SET NOT NULL",
        "column event_oid of casebook_visit may be empty",
    ),
    "a rule swallows what is written": (
        "CREATE RULE hush AS ON INSERT TO review_query DO INSTEAD NOTHING",
        "DROP RULE hush ON review_query",
        "rule hush on review_query",
    ),
    "a view shows what the policies hide": (
        "CREATE VIEW peep AS SELECT * FROM casebook_subject",
        "DROP VIEW peep",
        "peep is a relation of kind v",
    ),
    "a table stands beside the guarded ones": (
        "CREATE TABLE beside (id integer)",
        "DROP TABLE beside",
        "unknown table beside",
    ),
    "a table is not kept through a crash": (
        "ALTER TABLE trial_clock SET UNLOGGED",
        "ALTER TABLE trial_clock SET LOGGED",
        "table trial_clock is not kept",
    ),
    "the application may make temporary tables": (
        "GRANT TEMPORARY ON DATABASE {database} TO trialsite_app",
        "REVOKE TEMPORARY ON DATABASE {database} FROM trialsite_app",
        "trialsite_app has TEMPORARY",
    ),
    "the application may create in the guards' schema": (
        "GRANT CREATE ON SCHEMA trialsite TO trialsite_app",
        "REVOKE CREATE ON SCHEMA trialsite FROM trialsite_app",
        "trialsite_app has CREATE on schema trialsite",
    ),
    "objects to come are open to all": (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC",
        "default privileges for objects of trialsite_owner",
    ),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_it_is_found_when(what, study, owner):
    alter, undo, words = ALTERATIONS[what]
    assert drift() == []
    owner.execute(alter.format(database=study.database))
    try:
        found = drift()
        assert [each for each in found if words in each], found
        answer = Client().get("/healthz/ready")
        assert answer.status_code == 503
        assert words in str(answer.json()["problems"])
    finally:
        if undo:
            owner.execute(undo.format(database=study.database))
        heal(study)
    assert drift() == []


def heal(study) -> None:
    """What `migrate` does after the migrations, as the owner."""
    from trialsite.core.management.commands.migrate import session_context

    connection = connections["owner"]
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = study.database
    try:
        with session_context(system_context("tests", Channel.COMMAND), "owner"):
            apply("owner")
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@pytest.mark.parametrize(
    "setting", ["TimeZone = 'Asia/Shanghai'", "search_path = pg_temp", "synchronous_commit = off"]
)
def test_a_role_that_gives_itself_a_setting_for_ever_is_found(setting, study, app):
    where = f"ALTER ROLE trialsite_app IN DATABASE {study.database}"
    app.execute(f"{where} SET {setting}")
    try:
        name = setting.partition(" ")[0]
        assert any(f"role trialsite_app starts with {name}" in each for each in drift())
    finally:
        app.execute(f"{where} RESET ALL")


def test_a_product_signed_in_as_another_role_than_its_own_is_not_ready(study):
    """Row-level security and the trail bind `trialsite_app`, and nobody who stands above it."""
    connection = connections["default"]
    own = dict(connection.settings_dict)
    theirs = connections["owner"].settings_dict
    connection.close()
    connection.settings_dict.update({part: theirs[part] for part in ("USER", "PASSWORD")})
    try:
        answer = Client().get("/healthz/ready")
        assert answer.status_code == 503
        words = "the product is signed in as trialsite_owner, not as trialsite_app"
        assert words in answer.json()["problems"]
        with pytest.raises(Exception, match="signed in as trialsite_owner"):
            call_command("check", "--deploy", stdout=StringIO(), stderr=StringIO())
    finally:
        connection.close()
        connection.settings_dict.update(own)
    assert "signed in" not in str(Client().get("/healthz/ready").json()["problems"])


def test_a_deployment_with_drift_is_refused(study, owner):
    owner.execute("ALTER TABLE review_query DISABLE TRIGGER audit")
    try:
        with pytest.raises(Exception, match="trigger audit on review_query"):
            call_command("check", "--deploy", stdout=StringIO(), stderr=StringIO())
    finally:
        owner.execute("ALTER TABLE review_query ENABLE ALWAYS TRIGGER audit")


@pytest.mark.requirement("AT4")
def test_rows_changed_while_a_trigger_was_off_are_named(study, owner):
    act_as(owner, study.cast.site.pk, study.cast.other_site.pk)
    verified = StringIO()
    call_command("verify_trail", stdout=verified)
    assert "Every row" in verified.getvalue()
    owner.execute(
        "ALTER TABLE casebook_subject DISABLE TRIGGER USER; "
        "ALTER TABLE casebook_numbersequence DISABLE TRIGGER USER"
    )
    owner.execute("UPDATE casebook_subject SET died_on = '2026' WHERE id = %s", [study.ours.pk])
    owner.execute(
        "INSERT INTO casebook_numbersequence (site_id, kind, last) VALUES (%s, 'silent', 1)",
        [study.cast.site.pk],
    )
    owner.execute(
        "ALTER TABLE casebook_subject ENABLE ALWAYS TRIGGER audit, ENABLE ALWAYS TRIGGER "
        "no_truncate; ALTER TABLE casebook_numbersequence ENABLE ALWAYS TRIGGER audit, "
        "ENABLE ALWAYS TRIGGER no_truncate"
    )
    assert drift() == []
    with acting(system_context("tests", Channel.COMMAND)):
        assert unaccounted("casebook_subject") == [
            Discrepancy("casebook_subject", str(study.ours.pk), "differs from its events")
        ]
        assert [each.kind for each in unaccounted("casebook_numbersequence")] == ["has no event"]
    with pytest.raises(CommandError, match="2 rows"):
        call_command("verify_trail", stderr=StringIO())
