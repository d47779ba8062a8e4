"""The schedule: anchored and moved, closed and given back, added to."""

from __future__ import annotations

import datetime as dt

import pytest

from screening.models.consent import Scope
from screening.services.consent_records import void_part
from tests.factories import as_person, given, make_record
from tests.screening.consenting import make_document, resume, withdraw
from tests.visits.scheduling import anchor, consenting, enrolled, states, today, visit_at, window_of
from trialsite.audit.models import Event
from trialsite.casebook.models import (
    RecordStatus,
    ScheduleClosing,
    Subject,
    SubjectStatus,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.services import (
    add_visit,
    attend_visit,
    cancel_visit,
    miss_visit,
    open_visit,
    record_death,
    revoke_death,
    set_day_zero,
)
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol import EventRole

DAY = dt.timedelta(days=1)
_CODES = ("SCR", "D0", "D1", "D3", "D5", "D7", "D14", "D28", "W8", "W12")
DATED = tuple(f"SE.{code}" for code in _CODES)


def act(cast, service, **said):
    with as_person(cast.nurse):
        return service(by=cast.nurse, **said)


def attend(cast, visit, on):
    return act(cast, attend_visit, visit=visit, on=on, mode=VisitMode.WARD)


def died(cast, subject, on):
    return act(cast, record_death, subject=subject, died_on=str(on))


# Anchoring


def test_before_day_zero_every_visit_is_planned_and_undated(cast):
    subject = enrolled(cast)
    rows = given(lambda: list(subject.visits.all()))()
    assert {(each.status, each.target_on, each.window) for each in rows} == {
        (VisitStatus.PLANNED, None, None)
    }
    assert len(rows) == len(DATED)


def test_moving_day_zero_moves_only_what_has_not_begun(cast):
    subject = enrolled(cast, since=6)
    zero = today(cast.site) - 6 * DAY
    attend(cast, visit_at(subject, "SE.D1"), zero + DAY)
    act(cast, miss_visit, visit=visit_at(subject, "SE.D3"), reason="Transferred")
    act(cast, open_visit, visit=visit_at(subject, "SE.D7"))
    stay = {oid: visit_at(subject, oid).window_ends for oid in ("SE.D1", "SE.D3", "SE.D7")}
    moved = anchor(cast, subject, zero - 2 * DAY)
    assert {str(each).split()[0] for each in moved} == set(DATED) - set(stay)
    assert {oid: visit_at(subject, oid).window_ends for oid in stay} == stay
    assert visit_at(subject, "SE.D14").target_on == zero + 12 * DAY


def test_each_move_counts_the_anchor_up_and_no_move_does_not(cast):
    subject = enrolled(cast, since=3)
    zero = today(cast.site) - 3 * DAY
    assert visit_at(subject, "SE.W12").anchor_version == 1
    assert anchor(cast, subject, zero) == []
    assert visit_at(subject, "SE.W12").anchor_version == 1
    anchor(cast, subject, zero + DAY)
    assert visit_at(subject, "SE.W12").anchor_version == 2


def test_taking_day_zero_back_takes_the_dates_away(cast):
    subject = enrolled(cast, since=3)
    anchor(cast, subject, None)
    visit = visit_at(subject, "SE.W12")
    assert (visit.target_on, visit.window, visit.anchor_version) == (None, None, 2)
    assert given(Subject.objects.get)(pk=subject.pk).day_zero is None


@pytest.mark.parametrize(
    ("given_reason", "kept"),
    [("The first session was voided", "The first session was voided"), ("", "Day zero moved from")],
)
def test_the_trail_keeps_why_day_zero_moved(cast, given_reason, kept):
    subject = enrolled(cast, since=3)
    anchor(cast, subject, today(cast.site) - 2 * DAY, reason=given_reason)
    for table in ("casebook_subject", "casebook_visit"):
        with as_person(cast.investigator):
            last = (
                Event.objects.filter(table_name=table, subject_id=subject.pk).order_by("eid").last()
            )
        assert last is not None
        assert last.reason.startswith(kept)


def test_the_reason_of_the_act_that_moves_day_zero_is_the_one_kept(cast):
    subject = enrolled(cast, since=3)
    with as_person(cast.nurse), because("Cells went on a day later"):
        set_day_zero(subject=subject, day_zero=today(cast.site) - 2 * DAY, by=cast.nurse)
    with as_person(cast.investigator):
        events = Event.objects.filter(table_name="casebook_visit", subject_id=subject.pk)
        last = events.order_by("eid").last()
    assert last is not None
    assert last.reason == "Cells went on a day later"


# Death


@pytest.mark.parametrize(
    ("day", "first_dropped"),
    [(0, "SCR"), (1, "D1"), (2, "D3"), (4, "D3"), (5, "D5"), (8, "D7"), (9, "D14"), (91, "W12")],
)
def test_death_ends_every_visit_whose_window_had_not_ended(cast, day, first_dropped):
    """A window that ended the day before may have been missed; one ending that day is over."""
    subject = enrolled(cast, since=100)
    died(cast, subject, today(cast.site) - (100 - day) * DAY)
    found = {oid for oid in DATED if visit_at(subject, oid).not_required_cause == "death"}
    assert found == set(DATED[DATED.index(f"SE.{first_dropped}") :])
    assert {visit_at(subject, oid).status for oid in set(DATED) - found} <= {VisitStatus.PLANNED}


def test_death_leaves_what_was_attended_opened_and_missed(cast):
    subject = enrolled(cast, since=7)
    zero = today(cast.site) - 7 * DAY
    attend(cast, visit_at(subject, "SE.D5"), zero + 5 * DAY)
    act(cast, open_visit, visit=visit_at(subject, "SE.D7"))
    died(cast, subject, today(cast.site))
    assert visit_at(subject, "SE.D5").status == VisitStatus.ATTENDED
    assert visit_at(subject, "SE.D7").status == VisitStatus.OPEN
    assert visit_at(subject, "SE.D14").status == VisitStatus.NOT_REQUIRED


def test_before_day_zero_death_ends_everything(cast):
    subject = enrolled(cast)
    died(cast, subject, today(cast.site))
    assert set(states(subject).values()) == {VisitStatus.NOT_REQUIRED}


def test_of_a_death_known_by_month_its_first_day_counts(cast):
    subject = enrolled(cast, since=90)
    month = f"{today(cast.site) - 30 * DAY:%Y-%m}"
    first = dt.date.fromisoformat(f"{month}-01")
    died(cast, subject, month)
    for oid in DATED:
        visit = visit_at(subject, oid)
        ended = window_of(visit)[1] < first
        assert (visit.status == VisitStatus.PLANNED) is ended


def test_a_death_taken_back_gives_the_schedule_and_the_status_back(cast):
    subject = enrolled(cast, since=7)
    died(cast, subject, today(cast.site) - DAY)
    kept = given(Subject.objects.get)(pk=subject.pk)
    assert (kept.status, kept.died_on) == ("died", str(today(cast.site) - DAY))
    act(cast, revoke_death, subject=subject)
    kept = given(Subject.objects.get)(pk=subject.pk)
    assert (kept.status, kept.died_on) == (SubjectStatus.ENROLLED, "")
    assert set(states(subject).values()) == {VisitStatus.PLANNED}
    with pytest.raises(TransitionError):
        act(cast, revoke_death, subject=subject)


def test_a_corrected_date_of_death_gives_back_what_came_before_it(cast):
    subject = enrolled(cast, since=60)
    zero = today(cast.site) - 60 * DAY
    died(cast, subject, zero + 4 * DAY)
    died(cast, subject, zero + 20 * DAY)
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED
    assert visit_at(subject, "SE.D28").status == VisitStatus.NOT_REQUIRED
    assert given(ScheduleClosing.objects.count)() == 1


@pytest.mark.parametrize("said", ["", "2026-02-30", "soon", "2199-01-01"])
def test_a_death_needs_a_date_that_can_be(cast, said):
    subject = enrolled(cast, since=7)
    with pytest.raises(DomainError):
        act(cast, record_death, subject=subject, died_on=said)
    assert set(states(subject).values()) == {VisitStatus.PLANNED}


def test_day_zero_moved_after_a_death_leaves_nothing_planned_beyond_it(cast):
    subject = enrolled(cast, since=20)
    zero = today(cast.site) - 20 * DAY
    died(cast, subject, zero + 9 * DAY)
    assert visit_at(subject, "SE.D7").status == VisitStatus.PLANNED
    anchor(cast, subject, zero + 4 * DAY)
    assert visit_at(subject, "SE.D7").status == VisitStatus.NOT_REQUIRED


# Withdrawal


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    ("scopes", "follow_ups"),
    [
        ([Scope.TREATMENT], VisitStatus.PLANNED),
        ([Scope.SAMPLES], VisitStatus.PLANNED),
        ([Scope.TREATMENT, Scope.SAMPLES], VisitStatus.PLANNED),
        ([Scope.CONTACT], VisitStatus.NOT_REQUIRED),
        ([Scope.ALL_DATA], VisitStatus.NOT_REQUIRED),
    ],
)
def test_a_withdrawal_ends_the_schedule_by_its_scope(cast, scopes, follow_ups):
    subject = consenting(cast, since=10)
    withdraw(cast, subject, *scopes)
    assert visit_at(subject, "SE.D14").status == follow_ups
    # Its window ended before: it may have been missed.
    assert visit_at(subject, "SE.D7").status == VisitStatus.PLANNED


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    ("scope", "refused"),
    [(Scope.TREATMENT, True), (Scope.CONTACT, True), (Scope.SAMPLES, False)],
)
def test_no_session_is_added_after_treatment_was_withdrawn(cast, scope, refused):
    subject = consenting(cast, since=10)
    withdraw(cast, subject, scope, days=-2)
    on = today(cast.site)
    if refused:
        with pytest.raises(DomainError, match="not done any more"):
            act(cast, add_visit, subject=subject, role=EventRole.TREATMENT, on=on)
        # What took place before it can still be entered.
        on -= 3 * DAY
    act(cast, add_visit, subject=subject, role=EventRole.TREATMENT, on=on)


