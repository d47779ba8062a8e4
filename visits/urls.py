from __future__ import annotations

from django.urls import URLPattern, path

from visits.views import (
    product_use,
    products,
    session_acts,
    session_product,
    session_readings,
    session_rows,
    sessions,
    visits,
)
from visits.views.deficiencies import deficiency_patterns

app_name = "visits"

urlpatterns: list[URLPattern] = []

visit_patterns: list[URLPattern] = [
    path("visits/<uuid:visit_id>/", visits.visit, name="visit"),
    path("visits/<uuid:visit_id>/start/", visits.start, name="start_visit"),
    path("visits/<uuid:visit_id>/attended/", visits.attended, name="attend_visit"),
    path("visits/<uuid:visit_id>/missed/", visits.missed, name="miss_visit"),
    path("visits/<uuid:visit_id>/take-back/", visits.taken_back, name="take_back_visit"),
    path("visits/<uuid:visit_id>/cancel/", visits.cancelled, name="cancel_visit"),
    path("visits/<uuid:visit_id>/forms/", visits.open_form, name="open_visit_form"),
    path("subjects/<uuid:subject_id>/visits/add/", visits.add_to, name="add_visit"),
]
urlpatterns += visit_patterns
urlpatterns += deficiency_patterns
_SHEET = "sessions/<uuid:pk>/"
session_patterns: list[URLPattern] = [
    path("subjects/<uuid:pk>/sessions/", sessions.of_subject, name="sessions"),
    path("subjects/<uuid:pk>/sessions/plan/", sessions.plan, name="session_plan"),
    path(_SHEET, sessions.session, name="session"),
    path(f"{_SHEET}live/", sessions.live, name="session_live"),
    path(f"{_SHEET}ready/", sessions.ready, name="session_ready"),
    path(f"{_SHEET}paper/", sessions.paper, name="session_paper"),
    path(f"{_SHEET}checklist/", session_acts.checklist, name="session_checklist"),
    path(f"{_SHEET}override/", session_acts.override, name="session_override"),
    path(f"{_SHEET}start/", session_acts.start, name="session_start"),
    path(f"{_SHEET}cells/<slug:which>/", session_acts.cells, name="session_cells"),
    path(f"{_SHEET}end/", session_acts.end, name="session_end"),
    path(f"{_SHEET}times/", session_acts.times, name="session_times"),
    path(f"{_SHEET}prescription/", session_acts.prescription, name="session_prescription"),
    path(f"{_SHEET}void/", session_acts.void, name="session_void"),
    path(f"{_SHEET}look/", session_acts.look, name="session_look"),
    path(f"{_SHEET}look/void/", session_acts.void_one_look, name="session_look_void"),
    path(f"{_SHEET}complete/", session_acts.complete, name="session_complete"),
    path(f"{_SHEET}confirm/", session_rows.confirm, name="session_confirm"),
    path(f"{_SHEET}still/", session_rows.stand_still, name="session_still"),
    path(f"{_SHEET}again/<uuid:row_id>/", session_rows.run_again, name="session_again"),
    path(f"{_SHEET}add/<slug:kind>/", session_rows.add_row, name="session_add"),
    path(f"{_SHEET}readings/", session_readings.readings, name="session_readings"),
    path(f"{_SHEET}readings/<uuid:row_id>/", session_readings.reading, name="session_reading"),
    path(
        f"{_SHEET}readings/<uuid:row_id>/draft/",
        session_readings.draft,
        name="session_reading_draft",
    ),
]
urlpatterns += session_patterns
product_patterns: list[URLPattern] = [
    path("products/", products.products, name="products"),
    path("products/new/", products.new_lot, name="new_lot"),
    path("products/accountability/", product_use.accountability, name="accountability"),
    path("products/tests/<uuid:test_id>/void/", products.withdraw_test, name="void_test"),
    path(
        "products/movements/<uuid:movement_id>/void/",
        product_use.withdraw_movement,
        name="void_movement",
    ),
    path("products/<str:key>/", products.lot, name="lot"),
    path("products/<str:key>/change/", products.change_lot, name="change_lot"),
    path("products/<str:key>/tests/", products.add_test, name="add_test"),
    path("products/<str:key>/release/", products.release, name="release_lot"),
    path("products/<str:key>/quarantine/", products.quarantine, name="quarantine_lot"),
    path("products/<str:key>/close/", products.close, name="close_lot"),
    path("products/<str:key>/recall/", product_use.recall, name="recall"),
    path("products/<str:key>/recall/act/", product_use.recall_act, name="recall_act"),
    path("products/<str:key>/movements/<slug:kind>/", product_use.move, name="move_units"),
    path("sessions/<uuid:session_id>/product/", session_product.product, name="session_product"),
    path(
        "sessions/products/<uuid:loaded_id>/confirm/",
        session_product.confirm,
        name="confirm_product",
    ),
    path(
        "sessions/products/<uuid:loaded_id>/void/",
        session_product.withdraw,
        name="void_product",
    ),
]
urlpatterns += product_patterns
