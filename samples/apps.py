from __future__ import annotations

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    name = "samples"

    def ready(self) -> None:
        from samples import (  # noqa: F401
            datasets,
            destruction_guards,
            excursion_datasets,
            excursion_guards,
            guards,
            kinds,
            lab_results,
            models,
            notices,
            reminders,
            shipment_datasets,
            shipment_guards,
            slots,
            sprec_datasets,
            tube_guards,
        )
        from samples.services.withdrawals import follow_withdrawal
        from screening.following import after_withdrawals
        from trialsite.casebook.evidence import register_evidence

        register_evidence(models.Specimen, "collected_at")
        after_withdrawals(follow_withdrawal)
