"""Django's migrate, as the database's owner, followed by the guards."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate as django_migrate
from django.db import connections

from trialsite.core.context import Channel, Context
from trialsite.core.migrating import QuickExecutor
from trialsite.core.protection import apply, prepare

# Django's command has no other place where its executor could be named.
django_migrate.MigrationExecutor = QuickExecutor  # type: ignore[attr-defined]


class Command(django_migrate.Command):
    help = "Migrate through the owner's connection and guard every table."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        owner = "owner" if "owner" in connections.databases else "default"
        parser.set_defaults(database=owner)

    def handle(self, *args: Any, **options: Any) -> None:
        using = options["database"]
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        prepare(using)
        context = Context(
            channel=Channel.COMMAND,
            system="migrate",
            reason="migration",
            sites=_all_sites(using),
        )
        with session_context(context, using):
            super().handle(*args, **options)
            apply(using)
        if options["verbosity"]:
            self.stdout.write("  Guards applied.")


def _all_sites(using: str) -> frozenset[int]:
    """Every site there is: a data migration sees the study whole (decisions D3)."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.access_site')")
        if cursor.fetchone()[0] is None:
            return frozenset()
        cursor.execute("SELECT id FROM public.access_site")
        return frozenset(row[0] for row in cursor.fetchall())


class session_context:  # noqa: N801  (reads as a verb, like acting)
    """A context for one administrative connection that spans many transactions.

    Migrations open their own transactions, so the setting lives with this connection,
    which nobody else uses, and is reset at the end.
    """

    def __init__(self, context: Context, using: str) -> None:
        self.context, self.using = context, using

    def __enter__(self) -> None:
        self._set(self.context.settings())

    def __exit__(self, *exc: object) -> None:
        if not connections[self.using].needs_rollback:
            self._set(dict.fromkeys(self.context.settings(), ""))

    def _set(self, values: dict[str, str]) -> None:
        with connections[self.using].cursor() as cursor:
            for name, value in values.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
