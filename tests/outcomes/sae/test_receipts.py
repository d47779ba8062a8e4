"""Each recipient's receipt is kept: institution, ethics committee, sponsor and authority."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, ProgrammingError, connection

from outcomes.models import SaeReceipt, SaeReport, VoidedAcknowledgement
from outcomes.services.sae_receipts import record_receipt, void_acknowledgement, void_receipt
from tests.api.conftest import ApiClient
from tests.casebook.documents import PDF
from tests.factories import as_person, given, sign_in
from tests.outcomes.sae.conftest import FRIDAY, local, received, sent, signed
from tests.outcomes.sae.test_cases import deadlines, fresh
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.core.guards import APP

HOUR = dt.timedelta(hours=1)
SENT = FRIDAY + 1.5 * HOUR
RECIPIENTS = ("sponsor", "institution", "ethics", "authority")


@pytest.fixture
def report(cast, case, clock) -> SaeReport:
    clock(FRIDAY + HOUR)
    made = signed(case, cast.sub_investigator)
    clock(FRIDAY + 3 * HOUR)
    return made


@pytest.fixture
def kept(cast, report, officer) -> dict[str, SaeReceipt]:
    """Every recipient was sent the report and gave a receipt."""
    found = {}
    for number, to in enumerate(RECIPIENTS, start=1):
        by = officer if to in ("sponsor", "authority") else cast.nurse
        receipt = sent(report, to, SENT + number * HOUR / 60, by)
        found[to] = received(receipt, SENT + (number + 10) * HOUR / 60, by, f"{to}-{number}")
    return found


@given
def the(receipt: SaeReceipt) -> SaeReceipt:
    return SaeReceipt.objects.get(pk=receipt.pk)


def executed(by, statement: str, receipt: SaeReceipt) -> None:
    """SQL of the application's own role, on somebody's behalf."""
    with as_person(by), connection.cursor() as cursor:
        cursor.execute(statement, [receipt.pk])
        assert cursor.rowcount == 1


def test_the_receipt_of_each_recipient_is_kept_with_its_number_and_moment(
    cast, case, report, officer
):
    nurse, watch = sign_in(cast.nurse), sign_in(officer)
    for number, to in enumerate(RECIPIENTS, start=1):
        client = watch if to in ("sponsor", "authority") else nurse
        name = f"send-{report.pk}"
        answer = client.post(
            f"/safety/reports/{report.pk}/send/",
            {f"{name}-recipient": to, f"{name}-submitted_at": "2026-03-07T01:20",
             f"{name}-way": "portal"},
        )  # fmt: skip
        assert answer.status_code == 302
        receipt = given(SaeReceipt.objects.get)(recipient=to)
        said: dict[str, object] = {
            "received_at": f"2026-03-07T01:3{number}",
            "receipt_number": f"{to}-77",
        }
        if to == "ethics":
            said["file"] = SimpleUploadedFile("stamp.pdf", PDF, "application/pdf")
        assert client.post(f"/safety/receipts/{receipt.pk}/", said).status_code == 302
    page = watch.get(f"/safety/cases/{case.pk}/").content.decode()
    for number, to in enumerate(RECIPIENTS, start=1):
        row = given(SaeReceipt.objects.select_related("attachment").get)(recipient=to)
        assert row.received_at is not None
        assert (row.receipt_number, local(row.received_at)) == (
            f"{to}-77",
            f"Sat 2026-03-07 01:3{number}",
        )
        assert f"{to}-77" in page
        assert bool(row.attachment) is (to == "ethics")
    assert "stamp.pdf" in page


@pytest.mark.parametrize("to", RECIPIENTS)
def test_the_application_cannot_delete_a_receipt(cast, kept, officer, to):
    with as_person(officer), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (APP,)
    with pytest.raises(ProgrammingError, match="permission denied"):
        executed(officer, "DELETE FROM outcomes_saereceipt WHERE id = %s", kept[to])


@pytest.mark.parametrize("to", RECIPIENTS)
@pytest.mark.parametrize(
    "change",
    [
        "received_at = received_at + interval '1 hour'",
        "receipt_number = 'another'",
        "submitted_at = submitted_at - interval '1 hour'",
        "recipient = 'ethics', way = 'paper'",
        "received_at = NULL, receipt_number = '', acknowledged_by_id = NULL, kept_at = NULL, "
        "by_recipient = false, attachment_id = NULL",
    ],
)
def test_the_application_cannot_rewrite_a_receipt(cast, kept, officer, to, change):
    with pytest.raises(Exception, match="what was sent and received stays"):
        executed(officer, f"UPDATE outcomes_saereceipt SET {change} WHERE id = %s", kept[to])


def test_the_application_cannot_void_what_is_acknowledged(cast, kept, officer):
    with as_person(officer), pytest.raises(IntegrityError, match="not_voided_once_received"):
        SaeReceipt.objects.filter(pk=kept["sponsor"].pk).update(voided_at=SENT, void_reason="x")


def test_a_sending_that_was_acknowledged_is_not_voided_before_its_receipt(cast, kept, officer):
    for by in (cast.nurse, officer):
        with as_person(by), pytest.raises(TransitionError, match="acknowledged"):
            void_receipt(receipt=kept["sponsor"], reason="x", by=by)
    refused = sign_in(cast.nurse).post(
        f"/safety/receipts/{kept['sponsor'].pk}/void/", {"reason": "Mistake"}
    )
    assert refused.status_code == 422
    assert "void its receipt first" in refused.content.decode()


def test_who_entered_a_receipt_or_the_officer_voids_it_and_it_is_kept(
    cast, case, kept, officer, clock
):
    for by in (cast.nurse, cast.sub_investigator):
        with as_person(by), pytest.raises(NotPermittedError):
            void_acknowledgement(receipt=kept["sponsor"], reason="x", by=by)
    with as_person(cast.sub_investigator), pytest.raises(NotPermittedError):
        void_acknowledgement(receipt=kept["ethics"], reason="x", by=cast.sub_investigator)
    with as_person(cast.nurse):
        void_acknowledgement(receipt=kept["ethics"], reason="Another case's", by=cast.nurse)
    with as_person(officer), pytest.raises(DomainError, match="reason"):
        void_acknowledgement(receipt=kept["sponsor"], reason=" ", by=officer)
    before = deadlines(case)["authority_grave"].since
    with as_person(officer):
        void_acknowledgement(receipt=kept["sponsor"], reason="Misread", by=officer)
    # That it was sent stays, and the sponsor's clock counts from the sending again.
    assert the(kept["sponsor"]).received_at is None
    assert deadlines(case)["authority_grave"].since < before
    gone = given(VoidedAcknowledgement.objects.get)(receipt=kept["sponsor"])
    assert (gone.receipt_number, gone.void_reason) == ("sponsor-1", "Misread")
    again = received(the(kept["sponsor"]), SENT + HOUR / 2, officer, "S-2")
    assert again.receipt_number == "S-2"
    with as_person(officer), pytest.raises(ProgrammingError, match="permission denied"):
        VoidedAcknowledgement.objects.filter(pk=gone.pk).update(void_reason="y")


def test_a_voided_receipt_empties_the_sending_once(cast, kept, officer):
    with as_person(cast.nurse):
        void_acknowledgement(receipt=kept["ethics"], reason="x", by=cast.nurse)
    received(the(kept["ethics"]), SENT + HOUR / 2, cast.nurse, "E-2")
    with as_person(cast.nurse), pytest.raises(Exception, match="sent and received stays"):
        SaeReceipt.objects.filter(pk=kept["ethics"].pk).update(
            received_at=None, receipt_number="", acknowledged_by=None, kept_at=None,
            by_recipient=False, attachment=None,
        )  # fmt: skip


def test_the_sponsors_receipt_is_the_sponsors_to_enter_or_is_proven_by_its_paper(
    cast, case, report, officer
):
    receipt = sent(report, "sponsor", SENT, cast.nurse)
    for by in (cast.nurse, cast.sub_investigator):
        with pytest.raises(DomainError, match="needs its paper"):
            received(receipt, SENT + HOUR, by, "S-77")
    with as_person(cast.nurse):
        proven = record_receipt(
            receipt=receipt, received_at=SENT + HOUR / 2, number="", by=cast.nurse,
            file=ContentFile(PDF, name="receipt.pdf"),
        )  # fmt: skip
    assert (proven.by_recipient, proven.attachment is None) == (False, False)
    assert local(deadlines(case)["authority_grave"].since) == "Sat 2026-03-07 01:50"


def test_of_another_recipient_a_number_or_a_paper_is_kept(cast, report):
    receipt = sent(report, "ethics", SENT, cast.nurse)
    with pytest.raises(DomainError, match="number of the receipt"):
        received(receipt, SENT + HOUR, cast.nurse, " ")
    assert received(receipt, SENT + HOUR, cast.nurse, "E-1").receipt_number == "E-1"


def test_the_database_takes_no_unproven_receipt_of_the_sponsors(cast, report):
    receipt = sent(report, "sponsor", SENT, cast.nurse)
    with as_person(cast.nurse), pytest.raises(IntegrityError, match="sae_receipt_proven"):
        SaeReceipt.objects.filter(pk=receipt.pk).update(
            received_at=SENT + HOUR, receipt_number="S-77", acknowledged_by=cast.nurse,
            kept_at=SENT + HOUR,
        )  # fmt: skip


def test_what_is_wrong_with_a_receipt_stands_beside_what_was_typed(cast, case, report):
    receipt = sent(report, "sponsor", SENT, cast.nurse)
    answer = sign_in(cast.nurse).post(
        f"/safety/receipts/{receipt.pk}/",
        {"received_at": "2026-03-07T01:25", "receipt_number": "S-77"},
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "needs its paper" in page
    assert 'value="S-77"' in page
    assert 'value="2026-03-07T01:25"' in page


def test_a_receipt_is_voided_on_the_page_and_shown_among_the_voided(cast, case, kept, officer):
    nurse, watch = sign_in(cast.nurse), sign_in(officer)
    path = f"/safety/receipts/{kept['sponsor'].pk}/void-receipt/"
    page = f"/safety/cases/{case.pk}/"
    assert path not in nurse.get(page).content.decode()
    assert path in watch.get(page).content.decode()
    assert "sponsor-1" in watch.get(path).content.decode()
    assert watch.post(path, {"reason": ""}).status_code == 422
    done = watch.post(path, {"reason": "Misread"}, follow=True).content.decode()
    assert "Receipt of Sponsor, sponsor-1" in done
    assert fresh(case).closed_at is None


def test_a_machine_proves_and_voids_a_receipt(cast, case, report, officer):
    receipt, nurse = sent(report, "sponsor", SENT, cast.nurse), ApiClient(cast.nurse)
    path = f"sae-receipts/{receipt.pk}/received/"
    body = {"received_at": "2026-03-06T18:00:00Z", "receipt_number": "S-77"}
    assert nurse.post(path, body).status_code == 409
    paper = {"filename": "receipt.pdf", "content": base64.b64encode(PDF).decode()}
    done = nurse.post(path, body | paper)
    assert done.status_code == 200, done.content
    assert nurse.post(f"sae-receipts/{receipt.pk}/void/", {"reason": "x"}).status_code == 409
    gone = nurse.post(f"{path}void/", {"reason": "Misread"})
    assert gone.json()["receipts"][0]["received_at"] is None
    assert nurse.post(f"sae-receipts/{receipt.pk}/void/", {"reason": "x"}).status_code == 200
