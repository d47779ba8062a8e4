from __future__ import annotations

from django.urls import URLPattern

from screening.api.consent import routes as consent

routes: list[URLPattern] = [*consent]
