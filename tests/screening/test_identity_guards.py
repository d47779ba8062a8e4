"""The vault against whoever holds a database connection; and that its guards are watched."""

from __future__ import annotations

import os
import re
import uuid
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.test import Client
from psycopg.conninfo import make_conninfo

from screening.identity import TamperedError
from screening.services.identity import masked_identity
from tests.audit.conftest import act_as
from tests.factories import as_person
from tests.screening.people import keep, persons, told
from trialsite.core.protection import apply, drift

ONE, TWO = persons(2)
SEALED = "v1.k1." + "A" * 120
FOUND = "0" * 8 + "." + "0" * 64


@pytest.fixture
def entry(town):
    return keep(town, ONE)


@pytest.fixture
def attacker(town, entry, app):
    """The application's role, with the context of the nurse."""
    act_as(app, town.site.pk, actor=town.nurse.pk)
    return app


def state_of(connection: psycopg.Connection, statement: str, *parameters: object) -> str:
    """The SQLSTATE with which PostgreSQL refuses; empty where it does not."""
    try:
        connection.execute(statement, parameters or None)
    except psycopg.Error as error:
        return error.sqlstate or "?"
    return ""


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize("table", ["identity", "identifier", "disclosure"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM vault.{}",
        "SELECT count(*) FROM vault.{}",
        "COPY vault.{} TO STDOUT",
        "INSERT INTO vault.{} DEFAULT VALUES",
        "UPDATE vault.{} SET site_id = 1",
        "DELETE FROM vault.{}",
        "TRUNCATE vault.{}",
        "ALTER TABLE vault.{} DISABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON vault.{} TO trialsite_app",
        "CREATE VIEW public.peep AS SELECT * FROM vault.{}",
    ],
)
def test_the_applications_role_has_no_privilege_on_the_tables(attacker, table, statement):
    assert state_of(attacker, statement.format(table)) == "42501"


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE trialsite_vault",
        "GRANT trialsite_vault TO trialsite_app",
        "CREATE TABLE vault.mine (id integer)",
        "SELECT * FROM trialsite.vault_unrotated('k', 'i', 1000)",
        "SELECT trialsite.vault_rotate(gen_random_uuid(), '', '', '', '')",
        "ALTER FUNCTION trialsite.vault_reveal(uuid) SECURITY INVOKER",
        "CREATE OR REPLACE FUNCTION trialsite.vault_ask(entry uuid, reason text) RETURNS uuid "
        "LANGUAGE sql AS 'SELECT NULL::uuid'",
        "ALTER SCHEMA vault OWNER TO trialsite_app",
        "DROP SCHEMA vault CASCADE",
    ],
)
def test_the_applications_role_does_not_become_more(attacker, statement):
    assert state_of(attacker, statement) == "42501"


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize("role", ["public", "backup"])
@pytest.mark.parametrize(
    "call",
    [
        "vault_masked(ARRAY[]::uuid[])",
        "vault_ask(gen_random_uuid(), 'x')",
        "vault_reveal(gen_random_uuid())",
        "vault_erase(gen_random_uuid(), 'x')",
        "vault_keys()",
    ],
)
def test_no_other_role_may_call_the_doors(committed, role, call):
    url = make_conninfo(os.environ[f"DATABASE_{role.upper()}_URL"], dbname=committed)
    with psycopg.connect(url, autocommit=True) as connection:
        assert state_of(connection, f"SELECT * FROM trialsite.{call}") == "42501"


@pytest.mark.requirement("PR5", "AT6")
def test_no_reveal_in_sql_without_its_event(attacker, entry, owner):
    """Asking and opening in one transaction, to take the event back: nothing is handed out."""
    attacker.execute("BEGIN")
    (asked,) = attacker.execute("SELECT trialsite.vault_ask(%s, 'x')", [entry.pk]).fetchone()
    assert state_of(attacker, "SELECT * FROM trialsite.vault_reveal(%s)", asked) == "TS032"
    attacker.execute("ROLLBACK")
    assert state_of(attacker, "SELECT * FROM trialsite.vault_reveal(%s)", asked) == "TS030"
    attacker.execute("BEGIN; SAVEPOINT s")
    (asked,) = attacker.execute("SELECT trialsite.vault_ask(%s, 'x')", [entry.pk]).fetchone()
    attacker.execute("SAVEPOINT later")
    assert state_of(attacker, "SELECT * FROM trialsite.vault_reveal(%s)", asked) == "TS032"
    attacker.execute("ROLLBACK")
    (asked,) = attacker.execute("SELECT trialsite.vault_ask(%s, 'curious')", [entry.pk]).fetchone()
    assert (
        len(attacker.execute("SELECT * FROM trialsite.vault_reveal(%s)", [asked]).fetchall()) == 3
    )
    act_as(owner, entry.site_id)
    events = owner.execute(
        "SELECT reason, database_user FROM audit_event WHERE act = 'identity_revealed'"
    ).fetchall()
    assert events == [("curious", "trialsite_app")]


