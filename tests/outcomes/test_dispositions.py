"""How treatment and study end: what stops, what goes on, what is proposed and by whom entered."""

from __future__ import annotations

import pytest

from outcomes.models import EndReason, Scope
from outcomes.selectors.outcome import overview_of
from outcomes.services.dispositions import open_disposition
from screening.models.consent import Scope as ConsentScope
from tests.factories import as_person, given, make_record, sign_in
from tests.outcomes.conftest import save_death, treated
from tests.outcomes.following import attempt, begin, day, end_of, followed, fresh, save, transplant
from tests.screening.consenting import withdraw
from tests.visits.scheduling import states, visit_at
from tests.visits.treating import planned
from trialsite.casebook.models import (
    CrfRecord,
    Subject,
    SubjectStatus,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.services import add_visit, record_death, revoke_death, void_record
from trialsite.core.exceptions import DomainError
from trialsite.crf.models import Draft
from trialsite.protocol import EventRole
from trialsite.review.models import Query
from visits.selectors.readiness import readiness
from visits.services.visits import attend


@pytest.fixture
def subject(cast) -> Subject:
    return followed(cast)


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


def void(cast, record):
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=record.pk), reason="wrong", by=cast.nurse)


def plan(cast, subject):
    return planned(cast, fresh(subject), by=cast.nurse)


def stops(cast, subject) -> str:
    with as_person(cast.nurse):
        return readiness(fresh(subject)).line("enrolment").said


def waits(subject) -> set[str]:
    return {visit for visit, state in states(subject).items() if state == VisitStatus.PLANNED}


def proposed(cast, subject) -> dict[Scope, tuple[EndReason, str]]:
    with as_person(cast.nurse):
        found = overview_of(fresh(subject)).proposals
    return {each.scope: (each.reason, str(each.on)) for each in found}


def test_who_ends_the_treatment_stays_in_the_study(cast, subject):
    before = states(subject)
    end_of(cast, subject, "TREATMENT")
    assert states(subject) == before
    assert fresh(subject).status == SubjectStatus.ENROLLED


def test_after_the_end_of_the_treatment_no_session_is_planned_until_it_is_voided(cast, subject):
    record = end_of(cast, subject, "TREATMENT").record
    with pytest.raises(DomainError):
        plan(cast, subject)
    assert stops(cast, subject).startswith("The study treatment has ended.")
    void(cast, record)
    assert plan(cast, subject)
    assert stops(cast, subject).startswith("Enrolled")


def test_a_session_that_was_prepared_before_is_not_started_after(cast, subject):
    plan(cast, subject)
    end_of(cast, subject, "TREATMENT")
    assert stops(cast, subject).startswith("The study treatment has ended.")


def test_the_end_of_the_study_ends_the_schedule_but_for_safety_and_survival(cast, subject):
    assert "SE.W12 1" in waits(subject)
    end_of(cast, subject, "STUDY")
    assert "SE.W12 1" not in waits(subject)
    assert fresh(subject).status == SubjectStatus.WITHDRAWN
    with as_person(cast.nurse):
        for role in (EventRole.SURVIVAL_CONTACT, EventRole.EXTRA):
            assert add_visit(subject=subject, role=role, on=day(subject, 0), by=cast.nurse)


def test_a_correction_moves_the_end_and_voiding_gives_the_schedule_back(cast, subject):
    before = states(subject)
    record = end_of(cast, subject, "STUDY").record
    save(record, cast.nurse, scope="TREATMENT", ended_on=day(subject, 1).isoformat(),
         reason="PHYSICIAN DECISION")  # fmt: skip
    assert (states(subject), fresh(subject).status) == (before, SubjectStatus.ENROLLED)
    save(record, cast.nurse, scope="STUDY", ended_on=day(subject, 1).isoformat(),
         reason="PHYSICIAN DECISION")  # fmt: skip
    assert fresh(subject).status == SubjectStatus.WITHDRAWN
    void(cast, record)
    assert (states(subject), fresh(subject).status) == (before, SubjectStatus.ENROLLED)


