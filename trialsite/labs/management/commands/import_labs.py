"""Prepare a file of laboratory results of any size; the site looks at it and takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError
from trialsite.exports.reading.mappings import MappingError
from trialsite.labs.models import Laboratory
from trialsite.labs.services.imports import (
    prepare_import,
)
from trialsite.labs.services.mappings import keep_mapping


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--site", required=True, help="The site's code.")
        parser.add_argument("--laboratory", required=True, help="The laboratory's code there.")
        parser.add_argument("--by", required=True, help="E-mail of the data manager who does it.")
        parser.add_argument(
            "--mapping",
            help="A mapping file to state first; else the one that stands is used.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=options["by"], is_active=True).first()
        if person is None:
            raise CommandError("There is no such person.")
        with acting(context_of(person, Channel.COMMAND)):
            self._prepare(person, options)

    def _prepare(self, person: User, options: dict[str, Any]) -> None:
        own = Laboratory.objects.visible_to(person).select_related("site")
        laboratory = own.filter(site__code=options["site"], code=options["laboratory"]).first()
        if laboratory is None:
            raise CommandError("This site has no such laboratory.")
        try:
            if options["mapping"]:
                text = Path(options["mapping"]).read_text(encoding="utf-8-sig")
                keep_mapping(laboratory=laboratory, text=text, by=person)
            made = prepare_import(
                laboratory=laboratory,
                content=Path(options["file"]).read_bytes(),
                filename=Path(options["file"]).name,
                most=None,
                by=person,
            )
        except MappingError as error:
            lines = (f"{e.line}:{e.column}: {e.path}: {e.message}" for e in error.problems)
            raise CommandError("\n".join(lines)) from error
        except (DomainError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Prepared {made.pk}: {made.report['lines']} results, {made.read_as}.")
        for outcome, count in made.counts.items():
            self.stdout.write(f"  {outcome}: {count}")
        self.stdout.write("Nothing is written before the site takes it.")
