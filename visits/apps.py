from __future__ import annotations

from django.apps import AppConfig


class VisitsConfig(AppConfig):
    name = "visits"

    def ready(self) -> None:
        from visits import (  # noqa: F401
            guards,
            product_alerts,
            product_datasets,
            product_guards,
            session_datasets,
        )
