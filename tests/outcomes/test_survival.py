"""Looking for a participant: contacts, attempts, evidence of life, the rule of being lost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from outcomes.models import SurvivalStatus
from outcomes.selectors.outcome import overview_of
from outcomes.selectors.survival import attempts_of, last_alive, unknown_survival
from tests.factories import as_person, given, make_record, make_subject, sign_in
from tests.outcomes.conftest import save_death
from tests.outcomes.following import (
    attempt,
    begin,
    contact,
    day,
    end_of,
    followed,
    fresh,
    missed,
    save,
)
from tests.visits.scheduling import enrolled, visit_at
from trialsite.casebook.models import CrfRecord, Subject, VisitMode, VisitStatus
from trialsite.casebook.services import void_record
from trialsite.core.clock import trial_now
from trialsite.crf.models import Draft
from trialsite.crf.registry import form
from trialsite.crf.services import judge_record
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query


@pytest.fixture
def subject(cast) -> Subject:
    return followed(cast)


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


@given
def seen(subject):
    return last_alive([subject.pk]).get(subject.pk)


def unknown(cast):
    with as_person(cast.nurse):
        return [line.subject.pk for line in unknown_survival(cast.nurse, now=trial_now())]


def void(cast, record):
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=record.pk), reason="wrong", by=cast.nurse)


def test_a_contact_that_found_the_participant_alive_is_the_evidence(cast, subject):
    saved = contact(cast, subject, 3)
    assert (seen(subject).proven, seen(subject).record) == (day(subject, 3), saved.record)


def test_what_an_informant_knows_of_an_earlier_day_proves_that_day_only(cast, subject):
    contact(cast, subject, 0, last_alive_on=day(subject, 12).isoformat())
    assert seen(subject).proven == day(subject, 12)


@pytest.mark.parametrize(
    ("status", "texts"),
    [
        ("UNKNOWN", {"last_alive_on": "", "last_alive_source": ""}),
        ("DEAD", {"last_alive_on": "", "last_alive_source": ""}),
    ],
)
def test_who_was_not_found_alive_is_not_seen(cast, subject, status, texts):
    contact(cast, subject, 0, status=status, **texts)
    assert seen(subject) is None


def test_of_a_month_its_first_day_is_proven(cast, subject):
    known = day(subject, 40).strftime("%Y-%m")
    contact(cast, subject, 0, last_alive_on=known)
    assert str(seen(subject).day) == known
    assert seen(subject).proven == day(subject, 40).replace(day=1)


def test_a_voided_contact_proves_nothing(cast, subject):
    void(cast, contact(cast, subject, 3).record)
    assert seen(subject) is None


def test_nobody_is_known_alive_after_the_contact(cast, subject):
    with pytest.raises(ImpossibleError) as refused:
        contact(cast, subject, 3, last_alive_on=day(subject, 2).isoformat())
    assert "last_alive_on" in refused.value.errors


@pytest.mark.parametrize("ago", [1, 0])
def test_nobody_is_found_alive_on_a_day_after_the_recorded_death(cast, subject, ago):
    save_death(subject, cast.nurse, died_on=day(subject, 2).isoformat())
    earlier = day(subject, 5).isoformat()
    with pytest.raises(ImpossibleError) as refused:
        contact(cast, subject, ago, last_alive_on=earlier)
    assert refused.value.errors == {
        "contact_on": [f"The participant died on {day(subject, 2)}: this is later."]
    }
    assert contact(cast, subject, ago, status="DEAD", last_alive_on=earlier)


def test_the_day_last_alive_is_refused_after_the_death_too(cast, subject):
    save_death(subject, cast.nurse, died_on=day(subject, 5).isoformat())
    with pytest.raises(ImpossibleError) as refused:
        contact(cast, subject, 3, status="UNKNOWN")
    assert "last_alive_on" in refused.value.errors


def test_a_contact_for_a_missed_milestone_waits_and_takes_place_when_it_succeeds(cast, subject):
    milestone = missed(cast, visit_at(subject, "SE.D28"))
    record = begin(cast, subject, milestone)
    assert begin(cast, subject, milestone) == record
    planned = visit_at(subject, "SE.TEL")
    assert (planned.status, planned.stands_for_id) == (VisitStatus.PLANNED, milestone.pk)
    attempt(cast, record, 3)
    assert visit_at(subject, "SE.TEL").status == VisitStatus.PLANNED
    contact(cast, subject, 1, visit=milestone)
    taken = visit_at(subject, "SE.TEL")
    assert (taken.status, taken.attended_on) == (VisitStatus.ATTENDED, day(subject, 1))
    assert taken.mode == VisitMode.TELEPHONE


def test_a_corrected_contact_moves_its_visit_and_a_voided_one_plans_it_again(cast, subject):
    milestone = missed(cast, visit_at(subject, "SE.D28"))
    saved = contact(cast, subject, 1, visit=milestone)
    texts: Any = {
        "status": "ALIVE",
        "contact_on": day(subject, 2).isoformat(),
        "mode": "HOME VISIT",
    }
    save(saved.record, cast.nurse, **texts)
    moved = visit_at(subject, "SE.TEL")
    assert (moved.attended_on, moved.mode) == (day(subject, 2), VisitMode.HOME)
    void(cast, saved.record)
    assert visit_at(subject, "SE.TEL").status == VisitStatus.PLANNED


def test_who_was_not_reached_after_all_is_still_to_be_found(cast, subject):
    milestone = missed(cast, visit_at(subject, "SE.D28"))
    saved = contact(cast, subject, 1, visit=milestone)
    save(saved.record, cast.nurse, status="UNKNOWN", contact_on=day(subject, 1).isoformat())
    assert visit_at(subject, "SE.TEL").status == VisitStatus.PLANNED


def test_what_is_known_stands_as_the_persons_draft_and_not_in_the_casebook(cast, subject):
    record = begin(cast, subject)
    draft = given(Draft.objects.get)(record=record)
    assert draft.fields == {"contact_on": day(subject, 0).isoformat(), "mode": "TELEPHONE CALL"}
    assert (record.version, seen(subject)) == (0, None)


def tally(cast, subject):
    with as_person(cast.nurse):
        found = attempts_of(fresh(subject), last_alive([subject.pk]).get(subject.pk))
        return found.made, found.days, found.over, found.met


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], (0, 0, 0, False)),
        ([(8, 9), (4, 9)], (2, 2, 4, False)),
        ([(8, 9), (4, 9), (1, 9)], (3, 3, 7, True)),
        ([(7, 9), (4, 9), (1, 9)], (3, 3, 6, False)),
        ([(8, 9), (1, 9), (1, 15)], (3, 2, 7, False)),
        ([(8, 9), (8, 15), (4, 9), (1, 9)], (4, 3, 7, True)),
    ],
)
def test_the_rule_counts_attempts_days_and_the_time_between(cast, subject, attempts, expected):
    record = begin(cast, subject)
    for ago, hour in attempts:
        attempt(cast, record, ago, hour=hour)
    assert tally(cast, subject) == expected
    saved = end_of(cast, subject, "STUDY", reason="LOST TO FOLLOW-UP", complete="yes")
    assert ("DS.LOST_TOO_EARLY" in asked(saved.record)) is not expected[3]


def test_what_somebody_answered_or_came_before_a_sign_of_life_does_not_count(cast, subject):
    record = begin(cast, subject)
    for ago in (20, 12, 9):
        attempt(cast, record, ago)
    attempt(cast, record, 2, result="REACHED")
    assert tally(cast, subject)[3]
    contact(cast, subject, 10, informant="PARTICIPANT")
    assert tally(cast, subject) == (1, 1, 0, False)
    saved = end_of(cast, subject, "STUDY", reason="LOST TO FOLLOW-UP", complete="yes")
    assert "DS.LOST_TOO_EARLY" in asked(saved.record)


def test_the_question_about_a_loss_ends_when_the_attempts_are_there(cast, subject):
    saved = end_of(cast, subject, "STUDY", reason="LOST TO FOLLOW-UP", complete="yes")
    record = begin(cast, subject)
    for ago in (9, 5, 1):
        attempt(cast, record, ago)
    with as_person(cast.nurse):
        judge_record(CrfRecord.objects.get(pk=saved.record.pk), form("F.DS"))
    assert "DS.LOST_TOO_EARLY" not in asked(saved.record)


def test_of_whom_nothing_is_heard_at_a_milestone_is_on_the_list_until_somebody_is(cast, subject):
    assert unknown(cast) == [subject.pk]
    contact(cast, subject, 15)
    assert unknown(cast) == [subject.pk]
    contact(cast, subject, 5)
    assert unknown(cast) == []


@pytest.mark.parametrize("since", [5, 16])
def test_before_the_first_window_is_past_nobody_is_missed(cast, since):
    subject = followed(cast, since=since)
    expected = [] if since < 7 else [subject.pk]
    assert unknown(cast) == expected


def test_neither_the_dead_nor_another_sites_participants_are_looked_for(cast, subject):
    save_death(subject, cast.nurse, died_on=day(subject, 2).isoformat())
    assert unknown(cast) == []


def test_the_list_costs_the_same_for_one_and_for_many(cast, django_assert_max_num_queries):
    for _ in range(6):
        enrolled(cast, since=40)
    with as_person(cast.nurse), django_assert_max_num_queries(6):
        assert len(unknown_survival(cast.nurse, now=trial_now())) == 6


def test_the_page_says_how_it_stands_and_begins_a_contact(cast, subject):
    client = sign_in(cast.nurse)
    address = f"/subjects/{subject.pk}/outcome/"
    shown = client.get(address).content.decode()
    assert "Attempts without an answer since last known alive: 0 of 3" in shown
    visit = visit_at(subject, "SE.D28")
    begun = client.post(f"/subjects/{subject.pk}/survival-contact/", {"visit": str(visit.pk)})
    assert begun.status_code == 302
    assert client.get(begun.headers["Location"]).status_code == 200
    contact(cast, subject, 2)
    assert day(subject, 2).isoformat() in client.get(address).content.decode()


def test_a_contact_that_tells_of_a_death_leads_to_its_form(cast, subject):
    saved = contact(cast, subject, 1, status="DEAD", last_alive_on="", last_alive_source="")
    client = sign_in(cast.nurse)
    page = client.get(f"/records/{saved.record.pk}/")
    assert "Record the death" in page.content.decode()
    led = client.post(f"/survival-contacts/{saved.record.pk}/death/")
    record = given(CrfRecord.objects.get)(subject=subject, form_oid="F.DTH")
    assert str(record.pk) in led.headers["Location"]
    assert given(Draft.objects.get)(record=record).fields["source"] == "FAMILY"
    assert fresh(subject).died_on == ""


def test_a_contact_that_found_somebody_alive_leads_to_no_death(cast, subject):
    saved = contact(cast, subject, 1)
    client = sign_in(cast.nurse)
    led = client.post(f"/survival-contacts/{saved.record.pk}/death/")
    assert led.headers["Location"] == f"/subjects/{subject.pk}/outcome/"
    assert given(CrfRecord.objects.filter(subject=subject, form_oid="F.DTH").count)() == 0


def test_a_client_reads_the_outcome_and_begins_a_contact(cast, api, subject):
    nurse = api("nurse")
    begun = nurse.post(f"subjects/{subject.pk}/survival-contact/", {})
    assert begun.status_code == 200, begun.content
    contact(cast, subject, 2)
    said = nurse.get(f"subjects/{subject.pk}/outcome/").json()
    assert said["last_alive_on"] == day(subject, 2).isoformat()
    assert [each["state"] for each in said["milestones"]] == [
        "alive", "alive", "alive", "not_due", "not_due",
    ]  # fmt: skip
    stranger = api("stranger")
    assert stranger.get(f"subjects/{subject.pk}/outcome/").status_code == 404


@pytest.mark.parametrize(
    ("died", "alive", "expected"),
    [
        (None, None, ["unknown", "unknown", "unknown", "not_due", "not_due"]),
        (None, 30, ["alive", "unknown", "unknown", "not_due", "not_due"]),
        (20, None, ["alive", "alive", "dead", "dead", "dead"]),
        (33, None, ["dead", "dead", "dead", "dead", "dead"]),
    ],
)
def test_a_milestone_is_what_the_evidence_makes_of_it(cast, subject, died, alive, expected):
    if alive is not None:
        contact(cast, subject, alive)
    if died is not None:
        save_death(subject, cast.nurse, died_on=day(subject, died).isoformat())
    with as_person(cast.nurse):
        found = overview_of(fresh(subject))
    assert [each.state for each in found.milestones] == expected
    assert (found.status == SurvivalStatus.DEAD) is (died is not None)


def test_another_participants_evidence_is_not_theirs(cast, subject):
    other = make_subject(cast.site)
    make_record(other, form_oid="F.SS")
    contact(cast, subject, 1)
    with as_person(cast.nurse):
        assert set(last_alive([subject.pk, other.pk])) == {subject.pk}
    assert isinstance(seen(subject).proven, dt.date)


def test_today_names_who_must_be_looked_for(cast, subject):
    client = sign_in(cast.nurse)
    assert "Survival unknown" in client.get("/").content.decode()
    contact(cast, subject, 5)
    assert "Survival unknown" not in client.get("/").content.decode()


def test_a_death_that_was_told_and_is_not_recorded_is_said_and_nobody_is_lost_by_it(cast, subject):
    record = begin(cast, subject)
    for ago in (9, 5, 1):
        attempt(cast, record, ago)
    save(record, cast.nurse, contact_on=day(subject, 0).isoformat(), status="DEAD")
    with as_person(cast.nurse):
        found = overview_of(fresh(subject))
    assert (found.status, found.proposals) == (SurvivalStatus.UNKNOWN, [])
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/outcome/").content.decode()
    assert "A contact tells of a death" in shown


def test_a_contact_is_offered_for_the_milestones_that_nothing_proves(cast, subject):
    contact(cast, subject, 30)
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/outcome/").content.decode()
    names = ("Day 3", "Day 7", "Day 14", "Day 28")
    offered = [name for name in names if f"Contact for {name}" in shown]
    assert offered == ["Day 14", "Day 28"]
