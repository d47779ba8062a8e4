from __future__ import annotations

from django.urls import URLPattern

from visits.api.visits import visit_routes

routes: list[URLPattern] = []
routes += visit_routes
from visits.api.sessions import session_routes

routes: list[URLPattern] = []
routes += session_routes
