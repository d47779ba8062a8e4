from __future__ import annotations

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "trialsite.review"

    def ready(self) -> None:
        from trialsite.review import guards  # noqa: F401
