from __future__ import annotations

from django.urls import URLPattern

from visits.api.deficiencies import deficiency_routes
from visits.api.products import product_routes
from visits.api.session_corrections import correction_routes
from visits.api.sessions import session_routes
from visits.api.visits import visit_routes

routes: list[URLPattern] = [
    *visit_routes,
    *correction_routes,
    *session_routes,
    *product_routes,
    *deficiency_routes,
]
