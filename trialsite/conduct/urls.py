from __future__ import annotations

from django.urls import URLPattern, path

from trialsite.conduct.views import deviations

app_name = "conduct"

urlpatterns: list[URLPattern] = [
    path("deviations/", deviations.deviations, name="deviations"),
    path("deviations/new/", deviations.new_deviation, name="new_deviation"),
    path("deviations/<uuid:deviation_id>/", deviations.deviation, name="deviation"),
    path("deviations/<uuid:deviation_id>/accept/", deviations.accept, name="accept_deviation"),
    path("deviations/<uuid:deviation_id>/dismiss/", deviations.dismiss, name="dismiss_deviation"),
    path("deviations/<uuid:deviation_id>/change/", deviations.change, name="change_deviation"),
    path("deviations/<uuid:deviation_id>/close/", deviations.close, name="close_deviation"),
]
