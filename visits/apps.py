from __future__ import annotations

from django.apps import AppConfig


class VisitsConfig(AppConfig):
    name = "visits"

    def ready(self) -> None:
        from trialsite.casebook.evidence import register_evidence
        from visits import (  # noqa: F401
            alerts,
            deficiency_datasets,
            deficiency_guards,
            deficiency_slot,
            guards,
            models,
            product_alerts,
            product_datasets,
            product_guards,
            session_datasets,
        )
        from visits.services import sessions  # noqa: F401

        register_evidence(models.TreatmentSession, "started_at")
