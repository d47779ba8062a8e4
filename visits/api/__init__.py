from __future__ import annotations

from django.urls import URLPattern

from visits.api.products import product_routes

routes: list[URLPattern] = []
routes += product_routes
