"""Check a package against its manifest: every file, its hash, nothing more and nothing less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.exports.archive import DamagedPackageError, verify_archive


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                manifest = verify_archive(file)
        except (DamagedPackageError, OSError) as error:
            raise CommandError(str(error)) from error
        rows = sum(each["rows"] for each in manifest["files"])
        self.stdout.write(
            f"{manifest['study']}, as of {manifest['as_of']}: {len(manifest['files'])} files, "
            f"{rows} rows, all as the manifest says."
        )
