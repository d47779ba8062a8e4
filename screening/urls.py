from __future__ import annotations

from django.urls import URLPattern, path

from screening.views import identity

app_name = "screening"

urlpatterns: list[URLPattern] = [
    path("screening/identifiers/", identity.search, name="identity_search"),
    path("screening/identifiers/<uuid:disclosure_id>/", identity.shown, name="identity_shown"),
    path("screening/<uuid:entry_id>/identity/", identity.identity, name="identity"),
    path("screening/<uuid:entry_id>/identity/show/", identity.ask, name="identity_ask"),
    path("screening/<uuid:entry_id>/identity/erase/", identity.erase, name="identity_erase"),
]
