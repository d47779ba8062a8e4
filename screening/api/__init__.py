from __future__ import annotations

from django.urls import URLPattern

from screening.api.identity import routes as identity

routes: list[URLPattern] = [*identity]
