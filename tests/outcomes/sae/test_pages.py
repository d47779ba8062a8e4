"""Reporting a serious adverse event in the browser, from the first word to the receipts."""

from __future__ import annotations

import datetime as dt
import io

import pypdf
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import Deputy, SaeCase, SaeReceipt, SaeReport
from tests.factories import given, make_subject, sign_in
from tests.outcomes.sae.conftest import FRIDAY, first_word, received, sent, signed
from tests.signing import factors_of

HOUR = dt.timedelta(hours=1)


@given
def the(model, **fields):
    return model.objects.get(**fields)


def minimum(subject, **texts):
    return {
        "subject": str(subject.pk),
        "term": "Septic shock",
        "criterion": "life_threatening",
        "suspected": "circuit",
        "aware_at": "2026-03-06T23:50",
        "reporter": "Dr Wei",
    } | texts


def test_the_first_word_takes_six_fields_four_of_them_filled_in_from_a_complication(
    cast, subject, complication, clock
):
    clock(FRIDAY + dt.timedelta(minutes=5))
    page = sign_in(cast.nurse).get(f"/safety/new/?complication={complication.pk}")
    form = page.context["form"]
    required = [name for name, field in form.fields.items() if field.required]
    assert required == ["subject", "term", "criterion", "suspected", "aware_at", "reporter"]
    filled = [name for name in required if form[name].value()]
    assert set(filled) == {"subject", "term", "aware_at", "reporter"}
    assert 'value="2026-03-06T23:55"' in page.content.decode()