@pytest.mark.requirement("PR6")
def test_without_treatment_survival_contacts_and_visits_go_on(cast):
    subject = consenting(cast, since=10)
    withdraw(cast, subject, Scope.TREATMENT, days=-2)
    for role in (EventRole.SURVIVAL_CONTACT, EventRole.EXTRA):
        act(cast, add_visit, subject=subject, role=role, on=today(cast.site))


def test_a_withdrawal_voided_or_taken_back_gives_its_visits_back(cast):
    subject = consenting(cast, since=10)
    part = withdraw(cast, subject, Scope.CONTACT)
    with as_person(cast.nurse):
        void_part(part=part, reason="Another person's", by=cast.nurse)
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED
    withdraw(cast, subject, Scope.ALL_DATA, hours=-1)
    assert visit_at(subject, "SE.D14").status == VisitStatus.NOT_REQUIRED
    document = make_document(cast, cast.site, version="2.0")
    resume(cast, subject, document, *Scope)
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED


def test_what_two_causes_end_comes_back_only_when_both_are_gone(cast):
    subject = consenting(cast, since=10)
    part = withdraw(cast, subject, Scope.CONTACT, hours=-1)
    died(cast, subject, today(cast.site))
    with as_person(cast.nurse):
        void_part(part=part, reason="Another person's", by=cast.nurse)
    visit = visit_at(subject, "SE.D14")
    assert (visit.status, visit.not_required_cause) == (VisitStatus.NOT_REQUIRED, "death")
    act(cast, revoke_death, subject=subject)
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED


