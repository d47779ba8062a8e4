from __future__ import annotations

from django.urls import URLPattern, path

from trialsite.conduct.views import deviations, holds, proposals, snapshots

app_name = "conduct"

urlpatterns: list[URLPattern] = [
    path("deviations/", deviations.deviations, name="deviations"),
    path("deviations/new/", deviations.new_deviation, name="new_deviation"),
    path("deviations/<uuid:deviation_id>/", deviations.deviation, name="deviation"),
    path("deviations/<uuid:deviation_id>/accept/", deviations.accept, name="accept_deviation"),
    path("deviations/<uuid:deviation_id>/dismiss/", deviations.dismiss, name="dismiss_deviation"),
    path("deviations/<uuid:deviation_id>/change/", deviations.change, name="change_deviation"),
    path("deviations/<uuid:deviation_id>/close/", deviations.close, name="close_deviation"),
    path("holds/", holds.holds, name="holds"),
    path("holds/place/", holds.place, name="place_hold"),
    path("holds/proposals/<uuid:pk>/", proposals.proposal, name="proposed_hold"),
    path("holds/proposals/<uuid:pk>/place/", proposals.place, name="place_proposed"),
    path("holds/proposals/<uuid:pk>/dismiss/", proposals.dismiss, name="dismiss_proposed"),
    path("holds/<uuid:hold_id>/lift/", holds.lift, name="lift_hold"),
    path("holds/rules/<slug:kind>/<str:key>/<slug:to>/", holds.switch, name="switch_rule"),
    path("holds/gates/<str:key>/review/", holds.review, name="review_gate"),
    path("holds/snapshots/", snapshots.take, name="take_snapshot"),
    path("holds/snapshots/<uuid:pk>/", snapshots.snapshot, name="snapshot"),
    path(
        "holds/snapshots/<uuid:pk>/pdf/<slug:language>/",
        snapshots.snapshot_pdf,
        name="snapshot_pdf",
    ),
    path("holds/snapshots/<uuid:pk>/review/", snapshots.review, name="review_snapshot"),
]