def test_the_nurse_enters_the_minimum_and_lands_on_the_case(cast, subject, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    client = sign_in(cast.nurse)
    answer = client.post("/safety/new/", minimum(subject), follow=True)
    page = answer.content.decode()
    assert "2026-03-07 23:50" in page
    assert "23 h 5" in page
    assert the(SaeCase, subject=subject).suspected == "circuit"


def test_what_was_typed_stands_beside_what_is_wrong(cast, subject):
    answer = sign_in(cast.nurse).post("/safety/new/", minimum(subject, criterion="", term="Fall"))
    assert answer.status_code == 422
    assert 'value="Fall"' in answer.content.decode()


def test_the_same_event_is_asked_about_and_either_answer_goes_on(cast, subject, case):
    client = sign_in(cast.nurse)
    asked = client.post("/safety/new/", minimum(subject))
    assert asked.status_code == 409
    assert "Is it one of these?" in asked.content.decode()
    client.post("/safety/new/", minimum(subject, known=str(case.record_id)))
    assert the(SaeCase, subject=subject).pk == case.pk
    client.post("/safety/new/", minimum(subject, another="true"))
    assert given(SaeCase.objects.filter(subject=subject).count)() == 2


def test_another_sites_nurse_sees_no_case_and_no_paper(cast, case, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    client = sign_in(cast.stranger)
    assert client.get("/safety/").context["page"].object_list == []
    assert client.get(f"/safety/cases/{case.pk}/").status_code == 404
    assert client.get(f"/safety/reports/{report.pk}/en.pdf").status_code == 404
    assert client.get(f"/safety/cases/{case.pk}/draft-en.pdf").status_code == 404


def test_the_draft_says_that_it_is_one_and_the_paper_names_its_signature(cast, case, clock):
    clock(FRIDAY + HOUR)
    client = sign_in(cast.sub_investigator)
    draft = text_of(client.get(f"/safety/cases/{case.pk}/draft-en.pdf").content)
    assert "DRAFT" in draft
    assert "Septic shock" in draft
    page = f"/safety/cases/{case.pk}/sign/initial/"
    shown = client.get(page)
    assert "Septic shock" in shown.content.decode()
    seen = shown.context["seen"]
    answer = client.post(page, {"seen": seen, **factors_of(cast.sub_investigator)})
    assert answer.status_code == 302
    report = the(SaeReport, case=case)
    for language, word in (("en", "Serious because"), ("zh-hans", "Septic shock")):
        paper = client.get(f"/safety/reports/{report.pk}/{language}.pdf")
        said = text_of(paper.content)
        assert paper["Content-Type"] == "application/pdf"
        assert word in said
        assert report.content_hash in said.replace("\n", "")
        assert cast.sub_investigator.full_name in said
        assert "DRAFT" not in said


def text_of(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


def test_sending_and_receiving_are_entered_on_the_page(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    client, name = sign_in(cast.nurse), f"send-{report.pk}"
    client.post(
        f"/safety/reports/{report.pk}/send/",
        {f"{name}-recipient": "sponsor", f"{name}-submitted_at": "2026-03-07T01:20",
         f"{name}-way": "portal"},
    )  # fmt: skip
    receipt = the(SaeReceipt, report=report)
    answer = sign_in(officer).post(
        f"/safety/receipts/{receipt.pk}/",
        {"received_at": "2026-03-07T01:25", "receipt_number": "S-77"},
        follow=True,
    )
    page = answer.content.decode()
    assert "S-77" in page
    assert "2026-03-14 23:59" in page


def test_a_sending_before_the_signature_is_refused_with_what_was_typed(cast, case, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    name = f"send-{report.pk}"
    answer = sign_in(cast.nurse).post(
        f"/safety/reports/{report.pk}/send/",
        {f"{name}-recipient": "ethics", f"{name}-submitted_at": "2026-03-06T23:59",
         f"{name}-way": "fax"},
    )  # fmt: skip
    assert answer.status_code == 422
    assert "before it was signed" in answer.content.decode()
    assert 'value="2026-03-06T23:59"' in answer.content.decode()


def test_the_authority_is_the_safety_officers_to_report_to(cast, case, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    name = f"send-{report.pk}"
    answer = sign_in(cast.nurse).post(
        f"/safety/reports/{report.pk}/send/",
        {f"{name}-recipient": "authority", f"{name}-submitted_at": "2026-03-07T01:20",
         f"{name}-way": "portal"},
    )  # fmt: skip
    assert answer.status_code == 422


def test_the_board_shows_what_presses_first_and_says_late_and_in_time(
    cast, subject, case, officer, clock
):
    clock(FRIDAY + 2 * HOUR)
    first_word(make_subject(cast.site, number="001-002"), cast.nurse, term="Bleeding")
    clock(FRIDAY + 3 * HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 26 * HOUR)
    sent(report, "sponsor", FRIDAY + 4 * HOUR, cast.nurse)
    sent(report, "ethics", FRIDAY + 25 * HOUR, cast.nurse)
    client = sign_in(officer)
    page = client.get("/safety/")
    shown = [line.number for line in page.context["page"].object_list]
    assert len(shown) == 2
    text = page.content.decode()
    for word in ("In time", "Late by 1 h 0 min", "Overdue by 2 h 0 min", "001-002"):
        assert word in text
    late = client.get("/safety/?look=late").context["page"].object_list
    assert [line.case.pk for line in late] == [case.pk]


def test_the_board_asks_the_same_number_of_questions_however_many_cases(
    cast, subject, case, officer, clock
):
    client = sign_in(officer)
    client.get("/safety/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/safety/")
    for number in range(6):
        first_word(make_subject(cast.site, number=f"001-01{number}"), cast.nurse)
    with CaptureQueriesContext(connection) as many:
        client.get("/safety/")
    assert len(many) == len(few)


def test_an_investigator_names_a_deputy_and_a_nurse_does_not(cast, clock):
    clock(FRIDAY)
    texts = {
        "site": cast.site.code,
        "person": cast.sub_investigator.pk,
        "deputy": cast.nurse.pk,
        "first_day": "2026-03-06",
        "last_day": "2026-03-08",
        "reason": "Conference",
    }
    assert sign_in(cast.nurse).post("/safety/deputies/", texts).status_code == 200
    assert given(Deputy.objects.count)() == 0
    page = sign_in(cast.sub_investigator).post("/safety/deputies/", texts, follow=True)
    assert "Stands in" in page.content.decode()
    deputy = the(Deputy)
    sign_in(cast.sub_investigator).post(f"/safety/deputies/{deputy.pk}/end/")
    assert the(Deputy).ended_at is not None


@pytest.mark.parametrize("look", ["open", "overdue", "running", "late", "suspected", "all", "x"])
def test_every_look_opens(cast, case, look):
    assert sign_in(cast.monitor).get(f"/safety/?look={look}").status_code == 200


@pytest.fixture
def mild(cast, subject, clock) -> SaeCase:
    """Serious, and of the disease: no authority is to be told."""
    clock(FRIDAY + dt.timedelta(minutes=5))
    return first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")


def test_a_closed_case_says_why(cast, mild, officer, clock):
    clock(FRIDAY + HOUR)
    report = signed(mild, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    for to in ("sponsor", "institution", "ethics"):
        received(sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse), FRIDAY + 1.6 * HOUR, officer)
    client = sign_in(officer)
    version = the(SaeCase).version
    page = client.post(
        f"/safety/cases/{mild.pk}/close/",
        {"close-reason": "Resolved", "close-version": version},
        follow=True,
    ).content.decode()
    assert "Resolved" in page
    assert "Take the case up again" in page
