"""Put the whole study into a new folder, beside the running product; no key is inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from trialsite.exports.backups.manifest import PARTS, BackupError
from trialsite.exports.backups.taking import back_up


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, required=True, help="Folder of the backups.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder, said = back_up(options["to"])
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        except (psycopg.Error, DatabaseError) as error:
            raise CommandError(f"The database server said: {str(error).strip()}") from error
        self._table(said)
        self.stdout.write(f"\n{folder}")
        self.stdout.write("No key is inside. Keep field_keys, identity_keys and")
        self.stdout.write("identity_index_key elsewhere: without them it cannot be restored.")
        lost = [*said["files"]["missing"], *said["files"]["damaged"]]
        if lost:
            raise CommandError(
                f"The backup is made, but {len(lost)} files that the database names are missing "
                "or damaged on the disk:\n" + "\n".join(lost[:20])
            )

    def _table(self, said: dict[str, Any]) -> None:
        rows = sum(count for count, _digest in said["tables"].values())
        lines = [
            ("made", said["made_at"]),
            ("by", f"{said['software']}, PostgreSQL {said['postgresql']}"),
            ("tables", f"{len(said['tables'])} with {rows} rows"),
            ("datasets", f"{len(said['exports'])} hashed"),
            ("documents", str(said["files"]["attachments"])),
            ("packages", str(said["files"]["packages"])),
            *((name, _told(said["parts"][name])) for name in PARTS),
        ]
        for name, text in lines:
            self.stdout.write(f"  {name:<16} {text}")


def _told(part: dict[str, Any]) -> str:
    return f"{part['bytes']} bytes, SHA-256 {part['sha256'][:16]}…"
