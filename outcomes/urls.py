from __future__ import annotations

from django.urls import URLPattern, path

from outcomes.views import adverse_events as views

app_name = "outcomes"

urlpatterns: list[URLPattern] = [
    path(
        "subjects/<uuid:subject_id>/adverse-events/",
        views.adverse_events,
        name="adverse_events",
    ),
    path("subjects/<uuid:subject_id>/death/", views.death, name="death"),
    path(
        "complications/<uuid:complication_id>/adverse-event/",
        views.of_complication,
        name="of_complication",
    ),
]
