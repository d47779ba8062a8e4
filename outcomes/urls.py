from __future__ import annotations

from django.urls import URLPattern, path

from outcomes.views import adverse_events as views
from outcomes.views import biomarkers, changes, endpoints, events, outcome

app_name = "outcomes"

urlpatterns: list[URLPattern] = [
    path(
        "subjects/<uuid:subject_id>/adverse-events/",
        views.adverse_events,
        name="adverse_events",
    ),
    path("subjects/<uuid:subject_id>/death/", views.death, name="death"),
    path("subjects/<uuid:subject_id>/outcome/", outcome.outcome, name="outcome"),
    path("subjects/<uuid:subject_id>/survival-contact/", outcome.contact, name="contact"),
    path(
        "subjects/<uuid:subject_id>/transplantation/",
        outcome.transplantation,
        name="transplantation",
    ),
    path("subjects/<uuid:subject_id>/ending/<slug:scope>/", outcome.ending, name="ending"),
    path("survival-contacts/<uuid:record_id>/death/", outcome.told_death, name="told_death"),
    path("adverse-events/", events.events, name="events"),
    path("adverse-events/of/", views.of_source, name="of_source"),
    path(
        "complications/<uuid:complication_id>/adverse-event/",
        views.of_complication,
        name="of_complication",
    ),
    path("outcomes/endpoints/", endpoints.endpoints, name="endpoints"),
    path("outcomes/endpoints/subjects/", endpoints.endpoint_subjects, name="endpoint_subjects"),
    path("outcomes/changes/", changes.changes, name="changes"),
    path("outcomes/changes/subjects/", changes.change_subjects, name="change_subjects"),
    path("outcomes/biomarkers/", biomarkers.biomarkers, name="biomarkers"),
    path(
        "subjects/<uuid:subject_id>/biomarkers/",
        biomarkers.subject_biomarkers,
        name="subject_biomarkers",
    ),
]
