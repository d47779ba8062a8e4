from __future__ import annotations

from django.apps import AppConfig


class CasebookConfig(AppConfig):
    name = "trialsite.casebook"

    def ready(self) -> None:
        from trialsite.casebook import guards  # noqa: F401
