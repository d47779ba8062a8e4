from __future__ import annotations

from django.urls import path

from trialsite.crf import trail_urls, views
from trialsite.crf.coding import views as coding

app_name = "crf"

urlpatterns = [
    path("records/<uuid:pk>/", views.record, name="record"),
    path("records/<uuid:pk>/draft/", views.draft, name="draft"),
    path("records/<uuid:pk>/discard/", views.discard, name="discard"),
    path("records/<uuid:pk>/not-done/", views.not_done, name="not_done"),
    path("records/<uuid:pk>/void/", views.void, name="void"),
    path("records/<uuid:pk>/queries/", views.ask, name="ask"),
    path("records/<uuid:pk>/rows/<str:group>/", views.row, name="row_new"),
    path("records/<uuid:pk>/rows/<str:group>/<uuid:row_id>/", views.row, name="row"),
    path("records/<uuid:pk>/rows/<str:group>/<uuid:row_id>/void/", views.row_void, name="row_void"),
    path("queries/<uuid:pk>/", views.query, name="query"),
    path("subjects/<uuid:pk>/forms/<slug:slug>/", views.open_new, name="open"),
    path("coding/", coding.worklist, name="coding"),
    path("coding/list/", coding.take_list, name="coding_list"),
    path("coding/<str:item>/<uuid:row_id>/", coding.term, name="coding_term"),
    path("coding/<str:item>/<uuid:row_id>/same/", coding.take_same, name="coding_same"),
    *trail_urls.urlpatterns,
]
