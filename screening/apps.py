from __future__ import annotations

from django.apps import AppConfig


class ScreeningConfig(AppConfig):
    name = "screening"

    def ready(self) -> None:
        from screening import consent_datasets, consent_notices, guards_consent, log_guards  # noqa: F401
        from screening.views.consent import record_action
        from trialsite.core import slots
        from trialsite.crf.registry import RECORD_ACTIONS

        slots.fill(RECORD_ACTIONS, record_action)
