from __future__ import annotations

from django.apps import AppConfig


class CrfConfig(AppConfig):
    name = "trialsite.crf"
