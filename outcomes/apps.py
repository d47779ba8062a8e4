from __future__ import annotations

from django.apps import AppConfig


class OutcomesConfig(AppConfig):
    name = "outcomes"

    def ready(self) -> None:
        from outcomes import (  # noqa: F401
            alerts,
            change_datasets,
            death_notices,
            endpoint_datasets,
            event_datasets,
            event_slots,
            guards,
            sae_datasets,
            sae_notices,
            safety_guards,
            slots,
            watchers,
        )
