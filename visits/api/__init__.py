from __future__ import annotations

from django.urls import URLPattern

from visits.api.sessions import session_routes

routes: list[URLPattern] = []
routes += session_routes
