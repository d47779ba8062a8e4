"""Ask a restored database whether it is guarded, whole and open to its people (as JSON)."""

from __future__ import annotations

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.exports.backups.inspecting import inspect_restored
from trialsite.exports.backups.manifest import BackupError
from trialsite.exports.backups.restoring import PASSWORD


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--software", default="", help="Whose exports can be compared.")
        parser.add_argument("--sign-in", default="", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = inspect_restored(
                software=options["software"],
                email=options["sign_in"],
                password=os.environ.get(PASSWORD, ""),
            )
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found, ensure_ascii=False))
