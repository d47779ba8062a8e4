"""The pages of consent: what they say, what they refuse beside which field, who reads them."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from screening.models import CapacityAssessment, Consent, ConsentApproval, Withdrawal
from screening.models.consent import CapacityOutcome, ConsentKind, Scope, Signer
from tests.casebook.documents import PNG
from tests.factories import as_person, make_entry, make_protocol, make_subject, sign_in
from tests.screening.consenting import (
    assess,
    consented,
    make_document,
    sign,
    wall,
    withdraw,
)
from trialsite.casebook.models import Attachment, Subject


@pytest.fixture
def document(cast):
    make_protocol(cast.site, cast.other_site)
    return make_document(cast, cast.site, cast.other_site)


def address(name: str, *args: object) -> str:
    return reverse(f"screening:{name}", args=args)


def typed(cast, document, **changes: str) -> dict[str, str]:
    return {
        "kind": "initial",
        "document": str(document.pk),
        "signed_at": wall(cast.site, hours=-1).strftime("%Y-%m-%dT%H:%M"),
        "signer": "participant",
        "explained_by": str(cast.sub_investigator.pk),
        "copy_given": "on",
        "future_use": "yes",
        "genetic_analysis": "no",
        "later_contact": "yes",
        "data_sharing": "yes",
    } | changes


def test_the_nurse_records_the_first_consent_from_the_log_with_its_scan(
    cast, document, nurse_client
):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    page = address("first_consent", entry.pk)
    assert entry.number in nurse_client.get(page).content.decode()
    scan = SimpleUploadedFile("signed.png", PNG, "image/png")
    answer = nurse_client.post(page, typed(cast, document) | {"scan": scan})
    with as_person(cast.nurse):
        consent = Consent.objects.select_related("subject").get()
        assert consent.subject.screening_number == entry.number
        assert Attachment.objects.get().record_id == consent.record_id
    assert answer.url == address("consent", consent.subject_id)
    shown = nurse_client.get(answer.url).content.decode()
    assert "signed.png" in shown
    assert "Scan missing" not in shown
    assert nurse_client.get(page).url == address("consent", consent.subject_id)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"signed_at": ""}, "signed_at"),
        ({"signed_at": "2099-01-01T08:00"}, "signed_at"),
        ({"signed_at": "tomorrow"}, "signed_at"),
        ({"document": ""}, "document"),
        ({"signer": "representative"}, "relation"),
        ({"explained_by": ""}, "explained_by"),
        ({"explained_by": "nobody"}, "explained_by"),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    cast, document, nurse_client, changes, field
):
    subject = make_subject(cast.site)
    said = typed(cast, document, comment="read aloud twice", witness="ward sister") | changes
    answer = nurse_client.post(address("record_consent", subject.pk), said)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    page = answer.content.decode()
    assert f'id="id_{field}_error"' in page
    assert "read aloud twice" in page
    assert "ward sister" in page
    with as_person(cast.nurse):
        assert not Consent.objects.exists()


def test_a_refused_scan_takes_nothing_half(cast, document, nurse_client):
    subject = make_subject(cast.site)
    scan = SimpleUploadedFile("signed.png", b"MZ no picture", "image/png")
    answer = nurse_client.post(
        address("record_consent", subject.pk), typed(cast, document) | {"scan": scan}
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["scan"]
    with as_person(cast.nurse):
        assert not Consent.objects.exists()


def test_the_same_form_sent_twice_is_recorded_once(cast, document, nurse_client):
    subject = consented(cast, document)
    said = typed(cast, document, kind="reconsent")
    answers = [nurse_client.post(address("record_consent", subject.pk), said) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 422]
    with as_person(cast.nurse):
        assert Consent.objects.filter(subject=subject).count() == 2


def test_the_page_says_that_the_first_consent_was_not_the_participants(
    cast, document, nurse_client
):
    subject = make_subject(cast.site)
    sign(cast, subject, document, signer=Signer.REPRESENTATIVE)
    page = nurse_client.get(address("consent", subject.pk)).content.decode()
    assert "must be the participant&#x27;s own" in page
    assert "No new protocol procedure may start." in page
    assert "daughter" in page


def test_the_page_tells_what_stops_and_what_goes_on(cast, document, nurse_client):
    subject = consented(cast, document)
    page = address("consent", subject.pk)
    assert "No new protocol procedure" not in nurse_client.get(page).content.decode()
    assess(cast, subject, CapacityOutcome.LOST, grade="IV")
    shown = nurse_client.get(page).content.decode()
    assert "Capacity to consent was lost" in shown
    assert "survival are entered as before" in shown
    casebook = nurse_client.get(reverse("dashboard:subject", args=[subject.pk])).content.decode()
    assert "Capacity to consent was lost" in casebook


def test_what_was_missing_follows_later(cast, document, nurse_client):
    subject = make_subject(cast.site)
    consent = sign(cast, subject, document, copy_given=False, data_sharing=None)
    page = address("consent", subject.pk)
    shown = nurse_client.get(page).content.decode()
    assert "Scan missing" in shown
    assert "Copy not given" in shown
    assert nurse_client.post(address("consent_scan", consent.pk)).status_code == 422
    bad = SimpleUploadedFile("signed.png", b"MZ", "image/png")
    refused = nurse_client.post(address("consent_scan", consent.pk), {"scan": bad})
    assert refused.status_code == 422
    assert "scan-error" in refused.content.decode()
    good = SimpleUploadedFile("signed.png", PNG, "image/png")
    assert nurse_client.post(address("consent_scan", consent.pk), {"scan": good}).url == page
    said = {f"{consent.pk}-copy_given": "on", f"{consent.pk}-data_sharing": "no"}
    assert nurse_client.post(address("complete_consent", consent.pk), said).url == page
    shown = nurse_client.get(page).content.decode()
    assert "Scan missing" not in shown
    assert "Copy not given" not in shown
    with as_person(cast.nurse):
        assert Consent.objects.get().data_sharing is False


def test_an_assessment_and_a_withdrawal_are_recorded_on_their_pages(cast, document, nurse_client):
    subject = consented(cast, document)
    at = wall(cast.site, hours=-1).strftime("%Y-%m-%dT%H:%M")
    said = {
        "assessed_at": at,
        "assessor": str(cast.investigator.pk),
        "he_grade": "II",
        "outcome": "present",
        "method": "Interview",
    }
    wrong = nurse_client.post(address("capacity", subject.pk), said | {"he_grade": ""})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (422, ["he_grade"])
    assert nurse_client.post(address("capacity", subject.pk), said).status_code == 302
    taken = {"withdrawn_at": at, "scopes": ["treatment", "contact"], "stated_by": "participant"}
    none = nurse_client.post(address("withdraw", subject.pk), taken | {"scopes": []})
    assert (none.status_code, list(none.context["form"].errors)) == (422, ["scopes"])
    assert nurse_client.post(address("withdraw", subject.pk), taken).status_code == 302
    with as_person(cast.nurse):
        assert CapacityAssessment.objects.get().he_grade == "II"
        assert Withdrawal.objects.get().scopes == ["treatment", "contact"]
    form = nurse_client.get(address("record_consent", subject.pk)).context["form"]
    assert [value for value, _label in form.fields["resumes"].choices] == ["treatment", "contact"]


def test_an_act_in_error_is_voided_with_its_reason_and_stays_on_the_page(
    cast, document, nurse_client
):
    subject = consented(cast, document)
    made = withdraw(cast, subject, Scope.ALL_DATA)
    void = address("void_consent_part", "withdrawal", made.pk)
    nurse_client.post(void, {"reason": ""})
    with as_person(cast.nurse):
        assert Subject.objects.get(pk=subject.pk).consent_state == "withdrawn"
    nurse_client.post(void, {"reason": "another participant"})
    with as_person(cast.nurse):
        assert Subject.objects.get(pk=subject.pk).consent_state == "given"
    assert (
        "another participant" in nurse_client.get(address("consent", subject.pk)).content.decode()
    )


def test_the_due_list_names_who_since_when_and_why(cast, document, nurse_client):
    subject = consented(cast, document)
    assert "No re-consent is due" in nurse_client.get(address("consent_due")).content.decode()
    make_document(cast, cast.site, version="2.0", days=-4, reconsent=True)
    page = nurse_client.get(address("consent_due")).content.decode()
    assert subject.label in page
    assert "version 2.0 is due" in page
    assert subject.label not in sign_in(cast.stranger).get(address("consent_due")).content.decode()


def test_the_consent_page_costs_the_same_for_any_number_of_acts(cast, document, nurse_client):
    subject = consented(cast, document, days=-50)
    page = address("consent", subject.pk)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse_client.get(page).status_code == 200
        return len(captured)

    def grow(first: int, last: int) -> None:
        for day in range(first, last):
            sign(cast, subject, document, days=-day, kind=ConsentKind.RECONSENT)
            assess(cast, subject, CapacityOutcome.PRESENT, days=-day)

    grow(1, 3)
    queries()
    few = queries()
    grow(3, 9)
    assert queries() == few


# -- Documents and approvals -----------------------------------------------------------


def test_the_investigator_enters_approves_and_withdraws_a_document(cast):
    make_protocol(cast.site)
    client = sign_in(cast.investigator)
    page = address("consent_documents")
    assert "no subject can consent" in client.get(page).content.decode()
    said = {
        "document-version": "1.0",
        "document-language": "zh",
        "document-title": "知情同意书",
        "document-reference": "TMF 2.2.1",
        "document-change_note": "first",
    }
    wrong = client.post(address("add_consent_document"), said | {"document-title": ""})
    assert wrong.status_code == 422
    assert "TMF 2.2.1" in wrong.content.decode()
    assert client.post(address("add_consent_document"), said)["Location"] == page
    again = client.post(address("add_consent_document"), said)
    assert "already there in this language" in again.content.decode()
    document = client.get(page).context["documents"].get()
    approval = {
        "approval-site": str(cast.site.pk),
        "approval-document": str(document.pk),
        "approval-committee": "Ethics committee",
        "approval-reference": "EC-7",
        "approval-approved_on": "2026-03-05",
        "approval-effective_on": "2026-03-01",
    }
    early = client.post(address("approve_consent"), approval)
    assert list(early.context["approval_form"].errors) == ["effective_on"]
    approval["approval-effective_on"] = "2026-03-10"
    assert client.post(address("approve_consent"), approval)["Location"] == page
    assert "In force" in client.get(page).content.decode()
    with as_person(cast.investigator):
        made = ConsentApproval.objects.get()
    taken = {"withdraw-approval": str(made.pk), "withdraw-on": "2026-04-01"}
    assert client.post(address("withdraw_consent_approval"), taken).status_code == 422
    taken["withdraw-reason"] = "EC letter 12"
    assert client.post(address("withdraw_consent_approval"), taken)["Location"] == page
    assert "EC letter 12" in client.get(page).content.decode()


def test_documents_of_another_sites_approvals_are_not_shown(cast, document):
    stranger = sign_in(cast.stranger).get(address("consent_documents"))
    assert [site for site, _approvals in stranger.context["sites"]] == [cast.other_site]
    assert not stranger.context["may_configure"]


# -- Who may ---------------------------------------------------------------------------


def test_another_sites_consent_does_not_exist(cast, document):
    subject = consented(cast, document)
    with as_person(cast.nurse):
        consent = Consent.objects.get()
    client = sign_in(cast.stranger)
    for name in ("consent", "record_consent", "capacity", "withdraw"):
        assert client.get(address(name, subject.pk)).status_code == 404
    for name in ("complete_consent", "consent_scan"):
        assert client.post(address(name, consent.pk)).status_code == 404
    assert client.post(address("void_consent_part", "consent", consent.pk)).status_code == 404
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    assert client.get(address("first_consent", entry.pk)).status_code == 404


def test_the_monitor_reads_and_records_nothing(cast, document):
    subject = consented(cast, document)
    with as_person(cast.nurse):
        consent = Consent.objects.get()
    client = sign_in(cast.monitor)
    page = client.get(address("consent", subject.pk))
    assert page.status_code == 200
    assert "Record consent" not in page.content.decode()
    for name in ("record_consent", "capacity", "withdraw"):
        assert client.post(address(name, subject.pk)).status_code == 403
    assert client.post(address("consent_scan", consent.pk)).status_code == 403
    assert client.post(address("add_consent_document")).status_code == 403


def test_a_record_of_consent_leads_to_its_page(cast, document, nurse_client):
    subject = consented(cast, document)
    with as_person(cast.nurse):
        consent = Consent.objects.get()
    page = nurse_client.get(reverse("crf:record", args=[consent.record_id])).content.decode()
    assert address("consent", subject.pk) in page
