"""Create the database and its roles on a server, or print the SQL that does."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from trialsite.core.guards import APP, AUDIT, BACKUP, OWNER, PUBLIC, VAULT

LOGINS = {
    OWNER: "DATABASE_OWNER_URL",
    APP: "DATABASE_URL",
    PUBLIC: "DATABASE_PUBLIC_URL",
    BACKUP: "DATABASE_BACKUP_URL",
}
#: Roles that own what nobody may touch directly: the trail, the identifiers.
UNSIGNED = (AUDIT, VAULT)


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--print-sql", action="store_true", help="Print, do not run.")
        parser.add_argument(
            "--createdb", action="store_true", help="Let the owner create test databases."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        logins = {role: _login(role, variable) for role, variable in LOGINS.items()}
        database = logins[APP]["dbname"]
        statements = _role_statements(logins, createdb=options["createdb"])
        if options["print_sql"]:
            for statement in [*statements, *_database_statements(database)]:
                self.stdout.write(statement.as_string(None) + ";")
            return
        admin = os.environ.get("DATABASE_ADMIN_URL")
        if not admin:
            raise CommandError("Set DATABASE_ADMIN_URL to a superuser's URL, or use --print-sql.")
        with psycopg.connect(admin, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
            exists = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
            if not exists:
                for statement in _database_statements(database):
                    connection.execute(statement)


def _login(role: str, variable: str) -> dict[str, str]:
    url = os.environ.get(variable)
    if not url:
        raise CommandError(f"{variable} is not set: it holds the password of {role}.")
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    if parts.get("user") != role:
        raise CommandError(f"{variable} must sign in as {role}, not {parts.get('user')}.")
    if not parts.get("password"):
        raise CommandError(f"{variable} has no password.")
    return parts


def _role_statements(
    logins: dict[str, dict[str, str]], *, createdb: bool
) -> list[sql.Composed | sql.SQL]:
    attributes = {
        OWNER: "NOSUPERUSER NOBYPASSRLS " + ("CREATEDB" if createdb else "NOCREATEDB"),
        APP: "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE",
        PUBLIC: "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE",
        BACKUP: "NOSUPERUSER BYPASSRLS NOCREATEDB NOCREATEROLE",
    }
    statements: list[sql.Composed | sql.SQL] = [_create_role(role) for role in (*UNSIGNED, *logins)]
    for role, parts in logins.items():
        statements.append(
            sql.SQL("ALTER ROLE {} WITH LOGIN " + attributes[role] + " PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(parts["password"])
            )
        )
    statements.extend(
        sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(OWNER))
        for role in UNSIGNED
    )
    return statements


def _create_role(role: str) -> sql.Composed:
    return sql.SQL(
        "DO $$ BEGIN CREATE ROLE {} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    ).format(sql.Identifier(role))


def _database_statements(database: str) -> list[sql.Composed]:
    name = sql.Identifier(database)
    roles = sql.SQL(", ").join(map(sql.Identifier, (APP, PUBLIC, BACKUP)))
    return [
        sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
            name, sql.Identifier(OWNER)
        ),
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles),
    ]
