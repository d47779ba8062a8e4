"""Consent through the API: the same rules, refused at the same names."""

from __future__ import annotations

import pytest

from screening.models import Consent, Withdrawal
from tests.api.conftest import ApiClient
from tests.factories import as_person, make_entry, make_protocol, make_subject
from tests.screening.consenting import consented, make_document, wall
from trialsite.casebook.models import Subject


@pytest.fixture
def document(cast):
    make_protocol(cast.site, cast.other_site)
    return make_document(cast, cast.site, cast.other_site)


@pytest.fixture
def nurse(cast):
    return ApiClient(cast.nurse)


def body(cast, **changes):
    said = {
        "kind": "initial",
        "document_version": "1.0",
        "document_language": "zh",
        "signed_at": wall(cast.site, hours=-1).isoformat(timespec="minutes"),
        "signer": "participant",
        "explained_by": cast.sub_investigator.email,
        "copy_given": True,
        "future_use": True,
        "genetic_analysis": False,
        "later_contact": True,
    }
    return said | changes


def test_an_entry_of_the_log_becomes_a_subject_by_its_consent(cast, document, nurse):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    answer = nurse.post("consents/", body(cast, entry=str(entry.pk)))
    assert answer.status_code == 201, answer.content
    said = answer.json()
    assert (said["SCRNID"], said["status"]) == (entry.number, "in_progress")
    assert said["signed_at"] == body(cast)["signed_at"]
    missing = f"consents/{said['id']}/missing/"
    assert nurse.post(missing, {"data_sharing": True}).status_code == 428
    done = nurse.post(missing, {"data_sharing": True}, version=said["version"])
    assert (done.status_code, done.json()["status"]) == (200, "complete")
    assert nurse.post(missing, {}, version=said["version"]).status_code == 412
    assert nurse.get("consents/", subject=said["subject"]).json()["count"] == 1


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"signed_at": "2099-01-01T08:00"}, "signed_at"),
        ({"signed_at": "yesterday"}, "signed_at"),
        ({"signed_at": "2026-03-05T08:00+08:00"}, "signed_at"),
        ({"document_version": "9"}, "document_version"),
        ({"explained_by": "nobody@example.org"}, "explained_by"),
        ({"signer": "representative"}, "relation"),
        ({"kind": "own"}, "kind"),
        ({"resumes": ["treatment"]}, "resumes"),
    ],
)
def test_what_cannot_stand_is_refused_at_its_name(cast, document, nurse, changes, name):
    subject = make_subject(cast.site)
    answer = nurse.post("consents/", body(cast, subject=str(subject.pk), **changes))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]
    with as_person(cast.nurse):
        assert not Consent.objects.exists()


def test_either_a_subject_or_an_entry_is_named(cast, document, nurse):
    subject = make_subject(cast.site)
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    both = {"subject": str(subject.pk), "entry": str(entry.pk)}
    for said in ({}, both):
        assert nurse.post("consents/", body(cast, **said)).status_code == 400
    theirs = make_subject(cast.other_site)
    foreign = nurse.post("consents/", body(cast, subject=str(theirs.pk)))
    unknown = nurse.post("consents/", body(cast, subject="00000000-0000-4000-8000-000000000000"))
    assert foreign.content == unknown.content


def test_capacity_and_withdrawal_are_recorded_and_voided(cast, document, nurse):
    subject = consented(cast, document)
    at = wall(cast.site, hours=-1).isoformat(timespec="minutes")
    assessed = nurse.post(
        "capacity-assessments/",
        {
            "subject": str(subject.pk),
            "assessed_at": at,
            "assessor": cast.investigator.email,
            "he_grade": "IV",
            "outcome": "lost",
            "method": "Coma",
        },
    )
    assert (assessed.status_code, assessed.json()["he_grade"]) == (201, "IV")
    taken = nurse.post(
        "withdrawals/",
        {
            "subject": str(subject.pk),
            "withdrawn_at": at,
            "scopes": ["all_data"],
            "stated_by": "participant",
        },
    )
    assert taken.status_code == 201
    assert nurse.get(f"subjects/{subject.pk}/").json()["consent"] == "withdrawn"
    one = f"withdrawals/{taken.json()['id']}/"
    version = taken.json()["version"]
    gone = nurse.post(f"{one}void/", {"reason": "another participant"}, version=version)
    assert gone.json()["void_reason"] == "another participant"
    assert nurse.get(f"subjects/{subject.pk}/").json()["consent"] == "given"
    with as_person(cast.nurse):
        assert Withdrawal.objects.count() == 1


def test_the_investigator_approves_and_the_nurse_reads(cast, nurse):
    make_protocol(cast.site)
    investigator = ApiClient(cast.investigator)
    document = {
        "version": "1.0",
        "language": "zh",
        "title": "知情同意书",
        "reconsent_required": False,
        "reference": "TMF 2.2.1",
    }
    assert nurse.post("consent-documents/", document).status_code == 403
    assert investigator.post("consent-documents/", document).status_code == 201
    approval = {
        "site": "001",
        "document_version": "1.0",
        "document_language": "zh",
        "committee": "Ethics committee",
        "reference": "EC-7",
        "approved_on": "2026-03-01",
        "effective_on": "2026-03-05",
    }
    assert investigator.post("consent-approvals/", approval | {"site": "009"}).status_code == 400
    made = investigator.post("consent-approvals/", approval)
    assert (made.status_code, made.json()["state"]) == (201, "in_force")
    rows = nurse.get("consent-approvals/").json()["results"]
    assert [row["state"] for row in rows] == ["in_force"]
    assert ApiClient(cast.stranger).get("consent-approvals/").json()["results"] == []
    taken = {
        "site": "001",
        "document_version": "1.0",
        "document_language": "zh",
        "on": "2026-04-01",
        "reason": "EC letter 12",
    }
    assert investigator.post("consent-approvals/withdraw/", taken).json()["state"] == "withdrawn"


@pytest.mark.parametrize("path", ["consents/", "capacity-assessments/", "withdrawals/"])
def test_the_monitor_reads_and_never_writes(cast, document, path):
    consented(cast, document)
    monitor = ApiClient(cast.monitor)
    assert monitor.get(path).status_code == 200
    assert monitor.post(path, {}).status_code == 403
    with as_person(cast.nurse):
        assert Subject.objects.count() == 1


def test_another_sites_consents_are_not_there(cast, document):
    subject = consented(cast, document)
    with as_person(cast.nurse):
        consent = Consent.objects.get(subject=subject)
    stranger = ApiClient(cast.stranger)
    assert stranger.get("consents/").json()["results"] == []
    assert stranger.get(f"consents/{consent.pk}/").status_code == 404
    answer = stranger.post(f"consents/{consent.pk}/void/", {"reason": "x"}, version=1)
    assert answer.status_code == 404