@pytest.mark.requirement("PR5")
@pytest.mark.parametrize("reason", ["", "  ", None])
def test_without_a_reason_sql_refuses_too(attacker, entry, reason):
    for door in ("vault_ask", "vault_erase"):
        assert state_of(attacker, f"SELECT trialsite.{door}(%s, %s)", entry.pk, reason) == "TS031"


@pytest.mark.requirement("PR5")
def test_a_disclosure_opens_once_soon_and_for_its_person(attacker, town, entry, owner):
    ask, open_ = "SELECT trialsite.vault_ask(%s, 'x')", "SELECT * FROM trialsite.vault_reveal(%s)"
    (asked,) = attacker.execute(ask, [entry.pk]).fetchone()
    act_as(attacker, town.site.pk, actor=town.second_nurse.pk)
    assert state_of(attacker, open_, asked) == "TS032"
    act_as(attacker, town.other_site.pk, actor=town.nurse.pk)
    assert state_of(attacker, open_, asked) == "TS030"
    act_as(attacker, town.site.pk, actor=town.nurse.pk)
    assert state_of(attacker, open_, asked) == ""
    assert state_of(attacker, open_, asked) == "TS032"
    (late,) = attacker.execute(ask, [entry.pk]).fetchone()
    act_as(owner, town.site.pk)
    owner.execute(
        "UPDATE vault.disclosure SET asked_at = asked_at - interval '121 seconds' WHERE id = %s",
        [late],
    )
    assert state_of(attacker, open_, late) == "TS032"


@pytest.mark.requirement("PR5")
@pytest.mark.parametrize(
    "call",
    [
        "vault_ask(%s, 'x')",
        "vault_erase(%s, 'x')",
        "vault_keep(%s, {site}, ARRAY['name'], ARRAY['" + SEALED + "'], ARRAY['" + SEALED + "'], "
        "ARRAY['" + FOUND + "'])",
    ],
)
def test_nobody_in_particular_and_no_process_touches_identifiers(attacker, town, entry, call):
    statement = f"SELECT trialsite.{call.format(site=town.site.pk)}"
    attacker.execute(
        "SELECT set_config('trialsite.actor', '', false), "
        "set_config('trialsite.system', 'tests', false)"
    )
    assert state_of(attacker, statement, entry.pk) == "TS002"
    attacker.execute("SELECT set_config('trialsite.sites', '', false)")
    assert (
        state_of(attacker, "SELECT * FROM trialsite.vault_masked(ARRAY[%s])", entry.pk) == "TS001"
    )


@pytest.mark.requirement("IA2")
def test_the_doors_look_at_the_sites_of_the_context(attacker, town, entry):
    act_as(attacker, town.other_site.pk, actor=town.stranger.pk)
    masked = attacker.execute("SELECT * FROM trialsite.vault_masked(ARRAY[%s])", [entry.pk])
    assert masked.fetchall() == []
    assert state_of(attacker, "SELECT trialsite.vault_ask(%s, 'x')", entry.pk) == "TS030"
    assert state_of(attacker, "SELECT trialsite.vault_erase(%s, 'x')", entry.pk) == "TS030"
    for site in (town.site.pk, town.other_site.pk):
        keeping = (
            "SELECT trialsite.vault_keep(%s, %s, ARRAY['name'], ARRAY[%s], ARRAY[%s], ARRAY[%s])"
        )
        refused = state_of(attacker, keeping, entry.pk, site, SEALED, SEALED, FOUND)
        assert refused in {"TS030", "23503"}


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize("position", range(3))
def test_plain_text_cannot_be_put_in_by_mistake(attacker, town, entry, position):
    values = [SEALED, SEALED, FOUND]
    values[position] = ONE.name
    refused = state_of(
        attacker,
        "SELECT set_config('trialsite.reason', 'x', false), trialsite.vault_keep(%s, %s, "
        "ARRAY['name'], ARRAY[%s], ARRAY[%s], ARRAY[%s])",
        entry.pk,
        town.site.pk,
        *values,
    )
    assert refused == "23514"


