from __future__ import annotations

from django.urls import URLPattern

from screening.api import log

routes: list[URLPattern] = [*log.routes]
