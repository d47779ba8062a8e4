from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "trialsite.access"

    def ready(self) -> None:
        from trialsite.access import guards  # noqa: F401
