from __future__ import annotations

from django.urls import URLPattern, path

from trialsite.conduct.views import holds

app_name = "conduct"

urlpatterns: list[URLPattern] = [
    path("holds/", holds.holds, name="holds"),
    path("holds/place/", holds.place, name="place_hold"),
    path("holds/<uuid:hold_id>/lift/", holds.lift, name="lift_hold"),
    path("holds/rules/<slug:kind>/<str:key>/<slug:to>/", holds.switch, name="switch_rule"),
    path("holds/gates/<str:key>/review/", holds.review, name="review_gate"),
]
