"""Where a lot went, who may know it, and who is told when it is stopped."""

from __future__ import annotations

import pytest

from tests.factories import as_person, given, make_user, sign_in
from tests.notify.conftest import sink
from tests.signing import proof_of
from tests.visits.products import (
    facts_of_test,
    load,
    make_session,
    make_treated,
    received,
    registered,
    released,
)
from trialsite.access.capabilities import Role
from trialsite.access.context import system_context
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import TransitionError
from trialsite.notify.delivery import deliver_due
from trialsite.notify.models import Notice, State
from trialsite.notify.planning import plan_notices, planner_of, render
from visits.selectors.products import recall
from visits.services.products import (
    ALERT,
    quarantine_lot,
    recall_lot,
    record_test,
    release_lot,
    void_test,
)
from visits.services.products.loading import void_load

__all__ = ["sink"]


@pytest.fixture
def used(cast):
    """A lot in three sessions of two subjects here and one there, and another lot beside it."""
    lot, other = released(cast), released(cast)
    for each in (lot, other):
        received(cast, each, 10)
        received(cast, each, 5, site=cast.other_site)
    first, second, foreign = (
        make_treated(cast.site),
        make_treated(cast.site),
        make_treated(cast.other_site),
    )
    again = make_session(first.subject)
    for session in (first, again, second, foreign):
        load(cast, session, lot)
    load(cast, make_treated(cast.site), other)
    wrong = load(cast, make_treated(cast.site), lot)
    with as_person(cast.nurse):
        void_load(loaded=wrong, reason="the other lot was used", by=cast.nurse)
    return lot, [first, again, second], foreign


def test_a_recall_finds_every_subject_and_session_of_the_lot_and_no_other(cast, used):
    lot, ours, foreign = used
    with as_person(cast.investigator):
        found = recall(lot, cast.investigator)
        assert {each.pk for each in found.sessions} == {each.pk for each in [*ours, foreign]}
        assert {each.pk for each in found.subjects} == {
            each.subject_id for each in [*ours, foreign]
        }
        assert [(each.site.code, each.left) for each in found.accounts] == [("001", 7), ("002", 4)]
        assert found.left == 11
        assert len(found.loads) == 4


def test_a_site_sees_its_own_part_of_a_recall_only(cast, used):
    lot, ours, foreign = used
    with as_person(cast.nurse):
        found = recall(lot, cast.nurse)
    assert {each.pk for each in found.sessions} == {each.pk for each in ours}
    assert [each.site for each in found.accounts] == [cast.site]
    page = sign_in(cast.nurse).get(f"/products/{lot.code}/recall/").content.decode()
    assert "your own sites only" in page
    for session in ours:
        assert session.subject.label in page
    assert foreign.subject.label not in page
    assert cast.other_site.name not in page
    everything = sign_in(cast.investigator).get(f"/products/{lot.pk}/recall/").content.decode()
    assert foreign.subject.label in everything
    assert "your own sites only" not in everything


def test_a_participant_who_moved_to_another_site_is_found_there(cast, used):
    lot, ours, foreign = used
    moved = ours[0].subject
    with acting(system_context("tests", Channel.COMMAND, reason="moved house")):
        Subject.objects.filter(pk=moved.pk).update(site=cast.other_site)
    with as_person(cast.stranger):
        found = recall(lot, cast.stranger)
        assert {each.pk for each in found.subjects} == {moved.pk, foreign.subject_id}
        assert [each.left for each in found.accounts] == [4]
        with pytest.raises(TransitionError, match="another site"):
            void_load(loaded=found.loads[0], reason="x", by=cast.stranger)
    with as_person(cast.nurse):
        assert [each.left for each in recall(lot, cast.nurse).accounts] == [7]
        assert len(recall(lot, cast.nurse).subjects) == 1


def test_the_recall_page_names_whom_to_inform_at_each_site(cast, used):
    lot, _ours, _foreign = used
    local = make_user(Role.SAFETY_OFFICER, cast.other_site, full_name="Olga Officer")
    with as_person(cast.investigator):
        inform = recall(lot, cast.investigator).inform
    assert [(site.code, [each.full_name for each in people]) for site, people in inform] == [
        ("001", ["Petra Principal"]),
        ("002", ["Olga Officer", "Petra Principal"]),
    ]
    assert (
        local.email
        in sign_in(cast.investigator).get(f"/products/{lot.code}/recall/").content.decode()
    )


def told() -> set[tuple[str, int | None]]:
    """Who has a notice about which site; planned as the beat or the doorbell does it."""
    plan_notices(trial_now(), kind=ALERT)
    rows = Notice.objects.filter(kind=ALERT).values_list("site__code", "recipient_id")
    return set(given(lambda: list(rows))())


