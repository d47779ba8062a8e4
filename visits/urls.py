from __future__ import annotations

from django.urls import URLPattern

from visits.views.deficiencies import deficiency_patterns

app_name = "visits"

urlpatterns: list[URLPattern] = []
urlpatterns += deficiency_patterns
