"""Bring a backup back, proven before it takes the study's name; else nothing is changed."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.core.exceptions import MissingRolesError
from trialsite.exports.backups.inspecting import note_restored
from trialsite.exports.backups.manifest import BackupError
from trialsite.exports.backups.restoring import PASSWORD, restore


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="One backup.")
        parser.add_argument(
            "--over", action="store_true", help="Replace a study; it is kept under another name."
        )
        parser.add_argument(
            "--sign-in", default="", metavar="EMAIL", help="Prove that this person can sign in."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["sign_in"]
        if email and not os.environ.get(PASSWORD):
            if not sys.stdin.isatty():
                raise CommandError(f"Give the password of {email} as {PASSWORD}.")
            os.environ[PASSWORD] = getpass.getpass(f"Password of {email}: ")
        folder = options["folder"]
        try:
            lines, said = restore(folder, over=options["over"], sign_in=email)
        except (BackupError, MissingRolesError, OSError) as error:
            raise CommandError(str(error)) from error
        except psycopg.Error as error:
            raise CommandError(f"The database server said: {str(error).strip()}") from error
        note_restored(folder.resolve().name, said["made_at"])
        for name, text in lines:
            self.stdout.write(f"  {name:<16} {text}")
        self.stdout.write(f"\nRestored: the study as of {said['made_at']} ({said['software']}).")