# Early termination and added visits


def test_an_early_termination_makes_its_visit_and_ends_the_rest_but_survival(cast):
    subject = enrolled(cast, since=10)
    on = today(cast.site)
    made = act(cast, add_visit, subject=subject, role=EventRole.EARLY_TERMINATION, on=on)
    assert made.window_ends == (on, on + 7 * DAY)
    forms = given(lambda: set(made.records.values_list("form_oid", flat=True)))()
    assert forms == {"F.VS", "F.HE", "F.LB"}
    assert visit_at(subject, "SE.D14").not_required_cause == "early_termination"
    act(cast, add_visit, subject=subject, role=EventRole.SURVIVAL_CONTACT, on=on)
    with pytest.raises(DomainError):
        act(cast, add_visit, subject=subject, role=EventRole.TREATMENT, on=on + DAY)
    with pytest.raises(TransitionError):
        act(cast, add_visit, subject=subject, role=EventRole.EARLY_TERMINATION, on=on)


def test_an_early_termination_in_error_gives_the_schedule_back_and_can_be_made_again(cast):
    subject = enrolled(cast, since=10)
    said = {"subject": subject, "role": EventRole.EARLY_TERMINATION, "on": today(cast.site)}
    made = act(cast, add_visit, **said)
    act(cast, cancel_visit, visit=made, reason="Another person's")
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED
    again = act(cast, add_visit, **said)
    assert (again.pk, again.status) == (made.pk, VisitStatus.PLANNED)
    assert visit_at(subject, "SE.D14").status == VisitStatus.NOT_REQUIRED