@pytest.mark.parametrize("lacking", ["ended_on", "reason"])
def test_what_does_not_yet_say_when_and_why_ends_nothing(cast, subject, lacking):
    end_of(cast, subject, "STUDY", **{lacking: ""})
    assert fresh(subject).status == SubjectStatus.ENROLLED
    assert "SE.W12 1" in waits(subject)


def test_what_a_withdrawal_has_ended_is_not_given_back_by_a_voided_disposition(cast, subject):
    record = end_of(cast, subject, "STUDY", reason="WITHDRAWAL BY SUBJECT").record
    withdraw(cast, subject, ConsentScope.CONTACT)
    void(cast, record)
    assert "SE.W12 1" not in waits(subject)


def test_a_revoked_death_goes_back_to_what_the_disposition_says(cast, subject):
    with as_person(cast.nurse):
        record_death(subject=subject, died_on=day(subject, 1).isoformat(), by=cast.nurse)
    end_of(cast, subject, "STUDY")
    assert fresh(subject).status == SubjectStatus.DIED
    with as_person(cast.nurse):
        revoke_death(subject=subject, by=cast.nurse)
    assert fresh(subject).status == SubjectStatus.WITHDRAWN


def test_completed_is_another_status_than_withdrawn(cast, subject):
    end_of(cast, subject, "STUDY", reason="COMPLETED")
    assert fresh(subject).status == SubjectStatus.COMPLETED


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("DEATH", "DS.DEATH_FORM"),
        ("LIVER TRANSPLANTATION", "DS.TRANSPLANT_FORM"),
        ("WITHDRAWAL BY SUBJECT", "DS.WITHDRAWAL_SAID"),
        ("LOST TO FOLLOW-UP", "DS.LOST_TOO_EARLY"),
        ("OTHER", "DS.REASON_SAID"),
    ],
)
def test_a_reason_without_its_record_is_asked_about_and_never_refused(cast, subject, reason, check):
    saved = end_of(cast, subject, "STUDY", reason=reason, complete="yes")
    assert check in asked(saved.record)


@pytest.mark.parametrize(
    ("reason", "record"),
    [
        ("DEATH", lambda cast, who: save_death(who, cast.nurse, died_on=day(who, 3).isoformat())),
        ("LIVER TRANSPLANTATION", lambda cast, who: transplant(cast, who, transplanted_on="2026")),
        ("WITHDRAWAL BY SUBJECT", lambda cast, who: withdraw(cast, who, ConsentScope.TREATMENT)),
    ],
)
def test_a_reason_with_its_record_is_not_asked_about(cast, subject, reason, record):
    record(cast, subject)
    saved = end_of(cast, subject, "STUDY", reason=reason, complete="yes")
    assert asked(saved.record) == set()


def test_another_reason_after_the_death_is_asked_about(cast, subject):
    save_death(subject, cast.nurse, died_on=day(subject, 3).isoformat())
    saved = end_of(cast, subject, "STUDY", complete="yes")
    assert asked(saved.record) == {"DS.DIED"}


def test_a_second_record_of_the_same_is_asked_about(cast, subject):
    end_of(cast, subject, "STUDY")
    second = make_record(subject, form_oid="F.DS", repeat_key=9)
    said = {"scope": "STUDY", "ended_on": day(subject, 1).isoformat(), "reason": "DEATH"}
    assert "DS.ONCE" in asked(save(second, cast.nurse, complete=True, **said).record)


def test_it_is_opened_once_for_each_scope(cast, subject):
    with as_person(cast.nurse):
        opened = [
            open_disposition(subject=subject, scope=scope, by=cast.nurse)
            for scope in ("STUDY", "TREATMENT", "STUDY", "TREATMENT")
        ]
    assert opened[0] == opened[2] != opened[1] == opened[3]


