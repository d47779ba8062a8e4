from __future__ import annotations

from django.apps import AppConfig


class ConductConfig(AppConfig):
    name = "trialsite.conduct"

    def ready(self) -> None:
        from trialsite.conduct import datasets, guards  # noqa: F401
