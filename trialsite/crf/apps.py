from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class CrfConfig(AppConfig):
    name = "trialsite.crf"

    def ready(self) -> None:
        from trialsite.crf import guards  # noqa: F401
        from trialsite.crf.checks import check_protocol_file

        checks.register(check_protocol_file, deploy=True)
