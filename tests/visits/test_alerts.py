"""A failed integrity test: the hold is proposed, and those who may hold are told at once."""

from __future__ import annotations

import pytest

from tests.factories import as_person, given, make_subject, make_user, sign_in
from tests.notify.conftest import sink
from tests.outcomes.conftest import complicated, treated
from tests.screening.consenting import wall
from tests.signing import proof_of
from tests.visits.treating import end, ended, prepared, running, start, treatable
from tests.waiting import until
from trialsite.access.capabilities import Role
from trialsite.casebook.models import CrfRecord
from trialsite.conduct.models import Hold, ProposalStatus, ProposedHold, RuleKind, Scope
from trialsite.conduct.selectors import treatment_refusals
from trialsite.conduct.services.holds import lift_hold, switch_rule
from trialsite.conduct.services.proposals import dismiss_proposed, place_proposed
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row, void_row
from trialsite.notify.delivery import deliver_due
from trialsite.notify.models import Notice, State
from trialsite.notify.planning import plan_notices
from visits.models import Complication, IntegrityTest
from visits.services.sessions import SessionRefusedError, Times, correct_times, void_session

__all__ = ["sink"]

TEST = {
    "stage": "AFTER",
    "method": "POST_USE",
    "tested_at": "2026-03-05T16:20",
    "result": "FAIL",
}
RULE = "barrier_failure"


@pytest.fixture
def subject(cast):
    return make_subject(cast.site, number="001-001", status="enrolled")


@pytest.fixture
def session(cast, subject):
    return treated(subject, cast.nurse)


@pytest.fixture
def officers(cast):
    """Everybody to whom such a word goes, and some to whom it does not."""
    return {
        "study": cast.investigator,
        "site": make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site),
        "officer": make_user(Role.SAFETY_OFFICER),
        "site officer": make_user(Role.SAFETY_OFFICER, cast.site),
        "elsewhere": make_user(Role.SAFETY_OFFICER, cast.other_site),
        "gone": make_user(Role.SAFETY_OFFICER, is_active=False, deactivated_at=trial_now()),
    }


def a_test(session, by, row=None, **texts):
    """An integrity test, entered by the nurse at the run sheet."""
    options = {} if row is None else {"row_id": row.pk, "base_version": row.version}
    with as_person(by):
        return save_row(
            record=CrfRecord.objects.get(pk=session.pk),
            group=IntegrityTest,
            entry=read_texts(IntegrityTest, TEST | texts),
            by=by,
            **options,
        ).row


@given
def proposals() -> list[ProposedHold]:
    return list(ProposedHold.objects.order_by("raised_at"))


@given
def holds() -> list[Hold]:
    return list(Hold.objects.all())


def refusals(cast) -> list[str]:
    with as_person(cast.nurse):
        return treatment_refusals(site_id=cast.site.pk)


def switch_on(cast, subject, *, active: bool = True) -> None:
    with as_person(cast.investigator):
        switch_rule(
            version=subject.protocol_version, kind=RuleKind.HOLD, rule=RULE, active=active,
            reason="board of 3 May", by=cast.investigator, proof=proof_of(cast.investigator),
        )  # fmt: skip


def told() -> None:
    plan_notices(trial_now())
    deliver_due(trial_now())


def test_a_failed_test_proposes_the_hold_and_holds_nothing(cast, subject, session):
    a_test(session, cast.nurse)
    [proposal] = proposals()
    assert (proposal.rule, proposal.trigger, proposal.subject_id) == (RULE, RULE, subject.pk)
    assert proposal.status == ProposalStatus.OPEN
    assert (holds(), refusals(cast)) == ([], [])


@pytest.mark.parametrize("result", ["PASS", ""])
def test_a_test_that_did_not_fail_proposes_nothing(cast, session, result):
    a_test(session, cast.nurse, result=result)
    assert proposals() == []


def test_a_failure_is_proposed_once_however_often_its_row_is_saved(cast, session):
    row = a_test(session, cast.nurse)
    a_test(session, cast.nurse, row, sample="E-1")
    assert len(proposals()) == 1
    a_test(session, cast.nurse)
    assert len(proposals()) == 2


