from __future__ import annotations

from django.apps import AppConfig
from django.utils.html import format_html


class EngineConfig(AppConfig):
    name = "tests.engine"
    label = "engine"

    def ready(self) -> None:
        from tests.engine import guards, models, upper  # noqa: F401
        from trialsite.core import slots
        from trialsite.crf.registry import RECORD_ACTIONS

        slots.fill(
            RECORD_ACTIONS,
            lambda _request, record: format_html(
                '<a class="btn" href="/?from={}">Test action</a>', record.pk
            ),
        )
