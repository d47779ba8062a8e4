from __future__ import annotations

from django.urls import path

from trialsite.dashboard import (
    choices,
    compliance_views,
    confirming,
    datasets,
    feasibility_views,
    month_views,
    protocol,
    today_views,
    views,
)
from trialsite.dashboard.overview import views as overview

app_name = "dashboard"

urlpatterns = [
    path("", today_views.today, name="today"),
    path("compliance/forms/", today_views.owed, name="owed_forms"),
    path("queries/waiting/", today_views.queries, name="queries"),
    path("overview/", overview.overview, name="overview"),
    path("overview/rows/<slug:figure>/", overview.overview_rows, name="overview_rows"),
    path("search/", views.search, name="search"),
    path("subjects/", views.subjects, name="subjects"),
    path("subjects/<uuid:subject_id>/", views.subject, name="subject"),
    path("calendar/", month_views.calendar, name="calendar"),
    path("compliance/", compliance_views.compliance, name="compliance"),
    path("compliance/visits/", compliance_views.compliance_visits, name="compliance_visits"),
    path("protocol/", protocol.protocol, name="protocol"),
    path("protocol/load/", protocol.load_file, name="load_protocol"),
    path("protocol/approve/", protocol.approve, name="approve_protocol"),
    path("protocol/assumptions/confirm/", confirming.confirm, name="confirm_assumptions"),
    path(
        "protocol/assumptions/<uuid:confirmation_id>/revoke/",
        confirming.revoke,
        name="revoke_confirmation",
    ),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/package/", datasets.package, name="package"),
    path("feasibility/", feasibility_views.feasibility, name="feasibility"),
    path("feasibility/mapping/", feasibility_views.mapping, name="feasibility_mapping"),
    path("feasibility/mapping/file/", feasibility_views.mapping_file, name="feasibility_map_file"),
    path("feasibility/result/", feasibility_views.result, name="feasibility_result"),
    path("feasibility/result/rows/", feasibility_views.rows_file, name="feasibility_rows"),
    path("feasibility/survival/", feasibility_views.survival, name="feasibility_survival"),
    path("feasibility/forget/", feasibility_views.forget, name="forget_feasibility"),
    path("feasibility/save/", feasibility_views.save, name="save_feasibility"),
    path("feasibility/saved/<uuid:saved_id>/", feasibility_views.saved, name="saved_feasibility"),
    path("choices/site/", choices.choose_site, name="site"),
    path("choices/theme/", choices.choose_theme, name="theme"),
    path("healthz/live", views.live, name="live"),
    path("healthz/ready", views.ready, name="ready"),
]
