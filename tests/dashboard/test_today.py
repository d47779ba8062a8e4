"""Work comes to the person, most urgent first."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.dashboard.conftest import NOON, TODAY
from tests.factories import (
    as_person,
    given,
    make_entry,
    make_protocol,
    make_record,
    make_site,
    make_subject,
    make_user,
    make_visit,
    sign_in,
)
from trialsite.access.capabilities import Role
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    SubjectStatus,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.windows import Bar, Lane, Window
from trialsite.core.clock import trial_today
from trialsite.crf.models import Draft
from trialsite.dashboard.beside import queries_of
from trialsite.dashboard.worklist import Row, lanes_of
from trialsite.review.models import Query, QueryStatus


def rows(user, now=NOON, **options) -> dict[Lane, list[Row]]:
    with as_person(user):
        return {lane.key: lane.rows for lane in lanes_of(user, now=now, **options)}


def lane_of(user, visit: Visit, now=NOON) -> Lane | None:
    found = [key for key, held in rows(user, now).items() if visit in [r.visit for r in held]]
    assert len(found) <= 1
    return found[0] if found else None


@given
def change(thing, **fields) -> None:
    type(thing).objects.filter(pk=thing.pk).update(**fields)


@pytest.mark.parametrize(
    ("first", "last", "lane"),
    [
        (-5, -1, Lane.OVERDUE),
        (-400, -390, Lane.OVERDUE),
        (-5, 0, Lane.CLOSING),
        (0, 0, Lane.CLOSING),
        (-5, 1, Lane.CLOSING),
        (-5, 2, Lane.OPEN),
        (0, 2, Lane.OPEN),
        (1, 1, Lane.COMING),
        (7, 9, Lane.COMING),
        (8, 9, None),
    ],
)
def test_a_visit_stands_in_the_lane_of_its_window(cast, visit_with_forms, first, last, lane):
    assert lane_of(cast.nurse, visit_with_forms(cast.site, first, last)) is lane


def test_the_day_changes_at_the_site_not_in_greenwich(cast, visit_with_forms):
    last_day = visit_with_forms(cast.site, -2, 0)
    before_midnight = dt.datetime(2026, 11, 22, 15, 59, tzinfo=dt.UTC)
    assert lane_of(cast.nurse, last_day, before_midnight) is Lane.CLOSING
    assert lane_of(cast.nurse, last_day, before_midnight + dt.timedelta(minutes=1)) is Lane.OVERDUE


def test_a_window_coming_by_the_sites_date_is_not_cut_off_by_greenwich(visit_with_forms, cast):
    far_east = visit_with_forms(cast.site, 8, 9)
    late_in_utc = dt.datetime(2026, 11, 22, 20, tzinfo=dt.UTC)  # already the 23rd in Shanghai
    assert lane_of(cast.nurse, far_east, late_in_utc) is Lane.COMING


def test_what_is_missing_of_a_visit_is_counted(cast, visit_with_forms):
    visit = visit_with_forms(cast.site, -1, 3, forms=2)
    first, second = _records(visit)
    change(first, status=RecordStatus.COMPLETE)
    (row,) = rows(cast.nurse)[Lane.OPEN]
    assert (row.done, row.expected, row.next_record) == (1, 2, second)
    change(second, status=RecordStatus.NOT_DONE, not_done_reason="Machine out of order")
    (row,) = rows(cast.nurse)[Lane.OPEN]
    assert (row.done, row.expected, row.next_record) == (2, 2, None)


def test_a_visit_leaves_when_it_took_place_and_its_forms_are_done(cast, visit_with_forms):
    """Whichever comes last; a visit nobody has stated as attended would later be overdue."""
    visit = visit_with_forms(cast.site, -1, 3)
    change(_records(visit)[0], status=RecordStatus.COMPLETE)
    assert lane_of(cast.nurse, visit) is Lane.OPEN
    change(visit, status=VisitStatus.ATTENDED, attended_on=TODAY, mode=VisitMode.ON_SITE)
    assert lane_of(cast.nurse, visit) is None


@given
def _records(visit: Visit) -> list[CrfRecord]:
    return list(CrfRecord.objects.filter(visit=visit).order_by("repeat_key"))


def test_a_form_already_begun_is_the_next_one(cast, visit_with_forms):
    visit = visit_with_forms(cast.site, -1, 3, forms=3)
    begun = _records(visit)[2]
    change(begun, status=RecordStatus.IN_PROGRESS)
    (row,) = rows(cast.nurse)[Lane.OPEN]
    assert row.next_record == begun


def test_a_voided_form_is_not_waited_for(cast, visit_with_forms):
    visit = visit_with_forms(cast.site, -1, 3)
    change(_records(visit)[0], voided_at=NOON, void_reason="Wrong subject")
    (row,) = rows(cast.nurse)[Lane.OPEN]
    assert (row.done, row.expected, row.next_record) == (0, 0, None)


def test_an_attended_visit_stays_until_its_forms_are_done(cast, visit_with_forms):
    visit = visit_with_forms(
        cast.site, -5, -3, status=VisitStatus.ATTENDED, attended_on=TODAY - dt.timedelta(days=4)
    )
    assert lane_of(cast.nurse, visit) is Lane.OVERDUE
    change(_records(visit)[0], status=RecordStatus.COMPLETE)
    assert lane_of(cast.nurse, visit) is None


@pytest.mark.parametrize("status", [VisitStatus.MISSED, VisitStatus.NOT_REQUIRED])
def test_a_visit_that_will_not_happen_is_no_work(cast, visit_with_forms, status):
    assert lane_of(cast.nurse, visit_with_forms(cast.site, -1, 3, status=status)) is None


@pytest.mark.parametrize(
    "state",
    [
        {"status": SubjectStatus.DIED},
        {"status": SubjectStatus.SCREEN_FAILED},
        {"status": SubjectStatus.COMPLETED},
        {"consent_state": ConsentState.WITHDRAWN},
        {"lock_state": LockState.LOCKED},
        {"lock_state": LockState.FROZEN},
    ],
)
def test_nothing_is_asked_of_a_subject_whose_casebook_is_closed(cast, visit_with_forms, state):
    visit = visit_with_forms(cast.site, -1, 3)
    change(visit.subject, **state)
    assert lane_of(cast.nurse, visit) is None


def test_a_withdrawn_subject_who_may_be_contacted_stays(cast, visit_with_forms):
    visit = visit_with_forms(cast.site, -1, 3)
    change(visit.subject, status=SubjectStatus.WITHDRAWN)
    assert lane_of(cast.nurse, visit) is Lane.OPEN


def test_an_unscheduled_visit_is_open_once_it_is_opened(cast):
    subject = make_subject(cast.site)
    planned = make_visit(subject, "SE.UNS", status=VisitStatus.PLANNED)
    opened = make_visit(subject, "SE.UNS", repeat_key=2, status=VisitStatus.OPEN)
    assert lane_of(cast.nurse, planned) is None
    assert lane_of(cast.nurse, opened) is Lane.OPEN


def test_another_sites_visits_are_never_here(cast, visit_with_forms):
    visit = visit_with_forms(cast.other_site, -1, 3)
    assert lane_of(cast.nurse, visit) is None
    assert lane_of(cast.stranger, visit) is Lane.OPEN


def test_the_site_switch_narrows_the_list(cast, visit_with_forms):
    here, there = (visit_with_forms(site, -1, 3) for site in (cast.site, cast.other_site))
    narrowed = rows(cast.investigator, site_id=cast.site.pk)[Lane.OPEN]
    assert [row.visit for row in narrowed] == [here]
    assert {row.visit for row in rows(cast.investigator)[Lane.OPEN]} == {here, there}


def test_the_monitor_is_not_sent_to_enter_data(cast, visit_with_forms):
    visit_with_forms(cast.site, -1, 3)
    assert rows(cast.nurse)[Lane.OPEN][0].may_enter
    assert not rows(cast.monitor)[Lane.OPEN][0].may_enter


def _page_queries(client) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/").status_code == 200
    return len(captured)


def test_the_number_of_queries_does_not_grow_with_the_rows(cast, visit_with_forms, nurse_client):
    today = trial_today("Asia/Shanghai")
    for _ in range(3):
        visit_with_forms(cast.site, -1, 3, today=today, forms=2)
    _page_queries(nurse_client)
    few = _page_queries(nurse_client)
    for _ in range(27):
        visit_with_forms(cast.site, -1, 3, today=today, forms=2)
    assert _page_queries(nurse_client) == few


def test_the_page_says_what_is_missing_and_where_to_go(cast, visit_with_forms, nurse_client):
    visit = visit_with_forms(cast.site, -1, 3, today=trial_today("Asia/Shanghai"))
    page = nurse_client.get("/").content.decode()
    assert visit.subject.screening_number in page
    assert "Day 7" in page
    assert "forms 0/1" in page
    assert "Vital signs" in page


def test_an_empty_worklist_teaches(cast, nurse_client):
    assert b"begins with the first subject" in nurse_client.get("/").content
    make_subject(cast.site)
    assert b"Nothing is due" in nurse_client.get("/").content


def test_whoever_sees_no_casebook_finds_their_places(cast):
    page = sign_in(cast.administrator).get("/").content
    assert b"Welcome, Ada Administrator" in page


def test_only_ones_own_drafts_wait(cast, visit_with_forms, nurse_client):
    visit = visit_with_forms(cast.site, -1, 3)
    _draft(cast.nurse, _records(visit)[0])
    assert b"typed" in nurse_client.get("/").content
    assert b"No draft" in sign_in(cast.second_nurse).get("/").content


@given
def _draft(user, record: CrfRecord) -> None:
    Draft.objects.create(
        site_id=record.site_id,
        subject_id=record.subject_id,
        record=record,
        user=user,
        fields={"heart_rate": "0"},
        base_version=0,
    )


@given
def _query(record: CrfRecord, status: QueryStatus) -> Query:
    return Query.objects.create(
        site_id=record.site_id,
        subject_id=record.subject_id,
        record=record,
        item_oid="I.VS.HR",
        status=status,
    )


def test_queries_wait_for_who_must_act_on_them(cast):
    record = make_record(make_subject(cast.site))
    for status in QueryStatus:
        _query(record, status)
    _query(make_record(make_subject(cast.other_site)), QueryStatus.OPEN)
    with as_person(cast.nurse):
        mine = queries_of(cast.nurse)
    assert (mine.count, mine.answering) == (1, True)
    assert mine.oldest[0].item == "Heart rate"
    with as_person(cast.monitor):
        judged = queries_of(cast.monitor)
    assert (judged.count, judged.answering) == (1, False)
    with as_person(cast.investigator):
        assert queries_of(cast.investigator).count == 2
        assert queries_of(cast.investigator, site_id=cast.site.pk).count == 1


def test_the_bar_shows_the_window_to_scale_with_today():
    window = Window(TODAY, TODAY + dt.timedelta(days=1), TODAY)
    bar = Bar.of(window, TODAY)
    assert bar.start < bar.now < bar.start + bar.width
    assert bar.target == bar.now


def test_a_day_far_outside_stands_at_the_edge_of_the_bar():
    window = Window(TODAY, TODAY)
    assert Bar.of(window, TODAY - dt.timedelta(days=90)).now == 5
    assert Bar.of(window, TODAY + dt.timedelta(days=90)).now == 163


def test_a_site_of_another_zone_keeps_its_own_date(cast, visit_with_forms):
    western = make_site("777", time_zone="America/Los_Angeles")
    visit = visit_with_forms(western, 0, 0)
    early = dt.datetime(2026, 11, 23, 7, 59, tzinfo=dt.UTC)  # still the 22nd there
    assert lane_of(cast.investigator, visit, early) is Lane.CLOSING


def test_who_is_in_screening_waits_on_today_with_the_next_step(cast, nurse_client):
    make_protocol(cast.site)
    entry = make_entry(cast.site, cast.nurse)
    foreign = make_entry(cast.other_site, cast.stranger)
    page = nurse_client.get("/").content.decode()
    assert entry.number in page
    assert "Ask for consent" in page
    assert foreign.number not in page


def test_the_recruiter_finds_the_persons_in_screening_and_no_casebook(cast):
    entry = make_entry(cast.site, cast.nurse)
    page = sign_in(make_user(Role.SITE_RECRUITER, cast.site)).get("/").content.decode()
    assert entry.number in page
    assert "/subjects/" not in page


def test_today_costs_the_same_for_any_number_in_screening(cast, nurse_client):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse_client.get("/").status_code == 200
        return len(captured)

    make_protocol(cast.site)
    for _ in range(3):
        make_entry(cast.site, cast.nurse)
    cost()
    few = cost()
    for _ in range(15):
        make_entry(cast.site, cast.nurse)
    assert cost() == few
