from __future__ import annotations

from django.urls import URLPattern

from trialsite.conduct.deviation_api import routes as deviations

routes: list[URLPattern] = [*deviations]
