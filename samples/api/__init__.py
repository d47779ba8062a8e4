from __future__ import annotations

from django.urls import URLPattern

from samples.api.aliquots import aliquot_routes
from samples.api.custody import custody_routes
from samples.api.destruction import destruction_routes
from samples.api.excursions import excursion_routes
from samples.api.labels import label_routes
from samples.api.scanning import scan_routes
from samples.api.shipments import shipment_routes
from samples.api.specimens import specimen_routes
from samples.api.storage import storage_routes
from samples.api.visits import visit_routes

routes: list[URLPattern] = [
    *specimen_routes,
    *aliquot_routes,
    *scan_routes,
    *label_routes,
    *storage_routes,
    *custody_routes,
    *shipment_routes,
    *destruction_routes,
    *excursion_routes,
    *visit_routes,
]
