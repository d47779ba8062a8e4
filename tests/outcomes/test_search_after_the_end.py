"""Who left the treatment or the study early is still asked after, as far as they agreed to."""

from __future__ import annotations

import uuid

import pytest

from outcomes.selectors.survival import unknown_survival
from outcomes.services.survival import start_contact
from screening.models.consent import Scope
from tests.factories import as_person, given, sign_in
from tests.outcomes.conftest import save_death
from tests.outcomes.following import begin, contact, day, end_of, followed, fresh
from tests.screening.consenting import withdraw
from tests.visits.scheduling import enrolled, visit_at
from trialsite.casebook.models import CrfRecord, Subject, VisitStatus
from trialsite.conduct.models import Deviation
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError


@pytest.fixture
def subject(cast) -> Subject:
    """Day 40 after day zero: the milestones of the days 7, 14 and 28 are past."""
    return followed(cast)


def unknown(cast) -> list[tuple[uuid.UUID, str]]:
    with as_person(cast.nurse):
        lines = unknown_survival(cast.nurse, now=trial_now())
    return [(line.subject.pk, line.visit.event_oid) for line in lines]


def ended_early(cast, subject: Subject) -> Subject:
    """Withdrawn from the study on day 10; survival is still followed."""
    end_of(cast, subject, "STUDY", ended_on=day(subject, 30).isoformat())
    return fresh(subject)


def test_who_left_the_study_early_is_still_looked_for_at_each_milestone(cast, subject):
    subject = ended_early(cast, subject)
    assert subject.status == "withdrawn"
    assert visit_at(subject, "SE.D28").status == VisitStatus.NOT_REQUIRED
    assert unknown(cast) == [(subject.pk, "SE.D28")]


def test_and_is_contacted_for_it_without_a_deviation(cast, subject):
    subject = ended_early(cast, subject)
    milestone = visit_at(subject, "SE.D28")
    page = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/outcome/").content.decode()
    assert f'value="{milestone.pk}"' in page
    contact(cast, subject, 1, visit=milestone)
    taken = visit_at(subject, "SE.TEL")
    assert (taken.status, taken.stands_for_id) == (VisitStatus.ATTENDED, milestone.pk)
    assert unknown(cast) == []
    proposed = given(lambda: list(Deviation.objects.filter(subject=subject)))()
    assert proposed == []


def test_a_milestone_still_to_come_is_not_asked_after_yet(cast, subject):
    subject = ended_early(cast, subject)
    with pytest.raises(DomainError, match="not missed in person"):
        begin(cast, subject, visit_at(subject, "SE.W12"))


def test_who_withdrew_only_the_treatment_is_looked_for_and_contacted(cast, subject):
    withdraw(cast, subject, Scope.TREATMENT, days=-30)
    assert unknown(cast) == [(subject.pk, "SE.D28")]
    assert begin(cast, fresh(subject), visit_at(subject, "SE.D28"))


@pytest.mark.parametrize("scope", [Scope.CONTACT, Scope.ALL_DATA])
@pytest.mark.parametrize("milestone", [True, False])
@pytest.mark.parametrize("ago", [30, 0])
def test_who_withdrew_from_contact_is_not_asked_after_and_the_reason_is_said(
    cast, subject, scope, milestone, ago
):
    withdraw(cast, subject, scope, days=-ago)
    assert unknown(cast) == []
    subject = fresh(subject)
    visit = visit_at(subject, "SE.D28") if milestone else None
    with as_person(cast.nurse), pytest.raises(DomainError, match="Withdrawal of consent"):
        start_contact(subject=subject, stands_for=visit, by=cast.nurse)
    assert given(CrfRecord.objects.filter(subject=subject, form_oid="F.SS").count)() == 0
    page = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/outcome/").content.decode()
    assert "Contact at another time" not in page
    assert "not done any more: Withdrawal of consent." in page


def test_what_was_learnt_before_the_withdrawal_is_still_entered(cast, subject):
    record = begin(cast, subject)
    withdraw(cast, subject, Scope.CONTACT)
    assert begin(cast, fresh(subject)) == record


@pytest.mark.parametrize("reason", ["LOST TO FOLLOW-UP", "DEATH"])
def test_who_is_lost_or_told_to_be_dead_is_not_looked_for(cast, subject, reason):
    end_of(cast, subject, "STUDY", ended_on=day(subject, 5).isoformat(), reason=reason)
    assert unknown(cast) == []


def test_of_the_dead_nobody_is_asked_after_at_a_milestone(cast, subject):
    subject = ended_early(cast, subject)
    save_death(subject, cast.nurse, died_on=day(subject, 20).isoformat())
    assert unknown(cast) == []


def test_the_list_costs_the_same_however_many_left(cast, django_assert_max_num_queries):
    for _ in range(5):
        ended_early(cast, numbered(cast))
    with as_person(cast.nurse), django_assert_max_num_queries(6):
        assert len(unknown_survival(cast.nurse, now=trial_now())) == 5


def numbered(cast) -> Subject:
    subject = enrolled(cast, since=40)
    n = given(Subject.objects.count)()
    given(Subject.objects.filter(pk=subject.pk).update)(number=f"001-{n:03d}")
    return fresh(subject)
