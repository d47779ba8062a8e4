from __future__ import annotations

from django.urls import path

from trialsite.labs import grade_views, import_views, paste_views, register_views, views

app_name = "labs"

urlpatterns = [
    path("labs/panels/<uuid:pk>/", views.panel, name="panel"),
    path("labs/panels/<uuid:pk>/look/", views.look, name="look"),
    path("labs/panels/<uuid:pk>/paste/", paste_views.paste, name="paste"),
    path("labs/panels/<uuid:pk>/paste/accept/", paste_views.accept, name="accept"),
    path("labs/panels/<uuid:pk>/not-done/", views.not_done, name="not_done"),
    path("labs/panels/<uuid:pk>/ranges/", views.retake, name="retake"),
    path("labs/panels/<uuid:pk>/again/", views.draw_again, name="draw_again"),
    path("labs/panels/<uuid:pk>/results/<uuid:result_id>/void/", views.void, name="void_result"),
    path("labs/visits/<uuid:visit_id>/draw/", views.draw_at_visit, name="draw"),
    path("labs/subjects/<uuid:pk>/", views.of_subject, name="subject"),
    path("labs/subjects/<uuid:pk>/grades/", grade_views.grades, name="grades"),
    path(
        "labs/subjects/<uuid:pk>/purifications/",
        register_views.add_purification,
        name="add_purification",
    ),
    path(
        "labs/purifications/<uuid:pk>/void/",
        register_views.withdraw_purification,
        name="void_purification",
    ),
    path("labs/laboratories/", register_views.laboratories, name="laboratories"),
    path("labs/laboratories/add/", register_views.add_laboratory, name="add_laboratory"),
    path("labs/laboratories/<uuid:pk>/", register_views.laboratory, name="laboratory"),
    path(
        "labs/laboratories/<uuid:pk>/change/",
        register_views.change_laboratory,
        name="change_laboratory",
    ),
    path("labs/laboratories/<uuid:pk>/ranges/", register_views.add_range, name="add_range"),
    path("labs/ranges/<uuid:pk>/", register_views.correct, name="correct_range"),
    path("labs/ranges/<uuid:pk>/end/", register_views.end, name="end_range"),
    path("labs/ranges/<uuid:pk>/void/", register_views.withdraw, name="void_range"),
    path("labs/laboratories/<uuid:pk>/mapping/", import_views.mapping, name="mapping"),
    path("labs/imports/", import_views.imports, name="imports"),
    path("labs/imports/<uuid:pk>/", import_views.prepared, name="import"),
    path("labs/imports/<uuid:pk>/lines.csv", import_views.lines, name="import_lines"),
    path("labs/imports/<uuid:pk>/compare/", import_views.compare, name="compare_import"),
    path("labs/imports/<uuid:pk>/accept/", import_views.accept, name="accept_import"),
    path("labs/imports/<uuid:pk>/return/", import_views.return_to_site, name="return_import"),
    path("labs/imports/<uuid:pk>/discard/", import_views.discard, name="discard_import"),
]
