from __future__ import annotations

from django.apps import AppConfig


class OutcomesConfig(AppConfig):
    name = "outcomes"

    def ready(self) -> None:
        from outcomes import (  # noqa: F401
            alerts,
            event_datasets,
            event_slots,
            guards,
            safety_guards,
            slots,
            watchers,
        )
        from outcomes import alerts, change_datasets, endpoint_datasets, guards, slots  # noqa: F401
