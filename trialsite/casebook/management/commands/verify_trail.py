"""Compare every audited row with what its events add up to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trialsite.access.context import system_context
from trialsite.audit.folding import audited_tables, unaccounted
from trialsite.core.context import Channel, acting


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        tables = audited_tables()
        with acting(system_context("verify_trail", Channel.COMMAND)):
            found = [each for table in tables for each in unaccounted(table)]
        for each in found:
            self.stderr.write(str(each))
        if found:
            raise CommandError(f"{len(found)} rows are not accounted for by the trail.")
        self.stdout.write(f"Every row of {len(tables)} tables is what its events add up to.")
