"""A notice reaches its reader once, or it shows why not."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.mail import send_mail
from django.utils import timezone

from tests.factories import given
from tests.notify.planned import remind
from tests.notify.sink import hang_up
from trialsite.access.context import system_context
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel
from trialsite.notify.delivery import LEASE, claim, deliver_due
from trialsite.notify.models import DOUBTS_ALLOWED, GIVE_UP_AFTER, Notice, Outcome, State
from trialsite.notify.planning import plan_notices
from trialsite.notify.selectors import Backlog, backlog

LATER = dt.timedelta(hours=2)


@given
def _deactivate(user) -> None:
    user.is_active, user.deactivated_at = False, timezone.now()
    user.save()


def _plan(reader, **more) -> None:
    remind(reader, due_at=trial_now(), **more)
    plan_notices(trial_now())


def _states() -> list[str]:
    return sorted(Notice.objects.values_list("state", flat=True))


def _log(notice: Notice) -> list[str]:
    return list(notice.log.values_list("outcome", flat=True))


def test_a_reminder_arrives_once_in_the_readers_language(cast, planners, sink, settings):
    cast.nurse.language = "zh-hans"
    given(cast.nurse.save)()
    _plan(cast.nurse)
    deliver_due()
    deliver_due()
    notice = Notice.objects.get()
    [message] = sink.arrived
    assert message["To"] == cast.nurse.email
    assert "001-T001 (zh-hans)" in message["Subject"]
    assert f"{settings.BASE_URL}/x/{notice.object_id}/" in message.get_content()
    assert message["Message-ID"] == notice.message_id
    assert notice.message_id.startswith(f"<reminder.{notice.pk}@")
    assert (notice.state, _log(notice)) == (State.SENT, [Outcome.SENT])


@pytest.mark.parametrize("demo", [True, False])
def test_only_the_demonstration_calls_its_mails_synthetic(demo, cast, planners, sink, settings):
    settings.DEMO = demo
    _plan(cast.nurse)
    deliver_due()
    [message] = sink.arrived
    assert ("SYNTHETIC" in message["Subject"]) is demo
    assert ("synthetic" in message.get_content()) is demo


def test_nothing_is_sent_before_it_is_due(cast, planners, sink):
    remind(cast.nurse, due_at=trial_now() + LATER)
    plan_notices(trial_now())
    deliver_due()
    assert not sink.arrived
    deliver_due(trial_now() + LATER)
    assert len(sink.arrived) == 1


@pytest.mark.requirement("RM1")
def test_what_is_no_longer_due_when_claimed_is_cancelled(cast, planners, sink):
    _plan(cast.nurse, things=3, still_due=lambda notices: {notices[0].pk})
    deliver_due()
    assert _states() == [State.CANCELLED, State.CANCELLED, State.SENT]
    assert len(sink.arrived) == 1


@pytest.mark.parametrize("missing", [True, False])
def test_nobody_to_send_to_is_an_error_and_not_sent(missing, cast, planners, sink):
    _plan(None if missing else cast.nurse)
    _deactivate(cast.nurse)
    deliver_due()
    assert _states() == [State.NOBODY]
    assert not sink.arrived
    assert backlog() == Backlog(overdue=0, in_doubt=0, failed=0, nobody=1)


def test_a_refusal_for_now_is_tried_again_with_patience(cast, planners, sink):
    sink.refuse[cast.nurse.email] = "451 greylisted"
    _plan(cast.nurse)
    deliver_due()
    notice = Notice.objects.get()
    assert (notice.state, notice.attempts) == (State.PLANNED, 1)
    assert "greylisted" in notice.last_error
    assert cast.nurse.email not in notice.last_error
    deliver_due()
    assert _log(notice) == [Outcome.DEFERRED]
    sink.refuse.clear()
    deliver_due(trial_now() + LATER)
    assert _log(notice) == [Outcome.DEFERRED, Outcome.SENT]
    assert sink.ids() == [notice.message_id]


def test_a_refusal_for_good_is_not_repeated_and_shows(cast, planners, sink):
    sink.refuse[cast.nurse.email] = "550 no such person"
    _plan(cast.nurse)
    deliver_due()
    deliver_due(trial_now() + LATER)
    assert _log(Notice.objects.get()) == [Outcome.REFUSED]
    assert backlog().failed == 1


def test_a_server_that_refuses_the_text_for_good_shows_as_failed(cast, planners, sink):
    sink.answer = lambda _sink, _server: "554 spam"
    _plan(cast.nurse)
    deliver_due()
    assert _states() == [State.FAILED]


def test_one_refused_reader_holds_up_nobody_else(cast, planners, sink):
    sink.refuse[cast.nurse.email] = "550 no such person"
    _plan(cast.nurse)
    send_mail("s", "b", None, [cast.monitor.email, cast.data_manager.email])
    deliver_due()
    assert _states() == [State.FAILED, State.SENT, State.SENT]


def test_while_the_server_is_away_the_rest_waits_untouched(cast, planners, sink):
    _plan(cast.nurse, things=5)
    sink.stop()
    assert deliver_due() is False
    assert _states() == [State.PLANNED] * 5
    assert sorted(Notice.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]
    assert backlog(trial_now() + LATER).overdue == 5


def test_delivery_is_given_up_after_days_and_shows(cast, planners, sink):
    remind(cast.nurse, due_at=trial_now() - GIVE_UP_AFTER - LATER)
    plan_notices(trial_now())
    sink.refuse[cast.nurse.email] = "451 full"
    deliver_due()
    assert _states() == [State.FAILED]


def test_a_line_that_breaks_after_the_text_leaves_a_doubt_and_one_repeat(cast, planners, sink):
    _plan(cast.nurse)
    sink.answer = hang_up
    deliver_due()
    notice = Notice.objects.get()
    assert notice.state == State.IN_DOUBT
    assert backlog(trial_now() + LATER) == Backlog(overdue=1, in_doubt=1, failed=0, nobody=0)
    sink.answer = lambda _sink, _server: "250 accepted"
    deliver_due(trial_now() + LATER)
    assert _log(notice) == [Outcome.IN_DOUBT, Outcome.SENT]
    assert sink.ids() == [notice.message_id] * 2


def test_a_server_that_never_answers_is_not_flooded(cast, planners, sink):
    _plan(cast.nurse)
    sink.answer = hang_up
    for hours in range(10):
        deliver_due(trial_now() + hours * LATER)
    assert len(sink.arrived) == DOUBTS_ALLOWED + 1
    assert _states() == [State.FAILED]


@pytest.mark.requirement("RM1")
def test_what_a_lost_worker_only_held_is_sent_once_and_without_doubt(cast, planners, sink):
    _plan(cast.nurse, things=3)
    now = trial_now()
    assert len(claim(system_context("notify", Channel.TASK), now)) == 3
    deliver_due(now + LEASE / 2)
    assert not sink.arrived
    deliver_due(now + LEASE * 2)
    assert len(set(sink.ids())) == len(sink.arrived) == 3
    assert {tuple(_log(notice)) for notice in Notice.objects.all()} == {(Outcome.SENT,)}


def test_a_worker_that_outlived_its_lease_sends_nothing_more(cast, planners, sink, monkeypatch):
    _plan(cast.nurse)
    now = trial_now()
    slow = claim(system_context("notify", Channel.TASK), now)
    deliver_due(now + LEASE * 2)
    monkeypatch.setattr("trialsite.notify.delivery.claim", lambda *_: slow)
    deliver_due()
    assert len(sink.arrived) == 1


def test_a_text_that_cannot_be_made_holds_up_nobody_else(cast, planners, sink):
    def broken(_notice, _user):
        raise RuntimeError("no such visit")

    _plan(cast.nurse, render=broken)
    send_mail("s", "b", None, [cast.nurse.email])
    deliver_due()
    assert len(sink.arrived) == 1
    assert "no such visit" in Notice.objects.get(kind="reminder").last_error


def test_a_planner_that_is_gone_or_broken_holds_up_nobody_else(cast, planners, sink):
    _plan(cast.nurse)
    planners.clear()
    send_mail("s", "b", None, [cast.nurse.email])
    deliver_due()
    assert len(sink.arrived) == 1
    notice = Notice.objects.get(kind="reminder")
    assert (notice.state, _log(notice)) == (State.PLANNED, [Outcome.DEFERRED])


def test_a_batch_has_its_size_and_says_that_there_is_more(cast, planners, sink):
    _plan(cast.nurse, things=5)
    assert deliver_due(limit=3) is True
    assert len(sink.arrived) == 3
    assert deliver_due(limit=3) is False
    assert len(sink.arrived) == 5


def test_what_the_time_does_not_suffice_for_is_given_back(cast, planners, sink, monkeypatch):
    monkeypatch.setattr("trialsite.notify.delivery.BEGIN_WITHIN", -1.0)
    _plan(cast.nurse)
    assert deliver_due() is True
    assert _states() == [State.PLANNED]
