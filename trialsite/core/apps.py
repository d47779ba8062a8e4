from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class CoreConfig(AppConfig):
    name = "trialsite.core"

    def ready(self) -> None:
        from trialsite.core import functions  # noqa: F401
        from trialsite.core.checks import (
            check_protections,
            demand_addresses,
            demand_keys,
        )

        demand_keys()
        demand_addresses()
        checks.register(check_protections, deploy=True)
