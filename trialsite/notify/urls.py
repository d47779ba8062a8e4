from __future__ import annotations

from django.urls import URLPattern, path

from trialsite.notify import views

app_name = "notify"

urlpatterns: list[URLPattern] = [
    path("notices/", views.notices, name="notices"),
    path("notices/seen/", views.seen, name="seen"),
    path("notices/preferences/", views.preferences, name="preferences"),
    path("notices/log/", views.log, name="log"),
    path("notices/log/<uuid:notice_id>/", views.delivery, name="delivery"),
    path("notices/log/<uuid:notice_id>/again/", views.again, name="again"),
    path("notices/log/<uuid:notice_id>/cancel/", views.cancel, name="cancel"),
    path("notices/<uuid:notice_id>/open/", views.open_notice, name="open"),
]
