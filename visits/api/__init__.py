from __future__ import annotations

from django.urls import URLPattern

from visits.api.deficiencies import deficiency_routes
from visits.api.products import product_routes
from visits.api.sessions import session_routes
from visits.api.visits import visit_routes

routes: list[URLPattern] = []
routes += visit_routes
routes += session_routes
routes += product_routes
routes += deficiency_routes
