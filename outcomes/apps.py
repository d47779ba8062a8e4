from __future__ import annotations

from django.apps import AppConfig


class OutcomesConfig(AppConfig):
    name = "outcomes"

    def ready(self) -> None:
        from outcomes import alerts, guards, sae_datasets, sae_notices, slots  # noqa: F401
        from outcomes import alerts, event_datasets, event_slots, guards, slots  # noqa: F401
