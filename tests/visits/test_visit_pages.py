"""The page of a visit and adding one, as the people at the site use them."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import as_person, given, make_record, sign_in
from tests.visits.scheduling import consenting, enrolled, today, visit_at
from trialsite.casebook.models import LockState, Subject, Visit, VisitMode, VisitStatus
from trialsite.casebook.services import open_visit
from trialsite.conduct.models import Deviation
from trialsite.protocol import EventRole
from visits.services.visits import add, attend

DAY = dt.timedelta(days=1)
ACTS = ("start_visit", "attend_visit", "miss_visit", "take_back_visit", "cancel_visit")


def page(visit) -> str:
    return reverse("visits:visit", args=[visit.pk])


def act(name, visit) -> str:
    return reverse(f"visits:{name}", args=[visit.pk])


def said(visit, **fields):
    return {"version": visit.version} | fields


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def subject(cast):
    return consenting(cast, since=7)


@pytest.fixture
def visit(subject):
    return visit_at(subject, "SE.D7")


def test_the_page_shows_what_is_expected_and_the_next_step(cast, nurse_client, visit):
    shown = text_of(nurse_client.get(page(visit)))
    for word in ("Day 7", "Due", "Vital signs", "No draw yet", "Research samples", "window-bar"):
        assert word in shown
    record = given(visit.records.get)(form_oid="F.VS")
    assert f'class="btn btn-primary" href="{reverse("crf:record", args=[record.pk])}"' in shown


def test_the_page_speaks_chinese(cast, visit):
    given(type(cast.nurse).objects.filter(pk=cast.nurse.pk).update)(language="zh-hans")
    client = sign_in(cast.nurse, headers={"Accept-Language": "zh-hans"})
    shown = text_of(client.get(page(visit)))
    assert "第7天" in shown
    assert "生化与凝血" in shown
    assert '<html lang="zh-hans"' in shown


def test_another_sites_visit_does_not_exist(cast, visit):
    client = sign_in(cast.stranger)
    assert client.get(page(visit)).status_code == 404
    for name in ACTS:
        assert client.post(act(name, visit), said(visit)).status_code == 404
    add_to = reverse("visits:add_visit", args=[visit.subject_id])
    assert client.get(add_to).status_code == 404


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor"])
def test_who_looks_over_the_data_reads_and_does_not_act(cast, visit, who):
    client = sign_in(getattr(cast, who))
    shown = text_of(client.get(page(visit)))
    assert "Day 7" in shown
    assert 'method="post" action="/visits/' not in shown
    for name in ACTS:
        assert client.post(act(name, visit), said(visit)).status_code == 403
    assert visit_at(visit.subject, "SE.D7").status == VisitStatus.PLANNED


def test_a_visit_is_started_and_attended(cast, nurse_client, visit):
    answer = nurse_client.post(act("start_visit", visit), said(visit))
    assert (answer.status_code, answer.url) == (302, page(visit))
    visit = visit_at(visit.subject, "SE.D7")
    assert visit.status == VisitStatus.OPEN
    on = today(cast.site)
    nurse_client.post(act("attend_visit", visit), said(visit, on=on.isoformat(), mode="ward"))
    shown = text_of(nurse_client.get(page(visit)))
    assert "On the ward" in shown
    assert visit_at(visit.subject, "SE.D7").attended_on == on


def test_outside_the_window_the_page_marks_it_and_leads_to_the_deviation(cast, nurse_client, visit):
    on = (today(cast.site) - 5 * DAY).isoformat()
    nurse_client.post(act("attend_visit", visit), said(visit, on=on, mode="home"))
    shown = text_of(nurse_client.get(page(visit)))
    assert "4 days before the window" in shown
    deviation = given(Deviation.objects.get)(subject_id=visit.subject_id)
    assert reverse("conduct:deviation", args=[deviation.pk]) in shown


@pytest.mark.parametrize(
    ("fields", "kept", "message"),
    [
        ({"on": "2199-01-01", "mode": "ward"}, 'value="2199-01-01"', "future"),
        ({"on": "2020-01-01", "mode": "home"}, 'value="2020-01-01"', "before the consent"),
        ({"on": "", "mode": "home"}, 'value="home" selected', "required"),
        ({"on": "2026-01-01", "mode": ""}, 'value="2026-01-01"', "required"),
        ({"on": "soon", "mode": "home"}, 'value="soon"', "valid date"),
    ],
)
def test_what_is_refused_stands_beside_its_field_with_what_was_typed(
    nurse_client, visit, fields, kept, message
):
    answer = nurse_client.post(act("attend_visit", visit), said(visit, **fields))
    assert answer.status_code == 422
    shown = text_of(answer)
    assert kept in shown
    assert message in shown
    assert "Nothing is recorded yet" in shown
    assert visit_at(visit.subject, "SE.D7").status == VisitStatus.PLANNED


def test_who_acts_from_an_older_page_is_told_and_can_go_on(cast, nurse_client, visit):
    with as_person(cast.second_nurse):
        open_visit(visit=visit, by=cast.second_nurse)
    fields = said(visit, on=today(cast.site).isoformat(), mode="ward")
    answer = nurse_client.post(act("attend_visit", visit), fields)
    assert answer.status_code == 422
    shown = text_of(answer)
    assert "Somebody else changed this visit" in shown
    now = visit_at(visit.subject, "SE.D7")
    assert f'name="version" value="{now.version}"' in shown
    again = nurse_client.post(act("attend_visit", visit), fields | {"version": now.version})
    assert again.status_code == 302


def test_a_missed_visit_shows_why_and_offers_a_contact(cast, nurse_client, visit):
    nurse_client.post(act("miss_visit", visit), said(visit, reason="Snowed in"))
    shown = text_of(nurse_client.get(page(visit)))
    assert "Snowed in" in shown
    link = reverse("visits:add_visit", args=[visit.subject_id])
    assert f"{link}?role=survival_contact&amp;for={visit.pk}" in shown
    empty = nurse_client.post(act("miss_visit", visit), said(visit, reason=" "))
    assert empty.status_code == 422


def test_a_contact_is_added_from_the_missed_visit(cast, nurse_client, visit):
    address = reverse("visits:add_visit", args=[visit.subject_id])
    form = text_of(nurse_client.get(address, {"role": "survival_contact", "for": visit.pk}))
    assert f'<option value="{visit.pk}" selected>' in form
    fields = {"role": "survival_contact", "on": today(cast.site).isoformat(), "mode": "telephone"}
    refused = nurse_client.post(address, fields)
    assert refused.status_code == 422
    assert "Say which visit was missed" in text_of(refused)
    made = nurse_client.post(address, fields | {"stands_for": visit.pk})
    shown = text_of(nurse_client.get(made.url))
    assert "By telephone" in shown
    assert "Survival contact instead:" in text_of(nurse_client.get(page(visit)))


def test_a_milestone_of_another_subject_is_not_offered(cast, nurse_client, visit):
    other = visit_at(enrolled(cast, since=7), "SE.D7")
    address = reverse("visits:add_visit", args=[visit.subject_id])
    fields = {"role": "survival_contact", "on": today(cast.site).isoformat(), "mode": "telephone"}
    refused = nurse_client.post(address, fields | {"stands_for": other.pk})
    assert refused.status_code == 422


@pytest.mark.parametrize("role", ["extra", "early_termination"])
def test_a_visit_is_added_and_taken_out_again(cast, nurse_client, subject, role):
    address = reverse("visits:add_visit", args=[subject.pk])
    fields = {"role": role, "on": (today(cast.site) + DAY).isoformat(), "mode": "ward"}
    answer = nurse_client.post(address, fields)
    if role == "early_termination":
        assert (answer.status_code, "future" in text_of(answer)) == (422, True)
        answer = nurse_client.post(address, fields | {"on": today(cast.site).isoformat()})
    made = given(Visit.objects.get)(pk=answer.url.split("/")[2])
    taken = nurse_client.post(act("cancel_visit", made), said(made, reason="Another person's"))
    assert taken.status_code == 302
    assert "Added in error" in text_of(nurse_client.get(page(made)))
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED


def test_a_form_the_protocol_allows_is_opened_from_the_page(cast, nurse_client, subject):
    with as_person(cast.nurse):
        made = add(
            subject=subject,
            role=EventRole.EXTRA,
            on=today(cast.site),
            mode=VisitMode.WARD,
            by=cast.nurse,
        )
    assert 'name="form" value="F.VS"' in text_of(nurse_client.get(page(made)))
    address = reverse("visits:open_visit_form", args=[made.pk])
    opened = nurse_client.post(address, {"form": "F.VS"})
    assert opened.url.startswith("/records/")
    assert 'name="form" value="F.VS"' not in text_of(nurse_client.get(page(made)))
    refused = nurse_client.post(address, {"form": "F.DM"}, follow=True)
    assert "The protocol has no such form" in text_of(refused)


def test_a_correction_keeps_the_old_values_until_it_is_made(cast, nurse_client, visit):
    with as_person(cast.nurse):
        attend(visit=visit, on=today(cast.site), mode=VisitMode.HOME, by=cast.nurse)
    visit = visit_at(visit.subject, "SE.D7")
    shown = text_of(nurse_client.get(page(visit)))
    assert 'value="home" selected' in shown
    on = (today(cast.site) - DAY).isoformat()
    refused = nurse_client.post(act("attend_visit", visit), said(visit, on=on, mode="home"))
    assert refused.status_code == 422
    fields = said(visit, on=on, mode="home", reason="From the chart")
    assert nurse_client.post(act("attend_visit", visit), fields).status_code == 302


def test_a_locked_casebook_can_be_read_only(cast, nurse_client, visit):
    given(Subject.objects.filter(pk=visit.subject_id).update)(lock_state=LockState.LOCKED)
    shown = text_of(nurse_client.get(page(visit)))
    assert "This visit is locked" in shown
    assert 'method="post" action="/visits/' not in shown
    refused = nurse_client.post(act("miss_visit", visit), said(visit, reason="x"), follow=True)
    assert refused.status_code == 422


def test_the_casebook_leads_to_its_visits(cast, nurse_client, visit):
    shown = text_of(nurse_client.get(reverse("dashboard:subject", args=[visit.subject_id])))
    assert f'href="{page(visit)}"' in shown
    assert reverse("visits:add_visit", args=[visit.subject_id]) in shown


def test_the_page_costs_the_same_for_any_number_of_records(cast, nurse_client, visit):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse_client.get(page(visit)).status_code == 200
        return len(captured)

    cost()
    few = cost()
    for n in range(2, 12):
        make_record(visit.subject, visit=visit, repeat_key=n)
    assert cost() == few
