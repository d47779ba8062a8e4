from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "trialsite.dashboard"

    def ready(self) -> None:
        from trialsite.dashboard import guards  # noqa: F401