@pytest.mark.parametrize("how", ["corrected", "voided"])
def test_a_failure_taken_back_is_noted_and_still_to_be_decided(cast, session, how):
    row = a_test(session, cast.nurse)
    with as_person(cast.nurse):
        record = CrfRecord.objects.get(pk=session.pk)
        if how == "voided":
            void_row(record=record, group=IntegrityTest, row_id=row.pk, reason="x", by=cast.nurse)
    if how == "corrected":
        a_test(session, cast.nurse, row, result="PASS")
    [proposal] = proposals()
    assert proposal.cause_ended_at is not None
    assert proposal.status == ProposalStatus.OPEN


def test_what_fails_again_is_proposed_again_though_the_first_was_dismissed(cast, session):
    row = a_test(session, cast.nurse)
    with as_person(cast.investigator):
        dismiss_proposed(proposal=proposals()[0], reason="mistyped", by=cast.investigator)
    row = a_test(session, cast.nurse, row, sample="E-1")
    assert len(proposals()) == 1
    row = a_test(session, cast.nurse, row, result="PASS")
    a_test(session, cast.nurse, row, result="FAIL")
    assert [each.status for each in proposals()] == [ProposalStatus.DISMISSED, ProposalStatus.OPEN]


def test_a_rule_switched_on_by_signature_places_the_hold_in_the_same_moment(cast, subject, session):
    switch_on(cast, subject)
    a_test(session, cast.nurse)
    [hold], [proposal] = holds(), proposals()
    assert (hold.site, hold.scope, hold.rule) == (cast.site, Scope.BOTH, RULE)
    assert (proposal.status, proposal.hold_id) == (ProposalStatus.PLACED, hold.pk)
    [said] = refusals(cast)
    assert "An integrity test of the cell barrier failed." in said
    with as_person(cast.investigator):
        assert hold.placed_by_whom == "Rule switched on by Petra Principal"
    shown = sign_in(cast.investigator).get("/holds/").content.decode()
    assert "Rule switched on by Petra Principal" in shown


def test_only_a_signature_lifts_it_and_a_correction_does_not(cast, subject, session):
    switch_on(cast, subject)
    row = a_test(session, cast.nurse)
    a_test(session, cast.nurse, row, result="PASS")
    assert refusals(cast)
    with as_person(cast.investigator):
        lift_hold(hold=holds()[0], reason="reactor replaced", by=cast.investigator,
                  proof=proof_of(cast.investigator))  # fmt: skip
    assert refusals(cast) == []


def test_a_rule_switched_off_again_places_nothing(cast, subject, session):
    switch_on(cast, subject)
    switch_on(cast, subject, active=False)
    a_test(session, cast.nurse)
    assert holds() == []
    assert len(proposals()) == 1


def test_a_failure_reaches_those_who_may_hold_and_nobody_else(cast, session, officers, sink):
    a_test(session, cast.nurse)
    told()
    expected = {officers[key].email for key in ("study", "site", "officer", "site officer")}
    assert {message["To"] for message in sink.arrived} == expected
    message = sink.arrived[0]
    assert "Cell leak or barrier failure: 001-001" in message["Subject"]
    assert f"/holds/proposals/{proposals()[0].pk}/" in message.get_content()
    told()
    assert len(sink.arrived) == 4


def test_it_is_due_when_it_is_raised_whatever_the_hour(cast, session, sink):
    a_test(session, cast.nurse)
    told()
    notices = Notice.objects.filter(kind="integrity-failure")
    assert {notice.state for notice in notices} == {State.SENT}
    assert {notice.due_at for notice in notices} == {proposals()[0].raised_at}


def test_where_nobody_may_hold_that_shows(cast, session, sink):
    given(cast.investigator.memberships.update)(ended_on="2026-02-01")
    a_test(session, cast.nurse)
    told()
    assert sink.arrived == []
    assert Notice.objects.get(kind="integrity-failure").state == State.NOBODY


@pytest.mark.parametrize("how", ["corrected", "dismissed"])
def test_nobody_is_told_of_what_is_settled_before_the_mail_leaves(cast, session, sink, how):
    row = a_test(session, cast.nurse)
    plan_notices(trial_now())
    if how == "corrected":
        a_test(session, cast.nurse, row, result="PASS")
    else:
        with as_person(cast.investigator):
            dismiss_proposed(proposal=proposals()[0], reason="mistyped", by=cast.investigator)
    deliver_due(trial_now())
    assert sink.arrived == []
    assert Notice.objects.get(kind="integrity-failure").state == State.CANCELLED


