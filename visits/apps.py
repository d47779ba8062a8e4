from __future__ import annotations

from django.apps import AppConfig


class VisitsConfig(AppConfig):
    name = "visits"

    def ready(self) -> None:
        from visits import (
            guards,  # noqa: F401
            product_guards,  # noqa: F401
        )
        from visits.reminders import planners  # noqa: F401
        from visits import guards, product_guards, session_datasets  # noqa: F401