def test_a_contact_for_a_missed_milestone_has_until_three_days_after_its_window(cast):
    subject = enrolled(cast, since=40)
    milestone = visit_at(subject, "SE.D28")
    made = act(
        cast,
        add_visit,
        subject=subject,
        role=EventRole.SURVIVAL_CONTACT,
        on=today(cast.site),
        stands_for=milestone,
    )
    first, last = window_of(milestone)
    assert (made.stands_for_id, made.window_ends) == (milestone.pk, (first, last + 3 * DAY))


def test_added_visits_are_counted_and_laid_out_ones_not_added(cast):
    subject = enrolled(cast, since=2)
    on = today(cast.site)
    made = [
        act(cast, add_visit, subject=subject, role=EventRole.TREATMENT, on=on) for _ in range(3)
    ]
    assert [each.repeat_key for each in made] == [1, 2, 3]
    assert [each.visit_number for each in made] == [31, 32, 33]
    with pytest.raises(TransitionError):
        act(cast, add_visit, subject=subject, event_oid="SE.D7", on=on)


def test_an_unplanned_visit_is_numbered_after_the_visit_before_it(cast):
    subject = enrolled(cast, since=9)
    zero = today(cast.site) - 9 * DAY
    attend(cast, visit_at(subject, "SE.D7"), zero + 7 * DAY)
    numbers = []
    for _ in range(2):
        made = act(cast, add_visit, subject=subject, role=EventRole.EXTRA, on=zero + 8 * DAY)
        numbers.append(str(attend(cast, made, zero + 8 * DAY).visit_number))
    assert numbers == ["100.01", "100.02"]


def test_nothing_is_added_after_death(cast):
    subject = enrolled(cast, since=10)
    died(cast, subject, today(cast.site) - 2 * DAY)
    with pytest.raises(DomainError, match="died"):
        act(cast, add_visit, subject=subject, role=EventRole.EXTRA, on=today(cast.site))
    act(cast, add_visit, subject=subject, role=EventRole.EXTRA, on=today(cast.site) - 2 * DAY)


def test_a_visit_whose_forms_hold_data_is_not_cancelled(cast):
    subject = enrolled(cast, since=10)
    made = act(cast, add_visit, subject=subject, role=EventRole.EXTRA, on=today(cast.site))
    make_record(subject, visit=made, status=RecordStatus.IN_PROGRESS)
    with pytest.raises(TransitionError, match="hold data"):
        act(cast, cancel_visit, visit=made, reason="Error")
    with pytest.raises(TransitionError, match="laid out"):
        act(cast, cancel_visit, visit=visit_at(subject, "SE.D7"), reason="Error")
