from __future__ import annotations

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "trialsite.exports"

    def ready(self) -> None:
        from trialsite.exports import casebook, codings, notices, signatures  # noqa: F401