def fail_sterility(cast, lot):
    with as_person(cast.nurse):
        facts = facts_of_test(result="Cutibacterium acnes", verdict="fail")
        return record_test(lot=lot, facts=facts, by=cast.nurse)


def test_a_positive_sterility_after_use_reaches_pi_and_safety_officers_of_the_sites(cast, used):
    lot, _ours, _foreign = used
    here = make_user(Role.SAFETY_OFFICER, cast.site)
    there = make_user(Role.SAFETY_OFFICER, cast.other_site)
    assert told() == set()
    fail_sterility(cast, lot)
    assert told() == {("001", cast.investigator.pk), ("001", here.pk), ("002", there.pk)}
    assert planner_of(ALERT).urgent
    assert len(told()) == Notice.objects.filter(kind=ALERT).count() == 3


def test_a_failed_test_of_a_lot_already_stopped_is_told_too(cast, used):
    lot, _ours, _foreign = used
    with as_person(cast.investigator):
        quarantine_lot(lot=lot, reason="freezer alarm", by=cast.investigator)
    told()
    fail_sterility(cast, lot)
    told()
    assert Notice.objects.filter(kind=ALERT).count() == 2


def test_where_the_lot_never_was_nobody_is_woken(cast):
    lot = released(cast)
    fail_sterility(cast, lot)
    assert told() == set()


def test_a_site_whose_people_may_all_not_hold_shows_as_nobody_to_tell(cast, used):
    lot, _ours, _foreign = used
    fail_sterility(cast, lot)
    given(cast.investigator.memberships.update)(ended_on="2026-01-02")
    assert told() == {("001", None), ("002", None)}


def test_the_alert_arrives_once_at_once_and_names_no_participant(cast, used, sink):
    lot, ours, _foreign = used
    fail_sterility(cast, lot)
    told()
    deliver_due()
    deliver_due()
    [message] = sink.arrived
    assert message["To"] == cast.investigator.email
    assert lot.code in message["Subject"]
    text = message.get_content()
    assert f"/products/{lot.code}/recall/" in text
    assert "Cutibacterium acnes" in text
    assert not any(session.subject.label in text for session in ours)
    assert Notice.objects.get(kind=ALERT).state == State.SENT
    page = sign_in(cast.investigator).get(f"/products/{lot.code}/recall/").content.decode()
    assert str(State.SENT.label) in page


@pytest.mark.parametrize(
    ("act", "word"), [(quarantine_lot, "quarantine"), (recall_lot, "recalled")]
)
def test_a_person_who_stops_a_lot_is_heard_at_the_sites(cast, used, act, word):
    lot, _ours, _foreign = used
    officer = make_user(Role.SAFETY_OFFICER)
    with as_person(officer):
        act(lot=lot, reason="letter about Wang Li", by=officer)
    assert told() == {("001", cast.investigator.pk), ("001", officer.pk)}
    notice = Notice.objects.filter(recipient=officer).get()
    with as_person(officer):
        mail = render(notice, officer)
    assert word in mail.subject
    assert "Wang Li" not in mail.body


def test_a_result_that_is_taken_back_is_no_longer_told(cast, used):
    lot, _ours, _foreign = used
    test = fail_sterility(cast, lot)
    told()
    with as_person(cast.nurse):
        void_test(test=test, reason="of another lot", by=cast.nurse)
    notices = list(Notice.objects.filter(kind=ALERT))
    assert given(lambda: planner_of(ALERT).still_due(notices))() == set()


def test_a_lot_nobody_has_is_recalled_all_the_same(cast):
    lot = registered(cast)
    with as_person(cast.investigator):
        found = recall(lot, cast.investigator)
    assert (found.loads, found.accounts, found.inform) == ([], [], [])
    page = sign_in(cast.investigator).get(f"/products/{lot.code}/recall/")
    assert "Nobody was treated" in page.content.decode()


def test_a_quarantine_that_a_release_has_ended_is_told_to_nobody_any_more(cast, used):
    lot, _ours, _foreign = used
    with as_person(cast.investigator):
        quarantine_lot(lot=lot, reason="the wrong freezer", by=cast.investigator)
    assert told()
    [notice] = Notice.objects.filter(kind=ALERT, site=cast.site)
    with acting(system_context("notify", Channel.TASK)):
        assert planner_of(ALERT).still_due([notice]) == {notice.pk}
    with as_person(cast.investigator):
        release_lot(
            lot=lot,
            reason="it was another one",
            by=cast.investigator,
            proof=proof_of(cast.investigator),
        )
    with acting(system_context("notify", Channel.TASK)):
        assert planner_of(ALERT).still_due([notice]) == set()
