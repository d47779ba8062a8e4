from __future__ import annotations

from django.urls import URLPattern, path

from samples.views import (
    destruction,
    excursions,
    labels,
    one,
    permissions,
    reconciliation,
    scanning,
    shipment_scans,
    shipments,
    storage,
    visits,
)

app_name = "samples"

urlpatterns: list[URLPattern] = [
    path("samples/", visits.overview, name="overview"),
    path("samples/scan/", scanning.look_up, name="look_up"),
    path("samples/scan/<slug:name>/", scanning.step, name="scan"),
    path("samples/visits/<uuid:pk>/", visits.visit, name="visit"),
    path("samples/visits/<uuid:pk>/prepare/", visits.prepare, name="prepare"),
    path("samples/visits/<uuid:pk>/prepare/all/", visits.prepare_all, name="prepare_all"),
    path("samples/visits/<uuid:pk>/not-collected/", visits.not_collected, name="not_collected"),
    path("samples/visits/<uuid:pk>/labels/", labels.of_visit, name="visit_labels"),
    path("samples/not-collected/<uuid:pk>/take-back/", visits.take_back, name="take_back"),
    path("samples/custody/<uuid:pk>/correct/", one.correct, name="correct"),
    path("samples/reconciliation/", reconciliation.of_site, name="reconciliation"),
    path(
        "samples/reconciliation/<str:code>.csv",
        reconciliation.as_file,
        name="reconciliation_csv",
    ),
    path("samples/boxes/<str:code>/label/", labels.of_box, name="box_label"),
    path("samples/freezers/<uuid:pk>/labels/", labels.of_freezer, name="freezer_labels"),
    path("samples/destruction/", destruction.overview, name="destructions"),
    path("samples/destruction/<uuid:pk>/", destruction.one, name="destruction"),
    path("samples/destruction/<uuid:pk>/destroy/", destruction.destroy, name="destroy"),
    path("samples/destruction/<uuid:pk>/close/", destruction.close, name="close_destruction"),
    path("samples/destruction/lines/<uuid:pk>/", destruction.explain, name="explain"),
    path("samples/excursions/", excursions.overview, name="excursions"),
    path("samples/excursions/new/", excursions.new, name="new_excursion"),
    path("samples/excursions/<uuid:pk>/", excursions.one, name="excursion"),
    path("samples/excursions/<uuid:pk>/end/", excursions.end, name="end_excursion"),
    path("samples/excursions/<uuid:pk>/void/", excursions.void, name="void_excursion"),
    path("samples/freezers/", storage.freezers, name="freezers"),
    path("samples/freezers/new/", storage.new_freezer, name="new_freezer"),
    path("samples/freezers/<uuid:pk>/racks/", storage.new_rack, name="new_rack"),
    path("samples/freezers/<uuid:pk>/retire/", storage.retire, name="retire_freezer"),
    path("samples/boxes/new/", storage.new_box, name="new_box"),
    path("samples/boxes/<str:code>/", storage.box, name="box"),
    path("samples/boxes/<str:code>/move/", storage.box_elsewhere, name="move_box"),
    path("samples/boxes/<str:code>/close/", storage.box_closed, name="close_box"),
    path("samples/shipments/", shipments.shipments, name="shipments"),
    path("samples/shipments/new/", shipments.new, name="new_shipment"),
    path("samples/permissions/", permissions.permissions, name="permissions"),
    path("samples/permissions/new/", permissions.record, name="record_permission"),
    path("samples/permissions/<uuid:pk>/revoke/", permissions.revoke, name="revoke_permission"),
    path("samples/shipments/lines/<uuid:pk>/", shipments.line, name="shipment_line"),
    path("samples/shipments/<str:code>/", shipments.shipment, name="shipment"),
    path("samples/shipments/<str:code>/manifest.<slug:kind>", shipments.manifest, name="manifest"),
    path(
        "samples/shipments/<str:code>/scan/<slug:name>/", shipment_scans.scan, name="shipment_scan"
    ),
    path("samples/shipments/<str:code>/<slug:name>/", shipments.act, name="shipment_act"),
    path("samples/one/<str:code>/", one.sample, name="sample"),
    path("samples/one/<str:code>/label/", labels.of_sample, name="sample_label"),
    path("samples/one/<str:code>/move/", storage.move_one, name="move_aliquot"),
    path("samples/one/<str:code>/<slug:name>/", one.act, name="act"),
]
