from __future__ import annotations

from django.urls import path

from trialsite.dashboard import views

app_name = "dashboard"

urlpatterns = [
    path("", views.today, name="today"),
    path("healthz/live", views.live, name="live"),
    path("healthz/ready", views.ready, name="ready"),
]