@pytest.mark.requirement("CC1")
def test_a_correction_without_a_reason_is_refused_in_sql(attacker, town, entry):
    refused = state_of(
        attacker,
        "SELECT trialsite.vault_keep(%s, %s, ARRAY['name'], ARRAY[%s], ARRAY[%s], ARRAY[%s])",
        entry.pk,
        town.site.pk,
        SEALED,
        SEALED,
        FOUND,
    )
    assert refused == "TS014"


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize("column", ["sealed", "masked"])
@pytest.mark.parametrize("same_entry", [True, False])
def test_two_ciphertexts_that_changed_places_are_detected(town, entry, owner, column, same_entry):
    other = keep(town, TWO)
    act_as(owner, town.site.pk)
    condition = (
        "a.entry_id = b.entry_id AND a.field <> b.field"
        if same_entry
        else "a.entry_id <> b.entry_id AND a.field = b.field"
    )
    owner.execute(
        f"UPDATE vault.identifier a SET {column} = b.{column} FROM vault.identifier b "
        f"WHERE {condition} AND a.entry_id IN (%s, %s)",
        [entry.pk, other.pk],
    )
    look = told if column == "sealed" else _masks
    with pytest.raises(TamperedError):
        look(entry.pk, town.nurse)


def _masks(entry_id, by):
    with as_person(by):
        return masked_identity(entry_id, by=by)


@pytest.mark.requirement("IA2")
def test_an_identity_follows_its_entry_to_another_site(town, entry, owner):
    act_as(owner, town.site.pk, town.other_site.pk, reason="moved")
    owner.execute(
        "UPDATE screening_screeningentry SET site_id = %s WHERE id = %s",
        [town.other_site.pk, entry.pk],
    )
    with as_person(town.stranger):
        masked = masked_identity(entry.pk, by=town.stranger)
    assert masked is not None
    assert masked.site_id == town.other_site.pk
    with as_person(town.nurse):
        assert masked_identity(entry.pk, by=town.nurse) is None


@pytest.mark.requirement("AT1")
def test_whoever_writes_into_the_vault_beside_the_doors_is_in_the_trail(town, entry, owner):
    act_as(owner, town.site.pk, reason="by hand")
    owner.execute("UPDATE vault.identifier SET sealed = %s WHERE field = 'name'", [SEALED])
    (old, new) = owner.execute(
        "SELECT old, new FROM audit_event WHERE reason = 'by hand'"
    ).fetchone()
    assert (old, new) == ({"sealed": "(secret)"}, {"sealed": "(secret)"})
    assert state_of(owner, "TRUNCATE vault.identifier CASCADE") == "TS003"
    assert state_of(owner, "DELETE FROM vault.disclosure; DELETE FROM vault.identifier") == ""
    assert owner.execute("SELECT count(*) FROM vault.identifier").fetchone() == (3,)


