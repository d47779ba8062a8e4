from __future__ import annotations

from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "trialsite.labs"

    def ready(self) -> None:
        from trialsite.labs import datasets, guards  # noqa: F401
