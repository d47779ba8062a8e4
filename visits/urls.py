from __future__ import annotations

from django.urls import URLPattern, path

from visits.views import visits

from visits.views.deficiencies import deficiency_patterns

app_name = "visits"

urlpatterns: list[URLPattern] = []
urlpatterns += deficiency_patterns

visit_patterns: list[URLPattern] = [
    path("visits/<uuid:visit_id>/", visits.visit, name="visit"),
    path("visits/<uuid:visit_id>/start/", visits.start, name="start_visit"),
    path("visits/<uuid:visit_id>/attended/", visits.attended, name="attend_visit"),
    path("visits/<uuid:visit_id>/missed/", visits.missed, name="miss_visit"),
    path("visits/<uuid:visit_id>/take-back/", visits.taken_back, name="take_back_visit"),
    path("visits/<uuid:visit_id>/cancel/", visits.cancelled, name="cancel_visit"),
    path("visits/<uuid:visit_id>/forms/", visits.open_form, name="open_visit_form"),
    path("subjects/<uuid:subject_id>/visits/add/", visits.add_to, name="add_visit"),
]
urlpatterns += visit_patterns
