"""Compile the catalogues of translations that have changed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from trialsite.core import catalogues


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for language in catalogues.languages():
            catalogues.compile_catalogue(language)