def test_a_worker_is_told_at_once(committed, monkeypatch):
    """The bell rings when the transaction stands, and not before."""
    from tests.factories import make_cast
    from trialsite.notify import outbox

    rung: list[tuple[object, ...]] = []
    monkeypatch.setattr(outbox, "_ring", lambda *said: rung.append(said))
    cast = given(make_cast)()
    session = treated(make_subject(cast.site), cast.nurse)
    a_test(session, cast.nurse)
    until(lambda: bool(rung))
    assert any("integrity-failure" in str(said) for said in rung)


def test_who_may_hold_places_it_or_says_why_not(cast, session):
    officer = make_user(Role.SAFETY_OFFICER, cast.site)
    a_test(session, cast.nurse)
    a_test(session, cast.nurse, stage="DURING")
    first, second = proposals()
    for person in (cast.nurse, cast.monitor, make_user(Role.SAFETY_OFFICER, cast.other_site)):
        with as_person(cast.investigator), pytest.raises(NotPermittedError):
            place_proposed(proposal=first, scope=Scope.TREATMENT, by=person)
    with as_person(officer):
        hold = place_proposed(proposal=first, scope=Scope.TREATMENT, by=officer)
        with pytest.raises(DomainError):
            dismiss_proposed(proposal=second, reason="  ", by=officer)
        dismiss_proposed(proposal=second, reason="the probe was wet", by=officer)
        for each in (first, second):
            with pytest.raises(TransitionError):
                place_proposed(proposal=each, scope=Scope.BOTH, by=officer)
    assert (hold.placed_by, hold.rule, hold.site_id) == (officer, RULE, cast.site.pk)
    assert len(refusals(cast)) == 1


def test_the_pages_of_a_proposal(cast, session):
    officer = make_user(Role.SAFETY_OFFICER, cast.site)
    a_test(session, cast.nurse)
    [proposal] = proposals()
    page, client = f"/holds/proposals/{proposal.pk}/", sign_in(officer)
    assert page in client.get("/holds/").content.decode()
    assert "Cell leak or barrier failure" in client.get(page).content.decode()
    read = sign_in(cast.nurse).get(page).content.decode()
    assert "Place the hold" not in read
    assert sign_in(cast.nurse).post(f"{page}place/", {"scope": "both"}).status_code == 403
    assert sign_in(cast.stranger).get(page).status_code == 404
    empty = client.post(f"{page}dismiss/", {"dismiss-reason": ""})
    assert empty.status_code == 422
    assert client.post(f"{page}place/", {"scope": "treatment"}).status_code == 302
    assert [hold.scope for hold in holds()] == [Scope.TREATMENT]
    late = client.post(f"{page}dismiss/", {"dismiss-reason": "the probe was wet"})
    assert late.status_code == 422
    assert "decided already" in late.content.decode()


def test_no_session_starts_under_the_hold_and_its_refusal_says_why(cast):
    subject = treatable(cast)
    switch_on(cast, subject)
    done = ended(cast, subject)
    following = prepared(cast, subject)
    a_test(done, cast.nurse)
    with pytest.raises(SessionRefusedError) as refused:
        start(cast, following, wall(cast.site, hours=-0.1))
    assert any(
        "An integrity test of the cell barrier failed." in each for each in refused.value.reasons
    )


def test_a_voided_session_takes_its_failed_test_back(cast):
    session = ended(cast, treatable(cast))
    a_test(session, cast.nurse)
    with as_person(cast.investigator):
        void_session(session=session, reason="another participant", by=cast.investigator)
    assert [each.cause_ended_at is not None for each in proposals()] == [True]


# -- A leak seen at the bedside ---------------------------------------------------------


def open_causes() -> list[str]:
    return [each.reason for each in proposals() if each.cause_ended_at is None]


def take_back(cast, session, row) -> None:
    with as_person(cast.nurse):
        record = CrfRecord.objects.get(pk=session.pk)
        void_row(record=record, group=Complication, row_id=row.pk, reason="x", by=cast.nurse)


def stopped(cast, session, why: str, *, corrected: bool = False):
    """End a session, or correct why it ended."""
    if not corrected:
        return end(cast, session, wall(cast.site, hours=-1), why=why)
    with as_person(cast.investigator):
        return correct_times(
            session=session, times=Times.of(session), stop_reason=why, reason="misread",
            by=cast.investigator,
        )  # fmt: skip


