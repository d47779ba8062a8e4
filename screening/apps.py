from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class ScreeningConfig(AppConfig):
    name = "screening"

    def ready(self) -> None:
        from screening import guards_consent, log_guards, vault  # noqa: F401
        from screening.checks import check_identity_keys, demand_identity_keys

        demand_identity_keys()
        checks.register(check_identity_keys, deploy=True)
