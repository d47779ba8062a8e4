"""Make the demonstration study in an empty database; a second time it changes nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from trialsite.access.models import Site
from trialsite.demo import people
from trialsite.demo.haste import in_haste
from trialsite.demo.study import make_study


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demonstration: DEMO is not set.")
        if people.exists():
            self.stdout.write("The demonstration study is there.")
            return
        if Site.objects.exists():
            raise CommandError(
                "The database already holds a study; a demonstration needs an empty one."
            )
        if "owner" not in connections.databases:
            raise CommandError("DATABASE_OWNER_URL is needed to make the demonstration's past.")
        with in_haste():
            make_study()
        self.stdout.write("SYNTHETIC demonstration study made.")
