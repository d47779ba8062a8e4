from __future__ import annotations

from django.urls import URLPattern, path

from screening.views import log

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
]
