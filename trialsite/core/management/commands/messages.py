"""Collect the interface's texts into the catalogues, or check that none is missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.core import catalogues


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Only say what is missing.")

    def handle(self, *args: Any, **options: Any) -> None:
        for language in catalogues.languages():
            if options["check"]:
                problems = catalogues.gaps(language)
                if problems:
                    raise CommandError("\n".join(problems))
            else:
                open_ones = catalogues.update(language)
                self.stdout.write(f"{language}: {open_ones} to translate")