@pytest.mark.requirement("PR1")
def test_a_leak_seen_at_the_bedside_holds_and_is_told_as_a_failed_test(
    cast, subject, session, officers, sink
):
    switch_on(cast, subject)
    complicated(session, cast.nurse, code="LEAK")
    [hold], [proposal] = holds(), proposals()
    assert (hold.rule, proposal.trigger) == (RULE, RULE)
    assert any("Membrane rupture or leak" in each for each in refusals(cast))
    told()
    assert len(sink.arrived) == 4


def test_another_complication_holds_nothing(cast, session):
    complicated(session, cast.nurse)
    assert proposals() == []


@pytest.mark.parametrize("how", ["corrected", "voided"])
def test_a_leak_taken_back_is_noted(cast, session, how):
    row = complicated(session, cast.nurse, code="LEAK")
    if how == "voided":
        take_back(cast, session, row)
    else:
        with as_person(cast.nurse):
            said = {"code": "CLOT", "onset_at": "2026-03-05T10:40", "severity": "MODERATE"}
            save_row(
                record=CrfRecord.objects.get(pk=session.pk), group=Complication,
                entry=read_texts(Complication, said), by=cast.nurse,
                row_id=row.pk, base_version=row.version,
            )  # fmt: skip
    assert (len(proposals()), open_causes()) == (1, [])


def test_a_test_that_passes_takes_back_no_leak_that_was_seen(cast, session):
    complicated(session, cast.nurse, code="LEAK")
    row = a_test(session, cast.nurse)
    a_test(session, cast.nurse, row, result="PASS")
    assert open_causes() == ["Membrane rupture or leak"]


@pytest.mark.requirement("PR1")
def test_a_session_that_ends_because_of_a_leak_proposes_the_hold(cast):
    session = running(cast, treatable(cast))
    assert proposals() == []
    session = stopped(cast, session, "LEAK")
    assert open_causes() == ["Leak of cells or blood"]
    session = stopped(cast, session, "ALARM", corrected=True)
    assert open_causes() == []
    session = stopped(cast, session, "LEAK", corrected=True)
    assert open_causes() == ["Leak of cells or blood"]
    with as_person(cast.investigator):
        void_session(session=session, reason="another participant", by=cast.investigator)
    assert open_causes() == []


def test_one_leak_noted_and_then_given_as_the_end_is_decided_once(cast):
    session = running(cast, treatable(cast))
    onset = wall(cast.site, hours=-2).isoformat(timespec="minutes")
    row = complicated(session, cast.nurse, code="LEAK", onset_at=onset)
    stopped(cast, session, "LEAK")
    assert open_causes() == ["Membrane rupture or leak"]
    take_back(cast, session, row)
    assert open_causes() == ["Leak of cells or blood"]


@pytest.mark.requirement("PR1")
def test_one_leak_given_as_the_end_and_then_noted_is_decided_once(cast):
    session = running(cast, treatable(cast))
    switch_on(cast, session.subject)
    session = stopped(cast, session, "LEAK")
    onset = wall(cast.site, hours=-2).isoformat(timespec="minutes")
    row = complicated(session, cast.nurse, code="LEAK", onset_at=onset)
    assert (open_causes(), len(holds())) == (["Leak of cells or blood"], 1)
    # A second leak of the session is another one.
    complicated(session, cast.nurse, code="LEAK", onset_at=onset)
    assert open_causes() == ["Leak of cells or blood", "Membrane rupture or leak"]
    # The end was given wrongly: what was seen at the bedside stands for itself.
    stopped(cast, session, "ALARM", corrected=True)
    assert open_causes() == ["Membrane rupture or leak"] * 2
    take_back(cast, session, row)
    assert open_causes() == ["Membrane rupture or leak"]


def test_a_voided_session_takes_its_noted_leaks_with_it(cast):
    session = running(cast, treatable(cast))
    onset = wall(cast.site, hours=-2).isoformat(timespec="minutes")
    complicated(session, cast.nurse, code="LEAK", onset_at=onset)
    session = stopped(cast, session, "COMPLETED")
    with as_person(cast.investigator):
        void_session(session=session, reason="another participant", by=cast.investigator)
    assert (len(proposals()), open_causes()) == (1, [])
