from __future__ import annotations

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    name = "samples"

    def ready(self) -> None:
        from samples import datasets, guards, kinds, models, slots  # noqa: F401
        from trialsite.casebook.evidence import register_evidence

        register_evidence(models.Specimen, "collected_at")
