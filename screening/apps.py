from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class ScreeningConfig(AppConfig):
    name = "screening"

    def ready(self) -> None:
        from screening import (  # noqa: F401
            consent_datasets,
            consent_notices,
            datasets,
            eligibility_datasets,
            guards_consent,
            guards_eligibility,
            log_guards,
            vault,
        )
        from screening.checks import check_identity_keys, demand_identity_keys
        from screening.selectors.eligibility_facts import score_background
        from screening.selectors.medications import anticoagulant_periods
        from screening.views.consent import record_action
        from trialsite.core import slots
        from trialsite.crf.registry import RECORD_ACTIONS
        from trialsite.labs.background import tell_anticoagulants, tell_background

        demand_identity_keys()
        checks.register(check_identity_keys, deploy=True)
        slots.fill(RECORD_ACTIONS, record_action)
        tell_background(score_background)
        tell_anticoagulants(anticoagulant_periods)
