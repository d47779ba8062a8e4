from __future__ import annotations

from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "trialsite.labs"

    def ready(self) -> None:
        from trialsite.casebook.evidence import register_evidence
        from trialsite.labs import datasets, grade_dataset, guards, models  # noqa: F401

        register_evidence(models.LabPanel, "collected_at")
