from __future__ import annotations

from django.urls import URLPattern, path

from screening.views import consent, consent_documents, eligibility, identity, log

app_name = "screening"

consent_patterns: list[URLPattern] = [
    path("subjects/<uuid:subject_id>/consent/", consent.consent, name="consent"),
    path("subjects/<uuid:subject_id>/consent/new/", consent.record, name="record_consent"),
    path("subjects/<uuid:subject_id>/consent/capacity/", consent.capacity, name="capacity"),
    path("subjects/<uuid:subject_id>/consent/withdraw/", consent.withdraw, name="withdraw"),
    path("screening/<uuid:entry_id>/consent/", consent.first, name="first_consent"),
    path("consents/due/", consent.due, name="consent_due"),
    path("consents/<uuid:consent_id>/complete/", consent.complete, name="complete_consent"),
    path("consents/<uuid:consent_id>/scan/", consent.scan, name="consent_scan"),
    path("consents/<str:kind>/<uuid:part_id>/void/", consent.void, name="void_consent_part"),
    path("consent-documents/", consent_documents.documents, name="consent_documents"),
    path("consent-documents/new/", consent_documents.add, name="add_consent_document"),
    path("consent-documents/approvals/", consent_documents.approve, name="approve_consent"),
    path(
        "consent-documents/approvals/withdraw/",
        consent_documents.withdraw,
        name="withdraw_consent_approval",
    ),
]

identity_patterns: list[URLPattern] = [
    path("screening/identifiers/", identity.search, name="identity_search"),
    path("screening/identifiers/<uuid:disclosure_id>/", identity.shown, name="identity_shown"),
    path("screening/<uuid:entry_id>/identity/", identity.identity, name="identity"),
    path("screening/<uuid:entry_id>/identity/show/", identity.ask, name="identity_ask"),
    path("screening/<uuid:entry_id>/identity/erase/", identity.erase, name="identity_erase"),
]

eligibility_patterns: list[URLPattern] = [
    path("subjects/<uuid:subject_id>/eligibility/", eligibility.eligibility, name="eligibility"),
    path("subjects/<uuid:subject_id>/eligibility/sign/", eligibility.sign, name="sign_eligibility"),
    path(
        "subjects/<uuid:subject_id>/eligibility/answers/",
        eligibility.keep,
        name="keep_eligibility",
    ),
    path("eligibility/<uuid:record_id>/", eligibility.evaluation, name="evaluation"),
]

log_patterns: list[URLPattern] = [
    path("screening/", log.log, name="log"),
    path("screening/new/", log.new, name="new"),
    path("screening/<uuid:entry_id>/", log.entry, name="entry"),
    path("screening/<uuid:entry_id>/close/", log.close, name="close"),
    path("screening/<uuid:entry_id>/reopen/", log.reopen, name="reopen"),
    path("screening/<uuid:entry_id>/first-contact/", log.first_contact, name="first_contact"),
    path("screening/<uuid:entry_id>/void/", log.void, name="void"),
    path("screening/<uuid:entry_id>/same-person/", log.same_person, name="same_person"),
    path("screening/<uuid:entry_id>/enrol/", log.enrol, name="enrol"),
    path("screening/<uuid:entry_id>/unenrol/", log.unenrol, name="unenrol"),
]

urlpatterns: list[URLPattern] = [
    *log_patterns,
    *identity_patterns,
    *consent_patterns,
    *eligibility_patterns,
]
