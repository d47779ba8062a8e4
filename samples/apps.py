from __future__ import annotations

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    name = "samples"

    def ready(self) -> None:
        from samples import (  # noqa: F401
            datasets,
            guards,
            kinds,
            models,
            reminders,
            shipment_datasets,
            shipment_guards,
            slots,
        )
        from trialsite.casebook.evidence import register_evidence

        register_evidence(models.Specimen, "collected_at")
