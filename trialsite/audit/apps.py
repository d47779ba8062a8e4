from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "trialsite.audit"

    def ready(self) -> None:
        from trialsite.audit import functions  # noqa: F401