class TestProposals:
    """What the casebook suggests. Nobody enters it but a person."""

    def test_nothing_is_proposed_while_it_goes_on(self, cast, subject):
        assert proposed(cast, subject) == {}

    def test_a_death_ends_both(self, cast, subject):
        save_death(subject, cast.nurse, died_on="2026-03")
        expected = (EndReason.DEATH, "2026-03")
        assert proposed(cast, subject) == {Scope.TREATMENT: expected, Scope.STUDY: expected}

    @pytest.mark.parametrize(
        ("scope", "ends"),
        [
            (ConsentScope.TREATMENT, {Scope.TREATMENT}),
            (ConsentScope.CONTACT, {Scope.STUDY}),
            (ConsentScope.SAMPLES, set()),
            (ConsentScope.ALL_DATA, {Scope.TREATMENT, Scope.STUDY}),
        ],
    )
    def test_a_withdrawal_ends_what_it_reaches(self, cast, subject, scope, ends):
        withdraw(cast, subject, scope)
        found = proposed(cast, subject)
        assert set(found) == ends
        assert {reason for reason, _on in found.values()} <= {EndReason.CONSENT_WITHDRAWN}

    def test_a_transplantation_ends_the_treatment_and_not_the_study(self, cast, subject):
        on = day(subject, 5).isoformat()
        transplant(cast, subject, transplanted_on=on)
        assert proposed(cast, subject) == {Scope.TREATMENT: (EndReason.TRANSPLANTATION, on)}

    def test_the_days_of_treatment_are_over(self, cast, subject):
        start = f"{day(subject, 40)}T10:00"
        treated(subject, cast.nurse, start)
        expected = (EndReason.COMPLETED, day(subject, 40).isoformat())
        assert proposed(cast, subject) == {Scope.TREATMENT: expected}

    def test_the_rule_of_loss_is_met(self, cast, subject):
        record = begin(cast, subject)
        for ago in (9, 5, 1):
            attempt(cast, record, ago)
        expected = (EndReason.LOST, day(subject, 1).isoformat())
        assert proposed(cast, subject) == {Scope.STUDY: expected}

    def test_the_last_planned_visit_took_place(self, cast):
        subject = followed(cast, since=79)
        last = visit_at(subject, "SE.W12")
        with as_person(cast.nurse):
            attend(visit=last, on=day(subject, 1), mode=VisitMode.ON_SITE, by=cast.nurse)
        expected = (EndReason.COMPLETED, day(subject, 1).isoformat())
        assert proposed(cast, subject) == {Scope.STUDY: expected}
        assert fresh(subject).status == SubjectStatus.ENROLLED

    def test_what_was_entered_is_not_proposed_again(self, cast, subject):
        save_death(subject, cast.nurse, died_on="2026-03")
        end_of(cast, subject, "STUDY", reason="DEATH")
        assert set(proposed(cast, subject)) == {Scope.TREATMENT}

    def test_the_page_hands_it_over_as_a_draft(self, cast, subject):
        save_death(subject, cast.nurse, died_on="2026-03")
        client = sign_in(cast.nurse)
        begun = client.post(f"/subjects/{subject.pk}/ending/study/", {"proposed": "1"})
        record = given(CrfRecord.objects.get)(subject=subject, form_oid="F.DS")
        assert str(record.pk) in begun.headers["Location"]
        draft = given(Draft.objects.get)(record=record)
        assert draft.fields == {"scope": "STUDY", "reason": "DEATH", "ended_on": "2026-03"}
        assert record.version == 0

    def test_a_scope_that_is_none_has_no_page(self, cast, subject):
        answer = sign_in(cast.nurse).post(f"/subjects/{subject.pk}/ending/all/")
        assert answer.status_code == 404


def test_the_casebook_says_what_ended(cast, subject):
    end_of(cast, subject, "TREATMENT")
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/").content.decode()
    assert "Study treatment: Decision of the investigator" in shown


def test_a_client_opens_an_ending(cast, api, subject):
    nurse = api("nurse")
    body = {"scope": "STUDY", "reason": "SPONSOR", "ended_on": "2026-03"}
    assert nurse.post(f"subjects/{subject.pk}/ending/", body).status_code == 400
    body["reason"] = "STUDY TERMINATED BY SPONSOR"
    assert (
        nurse.post(f"subjects/{subject.pk}/ending/", body | {"ended_on": "2026-13"}).status_code
        == 400
    )
    opened = nurse.post(f"subjects/{subject.pk}/ending/", body)
    assert opened.status_code == 200, opened.content
    again = nurse.post(f"subjects/{subject.pk}/ending/", body)
    assert again.json()["id"] == opened.json()["id"]
