"""Each policy of row-level security keeps sites apart by itself; opened, it is seen.

In a transaction of the superuser that is undone, everything else that could refuse (triggers,
constraints, missing rights) is switched off, and each table gets a row of one site. The role of
the policy then tries by SQL alone to read and to change it as another site, and as its own to
enter one there or to move it there. Every policy is then opened in turn, and one of these
attempts has to tell it: no table can lose its policy unseen, whatever the filters of the
program do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from tests import databases
from trialsite.core.catalog import Policy
from trialsite.core.guards import guarded_models, protections

pytestmark = pytest.mark.requirement("IA2")

HOME, OTHER = 990_001, 990_002
#: The site column of a table; the vault's and the trail's are named alike.
SITE = "site_id"
#: No walls: the trail's own role, as which nobody signs in, writes for every site.
OF_THE_TRAIL = {"trail_writes", "trail_returns"}
WALLS = [
    each for each in protections() if isinstance(each, Policy) and each.name not in OF_THE_TRAIL
]
TABLES = sorted({each.table for each in WALLS})
_COLUMNS = (
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "COALESCE(i.indisprimary, false), a.attidentity <> '' OR a.atthasdef "
    "FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
    "AND a.attnum = ANY (i.indkey) WHERE a.attrelid = %s::regclass AND a.attnum > 0 "
    "AND NOT a.attisdropped AND a.attgenerated = ''"
)
_CONSTRAINTS = (
    "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'x', 'u')"
)


@dataclass(frozen=True)
class Walls:
    """A row of one site in every table, and nothing but policies in the way to it."""

    admin: psycopg.Connection

    @contextmanager
    def opened(self, policy: Policy) -> Iterator[None]:
        """The policy lets everything through, for a while."""
        name, table = sql.Identifier(policy.name), _at(policy.table)
        parts: list[sql.Composable] = [sql.SQL("ALTER POLICY {} ON {}").format(name, table)]
        parts += [sql.SQL("USING (true)")] if policy.using else []
        parts += [sql.SQL("WITH CHECK (true)")] if policy.check else []
        with self.undone():
            self.admin.execute(sql.SQL(" ").join(parts))
            yield

    @contextmanager
    def undone(self) -> Iterator[None]:
        with self.admin.transaction(force_rollback=True):
            yield

    @contextmanager
    def acting(self, policy: Policy, site: int) -> Iterator[None]:
        """The policy's role, in the context of a site."""
        context = {"actor": "1", "sites": f"{{{site}}}", "channel": "ui"}
        with self.undone():
            for name, value in context.items():
                self.admin.execute("SELECT set_config(%s, %s, true)", [f"trialsite.{name}", value])
            self.admin.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(policy.roles[0])))
            yield

    def passes(self, policy: Policy) -> list[str]:
        """By which attempts of its command something of a site reaches another, or leaves it."""
        table = _at(policy.table)
        attempts = {
            "SELECT": [(OTHER, "SELECT count(*) FROM {t}")],
            "INSERT": [(HOME, "INSERT INTO {t} ({s}) VALUES (" + f"{OTHER})")],
            "UPDATE": [
                (OTHER, "UPDATE {t} SET {s} = " + f"{OTHER}"),
                (HOME, "UPDATE {t} SET {s} = " + f"{OTHER}"),
            ],
            "DELETE": [(OTHER, "DELETE FROM {t}")],
        }
        found = []
        for site, text in attempts[policy.command]:
            with self.acting(policy, site):
                statement = sql.SQL(text).format(t=table, s=sql.Identifier(SITE))
                if not self._is_stopped(statement):
                    found.append(f"{policy.table}: {text.partition(' ')[0]} as site {site}")
        return found

    def _is_stopped(self, statement: sql.Composed) -> bool:
        try:
            cursor = self.admin.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            return "row-level security" in str(error)
        counted = cursor.fetchone() if cursor.description else (cursor.rowcount,)
        return counted == (0,)


def _at(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


@pytest.fixture(scope="module")
def walls(django_db_setup: None, django_db_blocker) -> Iterator[Walls]:
    name = f"{databases.of_this_process('test')}_policies"
    url = f"{os.environ['DATABASE_ADMIN_URL'].rpartition('/')[0]}/{name}"
    with django_db_blocker.unblock():
        databases.clone(name)
        with psycopg.connect(url) as admin:
            for table in TABLES:
                admin.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(_at(table)))
            for policy in WALLS:
                everything = sql.SQL("GRANT ALL ON {} TO {}")
                role = sql.Identifier(policy.roles[0])
                admin.execute(everything.format(_at(policy.table), role))
            for table in TABLES:
                _enter(admin, table)
            yield Walls(admin)
            admin.rollback()
        databases.drop(name)


def _enter(admin: psycopg.Connection, table: str) -> None:
    """A row that names its site and nothing else; what demands more is taken away."""
    at = _at(table)
    change = sql.SQL("ALTER TABLE {} {}")
    for (name,) in admin.execute(_CONSTRAINTS, [table]).fetchall():
        drop = sql.SQL("DROP CONSTRAINT {} CASCADE").format(sql.Identifier(name))
        admin.execute(change.format(at, drop))
    for name, kind, required, is_key, has_default in admin.execute(_COLUMNS, [table]).fetchall():
        column = sql.Identifier(name)
        if is_key and not has_default:
            make = "gen_random_uuid()" if kind == "uuid" else "1"
            default = sql.SQL(f"ALTER COLUMN {{}} SET DEFAULT {make}").format(column)
            admin.execute(change.format(at, default))
        elif required and not is_key:
            optional = sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(column)
            admin.execute(change.format(at, optional))
    insert = sql.SQL("INSERT INTO {} ({}) VALUES (%s)").format(at, sql.Identifier(SITE))
    admin.execute(insert, [HOME])


def test_every_table_that_names_a_site_has_its_walls():
    """Or says why it has none; a table with rights for the application has one for each."""
    expected = {
        model._meta.db_table: {"SELECT", "INSERT", "UPDATE"}
        | ({"DELETE"} if stated.deletable else set())
        for model, stated in guarded_models()
        if stated.site and not stated.unscoped and not stated.bespoke
    }
    standing = {
        table: {each.command for each in WALLS if each.table == table} for table in expected
    }
    assert standing == expected
    assert len(expected) > 80


@pytest.mark.parametrize("policy", WALLS, ids=lambda each: f"{each.table}.{each.name}")
def test_a_policy_stops_by_itself_and_is_missed_when_it_is_open(walls, policy):
    assert walls.passes(policy) == []
    with walls.opened(policy):
        assert walls.passes(policy), "nobody would notice"


def test_what_the_trail_tells_of_a_subject_is_of_its_site(walls):
    """Events are seen with their subject, though a row of the trail names no site itself."""
    (policy,) = (each for each in WALLS if each.name == "trail_of_subjects")
    tell = "INSERT INTO audit_event (site_id, subject_id) SELECT NULL, id FROM casebook_subject"
    count = "SELECT count(*) FROM audit_event WHERE subject_id IS NOT NULL"
    with walls.undone():
        walls.admin.execute(tell)
        for site, seen in ((HOME, 1), (OTHER, 0)):
            with walls.acting(policy, site):
                assert walls.admin.execute(count).fetchone() == (seen,)
