"""What is said of a visit, and what follows from it: dates refused, deviations proposed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from screening.models.consent import Scope
from tests.factories import as_person, given
from tests.screening.consenting import withdraw
from tests.visits.scheduling import anchor, consenting, enrolled, today, visit_at, window_of
from trialsite.audit.models import Event
from trialsite.casebook.models import LockState, Subject, Visit, VisitMode, VisitStatus
from trialsite.casebook.services import add_visit, record_death
from trialsite.conduct.models import Deviation, DeviationStatus
from trialsite.conduct.services.deviations import dismiss_proposal
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.protocol import EventRole
from visits.services.visits import (
    VisitError,
    add,
    attend,
    begin,
    cancel,
    miss,
    start_form,
    take_back,
)

DAY = dt.timedelta(days=1)


def act(cast, service, **said):
    with as_person(cast.nurse):
        return service(by=cast.nurse, **said)


def attended(cast, visit, on, **said):
    return act(cast, attend, visit=visit, on=on, **({"mode": VisitMode.WARD} | said))


def deviations(subject) -> list[Deviation]:
    return given(lambda: list(Deviation.objects.filter(subject=subject).order_by("entered_at")))()


def problems(cast, visit, on, **said):
    with pytest.raises(VisitError) as refused:
        attended(cast, visit, on, **said)
    return refused.value.errors


def test_inside_its_window_a_visit_is_attended_and_nothing_else_follows(cast):
    subject = consenting(cast, since=7)
    visit = attended(cast, visit_at(subject, "SE.D7"), today(cast.site))
    assert (visit.status, visit.mode) == (VisitStatus.ATTENDED, VisitMode.WARD)
    assert deviations(subject) == []


@pytest.mark.parametrize(("day", "outside"), [(5, True), (6, False), (8, False), (9, True)])
def test_outside_its_window_it_is_kept_and_a_deviation_proposed(cast, day, outside):
    subject = consenting(cast, since=20)
    on = today(cast.site) - (20 - day) * DAY
    visit = attended(cast, visit_at(subject, "SE.D7"), on)
    assert (visit.status, visit.attended_on) == (VisitStatus.ATTENDED, on)
    found = deviations(subject)
    assert [each.kind for each in found] == (["visit_out_of_window"] if outside else [])
    assert all(str(each.occurred_on) == on.isoformat() for each in found)


def test_a_deviation_is_proposed_once_whatever_the_date_becomes(cast):
    subject = consenting(cast, since=20)
    visit = visit_at(subject, "SE.D7")
    zero = today(cast.site) - 20 * DAY
    attended(cast, visit, zero + 9 * DAY)
    (proposal,) = deviations(subject)
    with as_person(cast.nurse):
        dismiss_proposal(deviation=proposal, reason="Holiday", by=cast.nurse, base_version=1)
    attended(cast, visit_at(subject, "SE.D7"), zero + 10 * DAY, reason="Misread")
    (again,) = deviations(subject)
    assert again.status == DeviationStatus.DISMISSED


def test_a_missed_visit_has_its_reason_and_is_proposed_once(cast):
    subject = consenting(cast, since=20)
    visit = act(cast, miss, visit=visit_at(subject, "SE.D7"), reason="Moved away ")
    assert (visit.status, visit.missed_reason) == (VisitStatus.MISSED, "Moved away")
    act(cast, take_back, visit=visit, reason="Misread")
    act(cast, miss, visit=visit_at(subject, "SE.D7"), reason="No transport")
    (found,) = deviations(subject)
    assert (found.kind, "Moved away" in found.description) == ("visit_missed", False)
    assert "No transport" in found.description


def test_a_visit_is_not_missed_before_its_time_nor_without_a_reason(cast):
    subject = consenting(cast, since=2)
    with pytest.raises(VisitError):
        act(cast, miss, visit=visit_at(subject, "SE.D1"), reason=" ")
    with pytest.raises(TransitionError, match="not come yet"):
        act(cast, miss, visit=visit_at(subject, "SE.D14"), reason="Will travel")
    assert deviations(subject) == []


@pytest.mark.parametrize(
    ("shift", "said"),
    [(1, "future"), (-61, "before the consent"), (0, ""), (-60, "")],
)
def test_nobody_is_seen_before_consent_or_in_the_future(cast, shift, said):
    subject = consenting(cast, since=7)
    visit, on = visit_at(subject, "SE.D7"), today(cast.site) + shift * DAY
    if not said:
        assert attended(cast, visit, on).attended_on == on
        return
    (message,) = problems(cast, visit, on)["on"]
    assert said in message
    assert visit_at(subject, "SE.D7").status == VisitStatus.PLANNED


def test_nobody_is_seen_without_a_consent_on_record(cast):
    subject = enrolled(cast, since=7)
    assert problems(cast, visit_at(subject, "SE.D7"), today(cast.site))["on"]
    with pytest.raises(DomainError, match="No consent"):
        act(cast, begin, visit=visit_at(subject, "SE.D7"))


def test_nobody_is_seen_after_death_but_on_its_day(cast):
    subject = consenting(cast, since=10)
    on = today(cast.site) - 2 * DAY
    act(cast, record_death, subject=subject, died_on=on.isoformat())
    visit = visit_at(subject, "SE.D7")
    assert "died" in problems(cast, visit, on + DAY)["on"][0]
    attended(cast, visit, on)
    with pytest.raises(DomainError, match="died"):
        act(cast, begin, visit=visit_at(subject, "SE.D5"))


def test_what_was_seen_before_death_is_entered_after_it(cast):
    """The nurse writes it down the next day; the closed visit takes its attendance."""
    subject = consenting(cast, since=7)
    act(cast, record_death, subject=subject, died_on=today(cast.site).isoformat())
    visit = visit_at(subject, "SE.D7")
    assert visit.status == VisitStatus.NOT_REQUIRED
    visit = attended(cast, visit, today(cast.site) - DAY)
    assert (visit.status, visit.not_required_cause) == (VisitStatus.ATTENDED, "")


def test_after_all_data_are_withdrawn_nothing_is_said_of_a_visit(cast):
    subject = consenting(cast, since=7)
    withdraw(cast, subject, Scope.ALL_DATA)
    visit = visit_at(subject, "SE.D7")
    with pytest.raises(TransitionError, match="withdrawn"):
        attended(cast, visit, today(cast.site))
    with pytest.raises(TransitionError, match="withdrawn"):
        act(cast, begin, visit=visit)


def test_a_correction_says_why_and_the_trail_keeps_it(cast):
    subject = consenting(cast, since=7)
    visit = attended(cast, visit_at(subject, "SE.D7"), today(cast.site))
    assert "reason" in problems(cast, visit, today(cast.site) - DAY)
    attended(cast, visit, today(cast.site) - DAY, reason="Read from the chart")
    with as_person(cast.investigator):
        last = Event.objects.filter(table_name="casebook_visit").order_by("eid").last()
    assert last is not None
    assert last.reason == "Read from the chart"


def test_an_error_taken_back_is_planned_by_the_present_day_zero(cast):
    subject = consenting(cast, since=7)
    attended(cast, visit_at(subject, "SE.D7"), today(cast.site))
    anchor(cast, subject, today(cast.site) - 5 * DAY)
    before = visit_at(subject, "SE.D7")
    act(cast, take_back, visit=before, reason="Another person's")
    after = visit_at(subject, "SE.D7")
    assert (after.status, after.attended_on, after.mode) == (VisitStatus.PLANNED, None, "")
    assert after.window_ends == tuple(day + 2 * DAY for day in window_of(before))
    assert after.anchor_version == before.anchor_version + 1


def test_a_visit_taken_back_after_death_is_not_required(cast):
    subject = consenting(cast, since=7)
    attended(cast, visit_at(subject, "SE.D7"), today(cast.site) - DAY)
    act(cast, record_death, subject=subject, died_on=today(cast.site).isoformat())
    act(cast, take_back, visit=visit_at(subject, "SE.D7"), reason="Another person's")
    assert visit_at(subject, "SE.D7").status == VisitStatus.NOT_REQUIRED


def test_a_survival_contact_is_made_at_once_for_what_was_missed(cast):
    subject = consenting(cast, since=33)
    milestone = visit_at(subject, "SE.D28")
    made = act(
        cast,
        add,
        subject=subject,
        role=EventRole.SURVIVAL_CONTACT,
        on=today(cast.site),
        mode=VisitMode.TELEPHONE,
        stands_for=milestone,
    )
    assert (made.status, made.mode) == (VisitStatus.ATTENDED, VisitMode.TELEPHONE)
    assert made.days_outside(made.attended_on) == 0
    assert deviations(subject) == []


@pytest.mark.parametrize("which", ["none", "attended", "coming", "another's"])
def test_a_contact_stands_for_a_visit_nobody_was_seen_at(cast, which):
    subject = consenting(cast, since=33)
    milestone = {
        "none": None,
        "attended": visit_at(subject, "SE.D28"),
        "coming": visit_at(subject, "SE.W8"),
        "another's": visit_at(enrolled(cast, since=33), "SE.D28"),
    }[which]
    if which == "attended":
        attended(cast, milestone, today(cast.site) - 3 * DAY)
        milestone = visit_at(subject, "SE.D28")
    with pytest.raises(VisitError) as refused:
        act(
            cast,
            add,
            subject=subject,
            role=EventRole.SURVIVAL_CONTACT,
            on=today(cast.site),
            mode=VisitMode.TELEPHONE,
            stands_for=milestone,
        )
    assert set(refused.value.errors) == {"stands_for"}


@pytest.mark.parametrize(("shift", "status"), [(0, "attended"), (-3, "attended"), (2, "planned")])
def test_an_unscheduled_visit_took_place_unless_it_is_an_appointment(cast, shift, status):
    subject = consenting(cast, since=7)
    on = today(cast.site) + shift * DAY
    made = act(cast, add, subject=subject, role=EventRole.EXTRA, on=on, mode=VisitMode.WARD)
    assert (made.status, made.target_on) == (status, on)


def test_a_session_is_not_added_by_hand(cast):
    subject = consenting(cast, since=7)
    with pytest.raises(DomainError):
        act(cast, add, subject=subject, role=EventRole.TREATMENT, on=today(cast.site))


def test_a_form_the_protocol_allows_is_opened_at_the_visit_and_no_other(cast):
    subject = consenting(cast, since=7)
    made = act(
        cast, add, subject=subject, role=EventRole.EXTRA, on=today(cast.site), mode=VisitMode.WARD
    )
    record = act(cast, start_form, visit=made, form_oid="F.VS")
    assert (record.visit_id, record.form_oid) == (made.pk, "F.VS")
    with pytest.raises(DomainError):
        act(cast, start_form, visit=made, form_oid="F.DM")
    cancelled = act(cast, add, subject=subject, role=EventRole.EXTRA, on=today(cast.site) + DAY)
    act(cast, cancel, visit=cancelled, reason="Error")
    with pytest.raises(TransitionError):
        act(cast, start_form, visit=visit_at(subject, "SE.UNS", 2), form_oid="F.VS")


@pytest.mark.parametrize("locked", ["subject", "visit"])
def test_under_a_lock_nothing_is_said(cast, locked):
    subject = consenting(cast, since=7)
    visit = visit_at(subject, "SE.D7")
    model, pk = (Subject, subject.pk) if locked == "subject" else (Visit, visit.pk)
    given(model.objects.filter(pk=pk).update)(lock_state=LockState.LOCKED)
    with pytest.raises(TransitionError, match="locked"):
        attended(cast, visit, today(cast.site))


@pytest.mark.parametrize("who", ["monitor", "auditor", "data_manager", "stranger"])
def test_who_does_not_enter_data_here_says_nothing_of_a_visit(cast, who):
    subject = consenting(cast, since=7)
    visit, person = visit_at(subject, "SE.D7"), getattr(cast, who)
    on = today(cast.site)
    acts: list[tuple[Callable[..., object], dict[str, object]]] = [
        (begin, {"visit": visit}),
        (attend, {"visit": visit, "on": on, "mode": VisitMode.WARD}),
        (miss, {"visit": visit, "reason": "x"}),
        (take_back, {"visit": visit, "reason": "x"}),
        (cancel, {"visit": visit, "reason": "x"}),
        (add, {"subject": subject, "role": EventRole.EXTRA, "on": on}),
        (start_form, {"visit": visit, "form_oid": "F.VS"}),
    ]
    for service, said in acts:
        with pytest.raises(NotPermittedError), as_person(person):
            service(by=person, **said)


def test_of_a_sessions_visit_only_its_run_sheet_speaks(cast):
    subject = consenting(cast, since=7)
    with as_person(cast.nurse):
        visit = add_visit(
            subject=subject, role=EventRole.TREATMENT, on=today(cast.site), by=cast.nurse
        )
    for service, said in (
        (begin, {}),
        (attend, {"on": today(cast.site), "mode": VisitMode.WARD}),
        (miss, {"reason": "x"}),
        (take_back, {"reason": "x"}),
        (cancel, {"reason": "x"}),
    ):
        with pytest.raises(TransitionError, match="run sheet"):
            act(cast, service, visit=visit, **said)


# What was proposed follows the correction of what it is about


@given
def raised(subject) -> list[tuple[str, bool]]:
    rows = Deviation.objects.filter(subject=subject).order_by("kind")
    return [(row.kind, row.cause_ended_at is None) for row in rows]


def test_a_corrected_date_takes_the_cause_of_the_proposal_back_and_again(cast):
    subject = consenting(cast, since=40)
    visit = visit_at(subject, "SE.D7")
    first, last = window_of(visit)
    said = {"mode": VisitMode.WARD, "by": cast.nurse}
    with as_person(cast.nurse):
        attend(visit=visit, on=last + DAY, **said)
    assert raised(subject) == [("visit_out_of_window", True)]
    with as_person(cast.nurse):
        attend(visit=visit, on=first, reason="slip", **said)
    assert raised(subject) == [("visit_out_of_window", False)]
    with as_person(cast.nurse):
        attend(visit=visit, on=last + 3 * DAY, reason="right after all", **said)
        (found,) = Deviation.objects.filter(subject=subject)
    assert found.cause_ended_at is None
    assert (last + 3 * DAY).isoformat() in found.description


def test_a_missed_visit_that_took_place_after_all_says_so_on_its_proposal(cast):
    subject = consenting(cast, since=40)
    visit = visit_at(subject, "SE.D7")
    with as_person(cast.nurse):
        miss(visit=visit, reason="at home", by=cast.nurse)
        attend(
            visit=visit, on=window_of(visit)[0], mode=VisitMode.WARD, by=cast.nurse, reason="found"
        )
    assert raised(subject) == [("visit_missed", False)]


def test_what_was_decided_stays_as_it_was_decided(cast):
    subject = consenting(cast, since=40)
    visit = visit_at(subject, "SE.D7")
    first, last = window_of(visit)
    with as_person(cast.nurse):
        attend(visit=visit, on=last + DAY, mode=VisitMode.WARD, by=cast.nurse)
        (found,) = Deviation.objects.filter(subject=subject)
        dismiss_proposal(deviation=found, reason="weekend", by=cast.nurse, base_version=1)
        attend(visit=visit, on=first, mode=VisitMode.WARD, by=cast.nurse, reason="slip")
        found.refresh_from_db()
    assert (found.status, found.dismiss_reason) == (DeviationStatus.DISMISSED, "weekend")
    assert found.cause_ended_at is not None