ALTERATIONS = {
    "the application may read the identifiers": (
        "GRANT SELECT ON vault.identifier TO trialsite_app",
        "unknown grant ('vault.identifier', 'trialsite_app')",
    ),
    "the application may look into the schema": (
        "GRANT USAGE ON SCHEMA vault TO trialsite_app",
        "privileges on schema vault",
    ),
    "the application may read one column": (
        "GRANT SELECT (sealed) ON vault.identifier TO trialsite_app; "
        "REVOKE SELECT (sealed) ON vault.identifier FROM trialsite_app; "
        "GRANT SELECT (blind) ON vault.identifier TO trialsite_public",
        "privileges on column blind of identifier",
    ),
    "the application may rotate": (
        "GRANT EXECUTE ON FUNCTION trialsite.vault_unrotated(text, text, integer) TO trialsite_app",
        "function vault_unrotated: grants",
    ),
    "the backup no longer reads it": (
        "REVOKE SELECT ON vault.identifier FROM trialsite_backup",
        "grants of trialsite_backup on vault.identifier",
    ),
    "a door no longer works as the vault's role": (
        "ALTER FUNCTION trialsite.vault_reveal(uuid) SECURITY INVOKER",
        "function vault_reveal: security",
    ),
    "a door changes hands": (
        "ALTER FUNCTION trialsite.vault_ask(uuid, text) OWNER TO trialsite_owner",
        "function vault_ask: owner",
    ),
    "a door asks for nothing": (
        "CREATE OR REPLACE FUNCTION trialsite.vault_keys() RETURNS TABLE(key_id text, index_id "
        "text, held bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = "
        "pg_catalog, pg_temp AS 'BEGIN RETURN; END'",
        "function vault_keys: body",
    ),
    "row-level security is off": (
        "ALTER TABLE vault.identity DISABLE ROW LEVEL SECURITY",
        "table vault.identity",
    ),
    "a policy is opened": (
        "ALTER POLICY vault_reads ON vault.identifier USING (true)",
        "policy vault_reads on vault.identifier differs",
    ),
    "the trail is hushed": (
        "ALTER TABLE vault.identifier DISABLE TRIGGER audit",
        "trigger audit on vault.identifier",
    ),
    "a table changes hands": (
        "ALTER TABLE vault.disclosure OWNER TO trialsite_owner",
        "table vault.disclosure",
    ),
    "the schema changes hands": (
        "ALTER SCHEMA vault OWNER TO trialsite_owner",
        "schema vault belongs to trialsite_owner",
    ),
    "plain text would be taken": (
        "ALTER TABLE vault.identifier DROP CONSTRAINT identifier_is_ciphertext",
        "constraint identifier_is_ciphertext on vault.identifier",
    ),
    "a column may be empty": (
        "ALTER TABLE vault.disclosure ALTER actor_id DROP NOT NULL",
        "column actor_id of vault.disclosure differs",
    ),
    "a column is added": (
        "ALTER TABLE vault.identifier ADD COLUMN plain text",
        "column plain of vault.identifier differs",
    ),
    "a table stands beside": (
        "CREATE TABLE vault.beside (id integer)",
        "unknown table vault.beside",
    ),
    "a view shows it": (
        "CREATE VIEW vault.peep AS SELECT * FROM vault.identifier",
        "peep is a relation of kind v",
    ),
    "a function stands beside": (
        "CREATE FUNCTION vault.helper() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "function helper in schema vault",
    ),
    "another schema appears": ("CREATE SCHEMA beside", "unknown schema beside"),
}


@pytest.mark.requirement("AT3")
@pytest.mark.parametrize("what", ALTERATIONS)
def test_drift_of_the_vault_is_found_when(what, town, owner):
    alter, words = ALTERATIONS[what]
    assert drift() == []
    if "CREATE SCHEMA" in alter:
        owner.execute(f"GRANT CREATE ON DATABASE {owner.info.dbname} TO trialsite_owner")
    owner.execute(alter)
    found = drift()
    assert [each for each in found if words in each], found
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    with pytest.raises(Exception, match=re.escape("trialsite.E001")):
        call_command("check", "--deploy", stdout=StringIO(), stderr=StringIO())


@pytest.mark.requirement("AT3")
@pytest.mark.parametrize(
    "what",
    [
        each
        for each in ALTERATIONS
        if "vault.identifier" in ALTERATIONS[each][0] and "DROP CONSTRAINT" not in each
    ][:4],
)
def test_migrating_again_mends_the_vault_and_loses_nothing(
    what, town, entry, owner, owners_commands
):
    owner.execute(ALTERATIONS[what][0])
    if "column" in what:
        owner.execute("REVOKE SELECT (blind) ON vault.identifier FROM trialsite_public")
    apply("owner")
    apply("owner")
    assert drift() == []
    assert told(entry.pk, town.nurse) == ONE.said


def test_create_roles_prints_the_vaults_role():
    printed = StringIO()
    call_command("create_roles", "--print-sql", stdout=printed)
    assert 'CREATE ROLE "trialsite_vault" NOLOGIN' in printed.getvalue()
    assert 'GRANT "trialsite_vault" TO "trialsite_owner"' in printed.getvalue()


def test_the_vault_belongs_to_a_role_nobody_signs_in_as(owner):
    (signs_in, above) = owner.execute(
        "SELECT rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles "
        "WHERE rolname = 'trialsite_vault'"
    ).fetchone()
    assert (signs_in, above) == (False, False)
    owners = owner.execute(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'vault'"
    ).fetchall()
    assert owners == [("trialsite_vault",)]


def test_a_nonexistent_disclosure_is_unknown(attacker):
    assert state_of(attacker, "SELECT * FROM trialsite.vault_reveal(%s)", uuid.uuid4()) == "TS030"
