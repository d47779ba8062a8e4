from __future__ import annotations

from django.urls import URLPattern, path

from outcomes.views import adverse_events as views
from outcomes.views import (
    biomarkers,
    changes,
    deputies,
    endpoints,
    events,
    outcome,
    reconciliation,
    sae_acts,
    sae_signing,
    safety,
)
from outcomes.views.sae_entry import new_case

app_name = "outcomes"

urlpatterns: list[URLPattern] = [
    path(
        "subjects/<uuid:subject_id>/adverse-events/",
        views.adverse_events,
        name="adverse_events",
    ),
    path("subjects/<uuid:subject_id>/death/", views.death, name="death"),
    path("subjects/<uuid:subject_id>/outcome/", outcome.outcome, name="outcome"),
    path("subjects/<uuid:subject_id>/survival-contact/", outcome.contact, name="contact"),
    path(
        "subjects/<uuid:subject_id>/transplantation/",
        outcome.transplantation,
        name="transplantation",
    ),
    path("subjects/<uuid:subject_id>/ending/<slug:scope>/", outcome.ending, name="ending"),
    path("survival-contacts/<uuid:record_id>/death/", outcome.told_death, name="told_death"),
    path("adverse-events/", events.events, name="events"),
    path("adverse-events/of/", views.of_source, name="of_source"),
    path(
        "complications/<uuid:complication_id>/adverse-event/",
        views.of_complication,
        name="of_complication",
    ),
    path("outcomes/endpoints/", endpoints.endpoints, name="endpoints"),
    path("outcomes/endpoints/subjects/", endpoints.endpoint_subjects, name="endpoint_subjects"),
    path("outcomes/changes/", changes.changes, name="changes"),
    path("outcomes/changes/subjects/", changes.change_subjects, name="change_subjects"),
    path("outcomes/biomarkers/", biomarkers.biomarkers, name="biomarkers"),
    path(
        "subjects/<uuid:subject_id>/biomarkers/",
        biomarkers.subject_biomarkers,
        name="subject_biomarkers",
    ),
    path("safety/", safety.board, name="safety"),
    path("safety/new/", new_case, name="new_sae"),
    path("safety/deputies/", deputies.deputies, name="deputies"),
    path("safety/deputies/<uuid:pk>/end/", deputies.end, name="end_deputy"),
    path("safety/cases/<uuid:pk>/", safety.case, name="sae_case"),
    path("safety/cases/<uuid:pk>/draft-<slug:language>.pdf", safety.preview, name="sae_preview"),
    path("safety/cases/<uuid:pk>/describe/", sae_acts.describe, name="describe_sae"),
    path("safety/cases/<uuid:pk>/awareness/", sae_acts.awareness, name="sae_awareness"),
    path("safety/cases/<uuid:pk>/sign/<slug:kind>/", sae_signing.sign, name="sign_sae"),
    path("safety/cases/<uuid:pk>/paper/", sae_acts.paper, name="paper_sae"),
    path("safety/cases/<uuid:pk>/agree/", sae_acts.agree, name="agree_sae"),
    path("safety/cases/<uuid:pk>/ease/", sae_acts.ease, name="ease_sae"),
    path("safety/cases/<uuid:pk>/decline/", sae_acts.decline, name="decline_sae"),
    path("safety/cases/<uuid:pk>/sponsor-knew/", sae_acts.sponsor_knew, name="sponsor_knew"),
    path("safety/sponsor-knew/<uuid:pk>/void/", sae_acts.sponsor_knew_not, name="sponsor_knew_not"),
    path("safety/receipts/<uuid:pk>/void-receipt/", sae_acts.unreceive, name="unreceive_sae"),
    path("safety/reports/<uuid:pk>/sign/", sae_signing.sign_sent, name="sign_sent_sae"),
    path("safety/deaths/<uuid:pk>/settle/", sae_acts.settle, name="settle_death"),
    path("safety/cases/<uuid:pk>/confirm/", sae_acts.confirm, name="confirm_sae"),
    path("safety/cases/<uuid:pk>/close/", sae_acts.close, name="close_sae"),
    path("safety/reports/<uuid:pk>/<slug:language>.pdf", safety.report_pdf, name="sae_report_pdf"),
    path("safety/reports/<uuid:pk>/send/", sae_acts.send, name="send_sae"),
    path("safety/receipts/<uuid:pk>/", sae_acts.receive, name="receive_sae"),
    path("safety/receipts/<uuid:pk>/void/", sae_acts.unsend, name="unsend_sae"),
    path("safety/reconciliations/", reconciliation.reconciliations, name="reconciliations"),
    path("safety/reconciliations/new/", reconciliation.new, name="new_reconciliation"),
    path("safety/reconciliations/<uuid:pk>/", reconciliation.reconciliation, name="reconciliation"),
    path(
        "safety/reconciliations/lines/<uuid:pk>/",
        reconciliation.decide,
        name="decide_reconciliation",
    ),
]
