from __future__ import annotations

from django.urls import path

from trialsite.casebook import views

app_name = "casebook"

urlpatterns = [
    path("subjects/<uuid:subject_id>/documents/", views.attachments, name="attachments"),
    path("documents/<uuid:attachment_id>/", views.attachment, name="attachment"),
    path("documents/<uuid:attachment_id>/void/", views.void, name="void_attachment"),
]
