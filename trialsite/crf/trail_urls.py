from __future__ import annotations

from django.urls import path

from trialsite.crf import trail_views

urlpatterns = [
    path("trail/", trail_views.trail, name="trail"),
    path("trail/export/", trail_views.trail_export, name="trail_export"),
    path("subjects/<uuid:pk>/trail/", trail_views.subject_trail, name="subject_trail"),
    path("records/<uuid:pk>/trail/", trail_views.record_trail, name="record_trail"),
    path("records/<uuid:pk>/trail/<str:item>/", trail_views.item_trail, name="item_trail"),
]
