"""Make the demonstration study in an empty database; a second time it changes nothing.

With --scale N the study holds its people N times: 40 N considered, 10 N enrolled.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.core.context import Channel, acting
from trialsite.demo import people
from trialsite.demo.bulk.multiply import multiply, places_for, times_told
from trialsite.demo.bulk.retold import MOST
from trialsite.demo.haste import in_haste
from trialsite.demo.study import make_study


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--scale", type=int, default=1, metavar="N", help="hold the study's people N times"
        )

    def handle(self, *args: Any, scale: int = 1, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demonstration: DEMO is not set.")
        if not 1 <= scale <= MOST:
            raise CommandError(f"A study is told from once to {MOST} times, not {scale} times.")
        if people.exists():
            self._expect(scale)
            self.stdout.write("The demonstration study is there.")
            return
        if Site.objects.exists():
            raise CommandError(
                "The database already holds a study; a demonstration needs an empty one."
            )
        if "owner" not in connections.databases:
            raise CommandError("DATABASE_OWNER_URL is needed to make the demonstration's past.")
        with in_haste():
            with places_for(scale):
                make_study()
            if scale > 1:
                multiply(scale, say=self.stdout.write)
        self.stdout.write("SYNTHETIC demonstration study made.")

    def _expect(self, scale: int) -> None:
        """Refuse to pass for another study than the one that is there."""
        with acting(system_context("demo", Channel.COMMAND)):
            there = times_told()
        if there is None:
            raise CommandError("Its copies were interrupted; begin with an empty database.")
        if scale not in {1, there}:
            raise CommandError(
                f"The demonstration study is there {there} times, not {scale} times: "
                "how often is said once, when it is made."
            )
