from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "trialsite.dashboard"

    def ready(self) -> None:
        from trialsite.dashboard import compliance_dataset, guards  # noqa: F401
