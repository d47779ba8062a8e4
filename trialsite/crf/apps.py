from __future__ import annotations

from django.apps import AppConfig


class CrfConfig(AppConfig):
    name = "trialsite.crf"

    def ready(self) -> None:
        from trialsite.crf import guards  # noqa: F401
