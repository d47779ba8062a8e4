"""The screening log on its pages: one's own sites, numbers that open their list, acts."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason
from screening.services.enrolment import enrol_subject
from screening.services.log import admit, close_entry
from tests.factories import as_person, given, make_entry, make_protocol, make_user, sign_in
from tests.screening.conftest import entry_of, make_screened
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.core.clock import trial_today

LOG = "/screening/"
NEW = "/screening/new/"


@pytest.fixture(autouse=True)
def protocol(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def today(cast) -> dt.date:
    return given(trial_today)(cast.site.time_zone)


def address(entry: ScreeningEntry, act: str = "entry") -> str:
    return reverse(f"screening:{act}", args=[entry.pk])


def again(entry: ScreeningEntry) -> ScreeningEntry:
    return given(ScreeningEntry.objects.get)(pk=entry.pk)


def shown(client, path: str = LOG, **parameters: str) -> str:
    answer = client.get(path, parameters)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_person_is_logged_once_however_often_the_form_is_sent(cast, nurse_client, today):
    page = nurse_client.get(NEW)
    sent = {
        "once": page.context["form"]["once"].value(),
        "site": cast.site.pk,
        "first_contact_on": today.isoformat(),
        "source": "referral",
    }
    first, second = (nurse_client.post(NEW, sent) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first.url == second.url
    (entry,) = given(lambda: list(ScreeningEntry.objects.all()))()
    assert (entry.number[:-2], entry.source) == ("001-S001", "referral")
    assert entry.number in shown(nurse_client)


def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    cast, nurse_client, today
):
    tomorrow = (today + dt.timedelta(days=1)).isoformat()
    sent = {"once": "1", "site": cast.site.pk, "first_contact_on": tomorrow, "source": "ward"}
    page = nurse_client.post(NEW, sent | {"earlier": "001-S999-X"})
    assert page.context["form"].errors == {"earlier": ["There is no such number in your log."]}
    page = nurse_client.post(NEW, sent)
    assert page.context["form"].errors == {"first_contact_on": ["This day has not come yet."]}
    assert tomorrow in page.content.decode()


def test_nobody_is_logged_at_another_site(cast, nurse_client, today):
    sent = {"once": "1", "site": cast.other_site.pk, "first_contact_on": today, "source": "ward"}
    assert "site" in nurse_client.post(NEW, sent).context["form"].errors


def test_screening_again_names_the_earlier_number(cast, nurse_client, today):
    old = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        close_entry(entry=old, outcome=Outcome.DECLINED, on=today, by=cast.nurse)
    sent = {"once": "1", "site": cast.site.pk, "first_contact_on": today, "source": "ward"}
    answer = nurse_client.post(NEW, sent | {"earlier": old.number.lower()}, follow=True)
    assert "Screened before as" in answer.content.decode()
    assert old.number in answer.content.decode()


def test_the_log_holds_ones_own_sites_only(cast, nurse_client):
    mine, theirs = make_entry(cast.site, cast.nurse), make_entry(cast.other_site, cast.stranger)
    page = shown(nurse_client)
    assert mine.number in page
    assert theirs.number not in page
    assert nurse_client.get(address(theirs)).status_code == 404
    for act in ("close", "reopen", "void", "same_person", "enrol"):
        assert nurse_client.post(address(theirs, act)).status_code == 404


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor"])
def test_who_oversees_reads_the_log_and_writes_nothing(cast, who):
    entry = make_entry(cast.site, cast.nurse)
    client = sign_in(getattr(cast, who))
    assert entry.number in shown(client)
    assert client.get(address(entry)).status_code == 200
    assert client.get(NEW).status_code == 403
    assert client.post(address(entry, "void"), {"void-reason": "x"}).status_code == 403


def test_who_has_no_part_in_screening_sees_no_log(cast):
    assert sign_in(cast.administrator).get(LOG).status_code == 403


def test_the_list_is_narrowed_by_place_box_and_number(cast, nurse_client, today, said):
    waiting = make_entry(cast.site, cast.nurse)
    declined = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        close_entry(entry=declined, outcome=Outcome.DECLINED, on=today, by=cast.nurse)
    screened, enrolled = (make_screened(cast.site, cast.nurse) for _ in range(2))
    with as_person(cast.nurse):
        enrol_subject(subject=enrolled, by=cast.nurse)

    def numbers(**chosen: str) -> set[str]:
        return {line.entry.number for line in nurse_client.get(LOG, chosen).context["lines"]}

    every = {waiting.number, declined.number, screened.screening_number, enrolled.screening_number}
    assert numbers() == numbers(place="considered") == numbers(place="nonsense") == every
    assert numbers(place="declined") == {declined.number}
    assert numbers(place="consented") == {screened.screening_number, enrolled.screening_number}
    assert numbers(place="on_study") == {enrolled.screening_number}
    assert numbers(q="s002") == {declined.number}
    assert numbers(q="zzz") == set()


def test_each_number_of_the_funnel_opens_that_many_entries(cast, nurse_client, today, said):
    for _ in range(3):
        make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        enrol_subject(subject=make_screened(cast.site, cast.nurse), by=cast.nurse)
    chart = nurse_client.get(LOG).context["chart"]
    assert chart.considered == 4
    for row in chart.rows:
        lines = nurse_client.get(LOG, {"place": row.part.value}).context["lines"]
        assert len(lines) == row.persons


def test_the_list_costs_the_same_for_any_number_of_entries(cast, nurse_client):
    def grow(count: int) -> None:
        for n in range(count):
            entry = make_entry(cast.site, cast.nurse)
            if n % 2:
                given(admit)(entry=entry, by=cast.nurse)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown(nurse_client)
        return len(captured)

    grow(4)
    cost()
    few = cost()
    grow(20)
    assert cost() == few


def test_a_screen_failure_is_said_by_criteria_in_the_protocols_words(cast, nurse_client, today):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    page = shown(nurse_client, address(entry))
    assert "MELD" in page
    sent = {
        "close-outcome": "screen_failed",
        "close-on": today.isoformat(),
        "close-criteria": ["EX04", "IN03"],
        "close-reasons": [Reason.INVESTIGATOR.value],
    }
    page = nurse_client.post(address(entry, "close"), sent, follow=True).content.decode()
    assert again(entry).criteria == ["EX04", "IN03"]
    assert "MELD" in page
    assert "Investigator&#x27;s decision" in page
    reasons = nurse_client.get(LOG).context["chart"].reasons
    assert [(why.code, why.persons) for why in reasons][:2] == [("EX04", 1), ("IN03", 1)]


def test_a_failure_without_reason_is_refused_and_the_form_keeps_what_was_typed(
    cast, nurse_client, today
):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    sent = {
        "close-outcome": "screen_failed",
        "close-on": today.isoformat(),
        "close-comment": "seen by the ward",
    }
    answer = nurse_client.post(address(entry, "close"), sent)
    assert answer.status_code == 422
    assert answer.context["close"].errors == {
        "reasons": ["Say why: a criterion, or another reason."]
    }
    assert "seen by the ward" in answer.content.decode()
    assert again(entry).outcome == Outcome.OPEN


def test_the_page_names_every_refusal_and_enrols_when_there_is_none(cast, nurse_client, said):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    said.consented, said.holds = False, ("The whole study is on hold.",)
    page = shown(nurse_client, address(entry))
    assert "No consent is on file." in page
    assert "The whole study is on hold." in page
    assert address(entry, "enrol") not in page
    refused = nurse_client.post(address(entry, "enrol"))
    assert refused.status_code == 422
    assert "The whole study is on hold." in refused.content.decode()
    said.consented, said.holds = True, ()
    assert address(entry, "enrol") in shown(nurse_client, address(entry))
    page = nurse_client.post(address(entry, "enrol"), follow=True).content.decode()
    assert "Enrolled as 001-001." in page
    assert again(entry).outcome == Outcome.ENROLLED


def test_an_enrolment_is_taken_back_on_the_page_by_an_investigator(cast, nurse_client, said):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    nurse_client.post(address(entry, "enrol"))
    sent = {"unenrol-reason": "wrong person"}
    assert nurse_client.post(address(entry, "unenrol"), sent).status_code == 403
    sub = sign_in(cast.sub_investigator)
    assert "Take the enrolment back" in shown(sub, address(entry))
    assert sub.post(address(entry, "unenrol"), sent).status_code == 302
    assert again(entry).outcome == Outcome.OPEN


def test_reopening_voiding_and_likely_the_same_need_their_reason(cast, nurse_client, today):
    entry, other = (make_entry(cast.site, cast.nurse) for _ in range(2))
    assert nurse_client.post(address(entry, "void"), {"void-reason": ""}).status_code == 422
    sent = {"same-other": other.number, "same-reason": "same birthday"}
    assert nurse_client.post(address(entry, "same_person"), sent).status_code == 302
    assert other.number in shown(nurse_client, address(entry))
    unknown = nurse_client.post(address(entry, "same_person"), sent | {"same-other": "001-S9-Z"})
    assert unknown.context["same"].errors == {"other": ["There is no such number in your log."]}
    closing = {"close-outcome": "declined", "close-on": today.isoformat()}
    assert nurse_client.post(address(entry, "close"), closing).status_code == 302
    back = {"reopen-reason": "asked again"}
    assert nurse_client.post(address(entry, "reopen"), back).status_code == 302
    assert again(entry).outcome == Outcome.OPEN
    assert nurse_client.post(address(entry, "void"), {"void-reason": "twice"}).status_code == 302
    assert "Entered in error" in shown(nurse_client, address(entry))
    refused = nurse_client.post(address(entry, "void"), {"void-reason": "twice"})
    assert "This entry is voided." in refused.content.decode()


def test_the_recruiter_sees_the_log_and_no_way_into_a_casebook(cast):
    recruiter = sign_in(make_user(Role.SITE_RECRUITER, cast.site))
    subject = make_screened(cast.site, cast.nurse)
    page = shown(recruiter, address(entry_of(subject)))
    assert subject.screening_number in page
    assert "/subjects/" not in page
    assert "/records/" not in page
    assert "/records/" not in shown(recruiter)
    assert "Screening" in shown(recruiter, "/")


def test_the_pages_speak_chinese_where_the_protocol_speaks(cast):
    client = sign_in(cast.nurse, headers={"Accept-Language": "zh-hans"})
    given(type(cast.nurse).objects.filter(pk=cast.nurse.pk).update)(language="zh-hans")
    entry = entry_of(make_screened(cast.site, cast.nurse))
    assert "肝" in shown(client, address(entry))


def test_nothing_of_the_pages_is_inline(cast, nurse_client):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    for path in (LOG, NEW, address(entry)):
        page = shown(nurse_client, path)
        assert "style=" not in page
        assert "<script>" not in page


def corrected(client, entry: ScreeningEntry, on: dt.date, reason: str = "typed the day after"):
    body = {"contact-first_contact_on": on.isoformat(), "contact-reason": reason}
    return client.post(address(entry, "first_contact"), body)


def test_the_first_contact_is_corrected_with_a_reason_that_the_trail_keeps(
    cast, nurse_client, today
):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=today)
    assert "Correct the first contact" in shown(nurse_client, address(entry))
    before = today - dt.timedelta(days=1)
    assert corrected(nurse_client, entry, before).status_code == 302
    assert again(entry).first_contact_on == before
    with as_person(cast.nurse):
        event = Event.objects.filter(row_id=str(entry.pk)).latest("eid")
        assert event.reason == "typed the day after"


def test_a_first_contact_that_cannot_be_is_refused_beside_its_field(cast, nurse_client, today):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=today - dt.timedelta(days=9))
    ended = today - dt.timedelta(days=5)
    with as_person(cast.nurse):
        close_entry(entry=entry, outcome=Outcome.DECLINED, on=ended, by=cast.nurse)
    after = corrected(nurse_client, entry, ended + dt.timedelta(days=1))
    assert after.status_code == 422
    assert f"This is after {ended.isoformat()}" in after.content.decode()
    ahead = corrected(nurse_client, entry, today + dt.timedelta(days=2))
    assert "This day has not come yet." in ahead.content.decode()
    assert corrected(nurse_client, entry, ended, reason=" ").status_code == 422
    assert again(entry).first_contact_on == today - dt.timedelta(days=9)
    assert corrected(nurse_client, entry, ended).status_code == 302


def test_who_only_reads_the_log_corrects_no_first_contact(cast, today):
    entry = make_entry(cast.site, cast.nurse)
    monitor = sign_in(make_user(Role.MONITOR, cast.site))
    assert corrected(monitor, entry, today).status_code in (403, 404)
