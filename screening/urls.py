from __future__ import annotations

from django.urls import URLPattern, path

from screening.views import identity, log

app_name = "screening"

urlpatterns: list[URLPattern] = [
    path("screening/", log.log, name="log"),
    path("screening/new/", log.new, name="new"),
    path("screening/<uuid:entry_id>/", log.entry, name="entry"),
    path("screening/<uuid:entry_id>/close/", log.close, name="close"),
    path("screening/<uuid:entry_id>/reopen/", log.reopen, name="reopen"),
    path("screening/<uuid:entry_id>/void/", log.void, name="void"),
    path("screening/<uuid:entry_id>/same-person/", log.same_person, name="same_person"),
    path("screening/<uuid:entry_id>/enrol/", log.enrol, name="enrol"),
    path("screening/<uuid:entry_id>/unenrol/", log.unenrol, name="unenrol"),
    path("screening/identifiers/", identity.search, name="identity_search"),
    path("screening/identifiers/<uuid:disclosure_id>/", identity.shown, name="identity_shown"),
    path("screening/<uuid:entry_id>/identity/", identity.identity, name="identity"),
    path("screening/<uuid:entry_id>/identity/show/", identity.ask, name="identity_ask"),
    path("screening/<uuid:entry_id>/identity/erase/", identity.erase, name="identity_erase"),
]
