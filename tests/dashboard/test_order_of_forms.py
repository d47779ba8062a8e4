"""Forms come in the order of the protocol, and only those that people open can be opened."""

from __future__ import annotations

import pytest
from django.urls import reverse

from screening.models.eligibility import ELIGIBILITY_FORM
from tests.factories import given, make_record, make_subject, make_visit, sign_in
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.clock import trial_now
from trialsite.crf.pages import next_record
from trialsite.crf.registry import form
from trialsite.dashboard.casebook import casebook_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def screened(cast):
    subject = make_subject(cast.site)
    visit = make_visit(subject, "SE.SCR", visit_number=10)
    for form_oid in ("F.HE", "F.AL", "F.LB", "F.DM", "F.MH"):
        make_record(subject, form_oid=form_oid, visit=visit)
    return subject


def test_the_next_form_is_the_next_that_the_protocol_lists(screened):
    first = given(CrfRecord.objects.get)(subject=screened, form_oid="F.DM")
    following = given(next_record)(first)
    assert following is not None
    assert following.form_oid == "F.MH"


def test_a_form_begun_is_no_reason_to_jump_ahead(screened):
    records = CrfRecord.objects.filter(subject=screened, form_oid="F.LB")
    given(records.update)(status=RecordStatus.IN_PROGRESS)
    first = given(CrfRecord.objects.get)(subject=screened, form_oid="F.MH")
    following = given(next_record)(first)
    assert following is not None
    assert following.form_oid == "F.DM"


def test_the_casebook_lists_forms_in_that_order(screened):
    book = given(casebook_of)(screened, now=given(trial_now)())
    assert [row.form_oid for row in book.rows] == ["F.DM", "F.MH", "F.AL", "F.HE", "F.LB"]


def test_nobody_opens_an_empty_record_of_eligibility(cast, screened):
    client = sign_in(cast.nurse)
    page = client.get(reverse("dashboard:subject", args=[screened.pk]))
    address = reverse("crf:open", args=[screened.pk, form(ELIGIBILITY_FORM).slug])
    assert address not in page.content.decode()
    assert client.post(address).status_code == 404
    assert not given(CrfRecord.objects.filter(subject=screened, form_oid=ELIGIBILITY_FORM).exists)()
