"""Every address of the product; the order of inclusion is the order of the layers."""

from __future__ import annotations

from django.urls import include, path

handler400 = "trialsite.access.errors.bad_request"
handler403 = "trialsite.access.errors.permission_denied"
handler404 = "trialsite.access.errors.page_not_found"
handler500 = "trialsite.access.errors.server_error"

urlpatterns = [
    path("api/v1/", include("trialsite.api.urls")),
    path("", include("trialsite.dashboard.urls")),
    path("", include("samples.urls")),
    path("", include("outcomes.urls")),
    path("", include("visits.urls")),
    path("", include("screening.urls")),
    path("", include("trialsite.labs.urls")),
    path("", include("trialsite.conduct.urls")),
    path("", include("trialsite.crf.urls")),
    path("", include("trialsite.casebook.urls")),
    path("", include("trialsite.notify.urls")),
    path("", include("trialsite.access.urls")),
]
