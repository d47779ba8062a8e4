from __future__ import annotations

from django.apps import AppConfig


class ConductConfig(AppConfig):
    name = "trialsite.conduct"

    def ready(self) -> None:
        from trialsite.conduct import (  # noqa: F401
            datasets,
            deviation_dataset,
            deviation_guards,
            deviation_record,
            guards,
        )
