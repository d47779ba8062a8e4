"""Remove stored files that no document knows and that are older than a day."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from trialsite.access.context import system_context
from trialsite.casebook.attachments import sweep
from trialsite.core.context import Channel, acting

DAY = 24 * 3600


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(system_context("sweep_attachments", Channel.COMMAND)):
            removed = sweep(DAY)
        self.stdout.write(f"{removed} files removed.")
