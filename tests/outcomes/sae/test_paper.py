"""A report that left by fax before it could be signed here: kept, its clock met, signed later."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from outcomes.models import SaeReceipt, SaeReport, Way
from outcomes.services.sae_deadlines import owed_of
from outcomes.services.sae_decisions import close_case
from outcomes.services.sae_papers import Carried
from outcomes.services.sae_reports import sign_sent_report
from outcomes.services.sae_sending import Sending, record_paper_report, record_submission
from tests.api.conftest import ApiClient
from tests.casebook.documents import PDF
from tests.factories import as_person, given, sign_in
from tests.outcomes.sae.conftest import FRIDAY, first_word, local, received, sent, signed
from tests.outcomes.sae.test_cases import DEAD, SITE_CLOCK, deadlines, fresh, say
from tests.outcomes.sae.test_reminders import notices
from tests.signing import factors_of, proof_of
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError

HOUR = dt.timedelta(hours=1)
FAXED = FRIDAY + HOUR


def fax(case, by, *to: str, at: dt.datetime = FAXED, carried: Carried | None = None) -> SaeReport:
    with as_person(by):
        return record_paper_report(
            case=case,
            sendings=[Sending(recipient=each, submitted_at=at, way=Way.FAX) for each in to],
            evidence=ContentFile(PDF, name="fax.pdf"),
            by=by,
            carried=carried,
        )


def sign(report, by):
    with as_person(by):
        return sign_sent_report(report=report, by=by, proof=proof_of(by), seen=report.content_hash)


@given
def owed(case):
    return {each.recipient for each in owed_of(case)}


def test_the_fax_meets_its_clocks_and_the_signature_is_owed(cast, case, officer, clock):
    clock(FRIDAY + 9 * HOUR)
    report = fax(case, cast.nurse, "sponsor", "institution", "ethics")
    assert report.signature is None
    assert owed(case) == {"authority"}
    receipt = given(SaeReceipt.objects.select_related("evidence").get)(recipient="ethics")
    assert local(receipt.submitted_at) == "Sat 2026-03-07 00:50"
    assert receipt.due_at is not None
    assert local(receipt.due_at) == "Sat 2026-03-07 23:50"
    assert receipt.evidence is not None
    assert receipt.evidence.filename == "fax.pdf"
    # The sponsor knew by the fax.
    assert local(deadlines(case)["authority_grave"].since) == "Sat 2026-03-07 00:50"
    clock(FRIDAY + 12 * HOUR)
    with pytest.raises(TransitionError, match="signed first"):
        signed(case, cast.sub_investigator, "follow_up")
    assert sign(report, cast.sub_investigator).signed_by == cast.sub_investigator
    assert signed(case, cast.sub_investigator, "follow_up").number == 1


def test_a_further_recipient_of_the_same_fax_is_entered_on_it(cast, case, clock):
    clock(FRIDAY + 9 * HOUR)
    report = fax(case, cast.nurse, "sponsor")
    with as_person(cast.nurse):
        later = record_submission(
            report=report,
            sending=Sending(recipient="ethics", submitted_at=FAXED, way=Way.FAX),
            by=cast.nurse,
        )
        assert later.evidence is not None
    assert "ethics" not in owed(case)


def test_it_needs_its_paper_and_left_after_the_site_knew(cast, case, clock):
    clock(FRIDAY + 9 * HOUR)
    with pytest.raises(DomainError, match="before the site knew"):
        fax(case, cast.nurse, "sponsor", at=FRIDAY - HOUR)
    with pytest.raises(DomainError, match="future"):
        fax(case, cast.nurse, "sponsor", at=FRIDAY + 10 * HOUR)
    with pytest.raises(NotPermittedError):
        fax(case, cast.monitor, "sponsor")
    with pytest.raises(DomainError, match="to whom"):
        fax(case, cast.nurse)
    assert given(SaeReport.objects.count)() == 0


def test_the_case_does_not_close_before_the_signature(cast, subject, officer, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    mild = first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")
    clock(FRIDAY + 9 * HOUR)
    report = fax(mild, cast.nurse, "sponsor", "institution", "ethics")
    received(given(SaeReceipt.objects.get)(recipient="sponsor"), FRIDAY + 2 * HOUR, officer)
    assert owed(mild) == set()
    with as_person(officer), pytest.raises(TransitionError, match="not signed yet"):
        close_case(case=mild, reason="Done", by=officer)
    sign(report, cast.sub_investigator)
    with as_person(officer):
        assert close_case(case=fresh(mild), reason="Done", by=officer).closed_at


def test_the_signature_is_reminded_of(cast, case, officer, run, sink, clock):
    clock(FRIDAY + HOUR)
    report = fax(case, cast.nurse, "sponsor", "institution", "ethics")
    run(FRIDAY + 13.1 * HOUR)
    assert notices() == [(cast.sub_investigator.full_name, "signature-12")]
    sign(report, cast.sub_investigator)
    run(FRIDAY + 25.1 * HOUR)
    assert [step for _who, step in notices()] == ["signature-12"]


def test_nurse_and_investigator_do_it_on_the_page(cast, case, clock):
    clock(FRIDAY + 9 * HOUR)
    nurse = sign_in(cast.nurse)
    body: dict[str, object] = {
        "paper-recipients": ["sponsor", "ethics"],
        "paper-submitted_at": "2026-03-07T00:50",
        "paper-way": "fax",
    }
    refused = nurse.post(f"/safety/cases/{case.pk}/paper/", body)
    assert refused.status_code == 422
    assert 'value="2026-03-07T00:50"' in refused.content.decode()
    body["paper-file"] = SimpleUploadedFile("fax.pdf", PDF, "application/pdf")
    page = nurse.post(f"/safety/cases/{case.pk}/paper/", body, follow=True).content.decode()
    assert "Signature owed" in page
    assert "fax.pdf" in page
    report = given(SaeReport.objects.get)()
    draft = nurse.get(f"/safety/reports/{report.pk}/en.pdf")
    assert draft["Content-Type"] == "application/pdf"
    doctor = sign_in(cast.sub_investigator)
    address = f"/safety/reports/{report.pk}/sign/"
    read = doctor.get(address)
    assert "Septic shock" in read.content.decode()
    signed_page = doctor.post(
        address, {"seen": read.context["seen"], **factors_of(cast.sub_investigator)}, follow=True
    )
    assert "Signature owed" not in signed_page.content.decode()
    assert given(SaeReport.objects.get)().signed_by_id == cast.sub_investigator.pk


def test_the_nurse_signs_nothing(cast, case, clock):
    clock(FRIDAY + 9 * HOUR)
    report = fax(case, cast.nurse, "sponsor")
    with pytest.raises(NotPermittedError):
        sign(report, cast.nurse)
    assert sign_in(cast.nurse).get(f"/safety/reports/{report.pk}/sign/").status_code == 403


@pytest.fixture
def mild(cast, subject, clock):
    """Known on Friday night, in hospital for longer, of the disease."""
    clock(FRIDAY + dt.timedelta(minutes=5))
    return first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")


def die(case, cast, clock) -> None:
    """On Monday the event turns fatal, and the circuit is to blame."""
    clock(MONDAY)
    say(case, cast.nurse, **DEAD, related_circuit="PROBABLE")


MONDAY = FRIDAY + dt.timedelta(days=2, hours=10)
MILD = Carried(grave=False, suspected=False)
GRAVE = Carried(grave=True, suspected=True)


def test_a_fax_entered_after_an_upgrade_tells_nobody_of_the_upgrade(cast, mild, officer, clock):
    die(mild, cast, clock)
    with pytest.raises(DomainError, match="What is known has changed"):
        fax(mild, cast.nurse, *SITE_CLOCK)
    report = fax(mild, cast.nurse, *SITE_CLOCK, carried=MILD)
    facts = report.content["facts"]
    assert (facts["grave"], facts["suspected"], facts["criteria"]) == (False, False, [])
    said = str(report.content["en"])
    assert "It says: fatal or life-threatening" in said
    assert "Fatal" not in said.replace("It says: fatal", "")
    # All three are owed the upgrade, from when it was known here; the authority's days run.
    assert owed(mild) == {*SITE_CLOCK, "authority"}
    found = deadlines(mild)
    assert {local(found[to].due_at) for to in SITE_CLOCK} == {"Tue 2026-03-10 09:50"}
    assert local(found["authority_grave"].since)[:14] == "Mon 2026-03-09"


def test_nobody_says_that_a_paper_carried_what_was_known_only_later(cast, mild, clock):
    die(mild, cast, clock)
    for carried in (GRAVE, Carried(grave=False, suspected=True)):
        with pytest.raises(DomainError, match="not known yet when the paper left"):
            fax(mild, cast.nurse, "sponsor", carried=carried)
    assert given(SaeReport.objects.count)() == 0


def test_the_database_takes_no_paper_that_left_before_what_it_says(cast, mild, clock):
    die(mild, cast, clock)
    report = fax(mild, cast.nurse, "sponsor", at=MONDAY + dt.timedelta(minutes=1) - HOUR / 60)
    assert report.content["facts"]["grave"]
    with as_person(cast.nurse), pytest.raises(Exception, match="not known when the paper"):
        SaeReceipt.objects.create(
            case=mild, report=report, site_id=mild.site_id, subject_id=mild.subject_id,
            record_id=mild.record_id, recipient="ethics", submitted_at=FAXED, way=Way.FAX,
            submitted_by=cast.nurse, entered_at=MONDAY,
        )  # fmt: skip
    with as_person(cast.nurse), pytest.raises(DomainError, match="not known yet"):
        record_submission(
            report=report,
            sending=Sending(recipient="ethics", submitted_at=FAXED, way=Way.FAX),
            by=cast.nurse,
        )


def test_of_a_paper_that_left_before_anything_was_entered_the_person_says_what_it_carried(
    cast, subject, clock
):
    clock(FRIDAY + 9 * HOUR)
    case = first_word(subject, cast.nurse)
    with pytest.raises(DomainError, match="Say what"):
        fax(case, cast.nurse, "sponsor")
    report = fax(case, cast.nurse, "sponsor", "ethics", "institution", carried=GRAVE)
    assert report.content["facts"]["grave"]
    assert owed(case) == {"authority"}
    # In time, though it was entered nine hours later.
    receipt = given(SaeReceipt.objects.get)(recipient="ethics")
    assert receipt.due_at is not None
    assert receipt.submitted_at <= receipt.due_at


def test_a_paper_that_says_less_than_was_known_meets_less(cast, subject, clock):
    clock(FRIDAY + 9 * HOUR)
    case = first_word(subject, cast.nurse)
    fax(case, cast.nurse, "ethics", carried=MILD)
    assert "ethics" in owed(case)


def test_a_paper_that_left_before_a_report_was_signed_here_stands_before_it(
    cast, mild, officer, clock
):
    clock(FRIDAY + 3 * HOUR)
    first = signed(mild, cast.sub_investigator)
    clock(FRIDAY + 4 * HOUR)
    sent(first, "sponsor", FRIDAY + 3.5 * HOUR, cast.nurse)
    die(mild, cast, clock)
    clock(MONDAY + HOUR)
    upgrade = signed(mild, cast.sub_investigator, "follow_up")
    clock(MONDAY + 2 * HOUR)
    late = fax(mild, cast.nurse, "ethics", at=FRIDAY + 5 * HOUR, carried=MILD)
    assert (late.number, late.counts_as) == (2, 0)
    assert "ethics" in owed(mild)
    sent(upgrade, "ethics", MONDAY + 1.5 * HOUR, cast.nurse)
    assert "ethics" not in owed(mild)


def test_the_page_asks_what_the_paper_carried_and_the_machine_says_it(cast, mild, clock):
    die(mild, cast, clock)
    nurse, path = sign_in(cast.nurse), f"/safety/cases/{mild.pk}/paper/"

    def body(**more: str) -> dict[str, object]:
        paper = SimpleUploadedFile("fax.pdf", PDF, "application/pdf")
        return {
            "paper-recipients": ["ethics"], "paper-submitted_at": "2026-03-07T00:50",
            "paper-way": "fax", "paper-file": paper, **more,
        }  # fmt: skip

    refused = nurse.post(path, body())
    assert refused.status_code == 422
    assert "Say what the paper carried" in refused.content.decode()
    half = nurse.post(path, body(**{"paper-grave": "no"}))
    assert "Say both" in half.content.decode()
    nurse.post(path, body(**{"paper-grave": "no", "paper-suspected": "no"}))
    report = given(SaeReport.objects.get)()
    assert report.content["facts"]["grave"] is False
    machine = {
        "recipients": ["sponsor"], "submitted_at": "2026-03-06T16:50:00Z", "way": "fax",
        "filename": "fax.pdf", "content": base64.b64encode(PDF).decode(),
        "carried": {"grave": True, "suspected": True},
    }  # fmt: skip
    sign(report, cast.sub_investigator)
    answer = ApiClient(cast.nurse).post(f"sae-cases/{mild.pk}/paper-reports/", machine)
    assert answer.status_code == 409
    machine["carried"] = {"grave": False, "suspected": False}
    answer = ApiClient(cast.nurse).post(f"sae-cases/{mild.pk}/paper-reports/", machine)
    assert answer.status_code == 201, answer.content
