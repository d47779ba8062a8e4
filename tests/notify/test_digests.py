"""What is bundled reaches a person in at most one mail a day, and nothing of it is lost."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import given as examples
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import given, make_cast, make_site, make_user
from tests.notify.planned import Agenda
from tests.notify.sink import ACCEPTED, hang_up
from trialsite.access.capabilities import Role
from trialsite.core.clock import trial_now
from trialsite.notify import channels, planning, readers
from trialsite.notify.channels import AwayError, Letter
from trialsite.notify.delivery import deliver_due
from trialsite.notify.hours import Quiet
from trialsite.notify.models import (
    DIGEST,
    GIVE_UP_AFTER,
    By,
    Hush,
    Lane,
    Notice,
    Outcome,
    Preferences,
    State,
)
from trialsite.notify.planning import plan_notices, planner_of
from trialsite.notify.selectors import backlog

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def at(clock: str, day: int = 5) -> dt.datetime:
    """A moment of March 2027 on the site's clock."""
    return dt.datetime.fromisoformat(f"2027-03-{day:02d}T{clock}").replace(tzinfo=SHANGHAI)


def digests() -> list[Notice]:
    return list(Notice.objects.filter(kind=DIGEST).order_by("day"))


def states() -> list[str]:
    return sorted(Notice.objects.exclude(kind=DIGEST).values_list("state", flat=True))


@pytest.fixture
def agenda(planners):
    return Agenda(bundled=True)


def test_what_is_due_at_one_moment_comes_in_one_mail(cast, agenda, sink, run, settings):
    other = Agenda("contact", bundled=True)
    due = at("08:00")
    keys = [agenda.add(cast.nurse, due, site=cast.site), agenda.add(cast.nurse, due)]
    keys.append(other.add(cast.nurse, due))
    agenda.add(cast.second_nurse, due)
    run(due)
    assert sorted(message["To"] for message in sink.arrived) == sorted(
        [cast.nurse.email, cast.second_nurse.email]
    )
    [message] = [each for each in sink.arrived if each["To"] == cast.nurse.email]
    text = message.get_content()
    assert message["Subject"] == "3 reminders"
    assert all(f"{settings.BASE_URL}/x/{key}/" in text for key in keys)
    assert text.count("001-T001 visit 2026-11-22") == 2
    assert text.count("001-T001 contact 2026-11-22") == 1
    assert states() == [State.SENT] * 4
    [one] = [each for each in digests() if each.recipient == cast.nurse]
    assert (one.day, one.state, one.site) == (due.date(), State.SENT, cast.site)
    assert message["Message-ID"] == one.message_id


def test_one_thing_alone_reads_as_by_itself(cast, agenda, sink, run):
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    [message] = sink.arrived
    assert message["Subject"] == "visit: 001-T001 (en)"
    assert "this is visit" in message.get_content()


def test_a_digest_is_in_its_readers_language(cast, agenda, sink, run):
    cast.nurse.language = "zh-hans"
    given(cast.nurse.save)()
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    [message] = sink.arrived
    assert "(zh-hans)" in message["Subject"]


def test_what_comes_due_later_the_same_day_waits_for_the_next_days_digest(cast, agenda, sink, run):
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    agenda.add(cast.nurse, at("09:00"))
    for clock in ("09:00", "12:00", "23:59"):
        run(at(clock))
    run(at("07:59", day=6))
    assert len(sink.arrived) == 1
    assert backlog(at("07:59", day=6)).overdue == 0
    run(at("08:00", day=6))
    assert len(sink.arrived) == 2
    assert [each.day.day for each in digests()] == [5, 6]


def test_before_the_digests_hour_it_waits_for_it_and_after_it_leaves_at_once(
    cast, agenda, sink, run
):
    agenda.add(cast.nurse, at("05:30"))
    run(at("05:30"))
    assert not sink.arrived
    run(at("08:00"))
    assert len(sink.arrived) == 1
    agenda.add(cast.nurse, at("15:00", day=6))
    run(at("15:00", day=6))
    assert len(sink.arrived) == 2


@pytest.mark.requirement("RM1")
def test_what_was_done_meanwhile_is_not_in_the_digest(cast, agenda, sink, run):
    kept, done = (agenda.add(cast.nurse, at("06:00")) for _ in range(2))
    run(at("06:00"))
    agenda.done.add(done)
    run(at("08:00"))
    [message] = sink.arrived
    assert str(kept) in message.get_content()
    assert str(done) not in message.get_content()
    assert states() == [State.CANCELLED, State.SENT]


@pytest.mark.requirement("RM1")
def test_a_digest_of_which_nothing_is_due_any_more_is_not_sent_and_leaves_the_day_free(
    cast, agenda, sink, run
):
    agenda.done.add(agenda.add(cast.nurse, at("08:00")))
    sink.refuse[cast.nurse.email] = "451 later"
    done = agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    sink.refuse.clear()
    agenda.done.add(done)
    run(at("09:30"))
    assert not sink.arrived
    assert states() == [State.CANCELLED] * 2
    agenda.add(cast.nurse, at("10:00"))
    run(at("10:00"))
    [message] = sink.arrived
    [digest] = digests()
    assert message["Message-ID"] == digest.message_id


def test_all_planners_have_spoken_before_a_digest_is_made(cast, agenda, sink, clock):
    """After an outage the first errand may be to deliver: what another planner knows of the
    same morning must not wait for tomorrow."""
    other = Agenda("contact", bundled=True)
    agenda.add(cast.nurse, at("08:00"))
    clock(at("08:01"))
    plan_notices(at("08:00"), kind="visit")
    other.add(cast.nurse, at("08:00"))
    deliver_due()
    [message] = sink.arrived
    assert message["Subject"] == "2 reminders"


def test_a_planner_that_fails_holds_up_no_digest(cast, agenda, sink, run):
    broken = Agenda("contact", bundled=True)
    broken.things = None  # type: ignore[assignment]
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    assert len(sink.arrived) == 1


def test_a_text_that_cannot_be_made_leaves_the_others_in_the_digest(cast, agenda, sink, run):
    def broken(_notice, _user):
        raise RuntimeError("no such visit")

    other = Agenda("contact", bundled=True)
    object.__setattr__(planner_of("contact"), "render", broken)
    other.add(cast.nurse, at("08:00"))
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    [message] = sink.arrived
    assert "visit" in message["Subject"]
    assert Notice.objects.get(kind="contact").state == State.PLANNED
    assert Notice.objects.get(kind="contact").last_error


@pytest.mark.parametrize("doubtful", [False, True])
def test_a_digest_that_did_not_leave_on_its_day_is_the_next_days(doubtful, cast, agenda, sink, run):
    agenda.add(cast.nurse, at("20:00"))
    if doubtful:
        sink.answer = hang_up
    else:
        sink.refuse[cast.nurse.email] = "451 later"
    run(at("20:00"))
    agenda.add(cast.nurse, at("08:00", day=6))
    sink.refuse.clear()
    sink.answer = lambda _sink, _server: ACCEPTED
    for clock in ("00:30", "08:00", "08:10", "12:00"):
        run(at(clock, day=6))
    if doubtful:  # it may have been read: it is repeated, and the sixth has had its mail
        assert sink.ids() == [digests()[0].message_id] * 2
        assert [each.state for each in digests()] == [State.SENT]
        run(at("08:00", day=7))
        assert len(set(sink.ids())) == 2
    else:
        [message] = sink.arrived
        assert message["Subject"] == "2 reminders"
        assert [each.state for each in digests()] == [State.CANCELLED, State.SENT]
    assert states() == [State.SENT] * 2


def test_while_it_is_unknown_whether_a_digest_left_the_next_waits(cast, agenda, sink, run):
    agenda.add(cast.nurse, at("08:00"))
    sink.answer = hang_up
    run(at("08:00"))
    agenda.add(cast.nurse, at("08:00"))
    run(at("08:00"))
    assert [each.state for each in digests()] == [State.IN_DOUBT]
    assert states() == [State.BUNDLED, State.PLANNED]


def test_a_digest_in_doubt_is_repeated_under_its_message_id_without_what_was_done(
    cast, agenda, sink, run
):
    agenda.add(cast.nurse, at("08:00"))
    done = agenda.add(cast.nurse, at("08:00"))
    sink.answer = hang_up
    run(at("08:00"))
    agenda.done.add(done)
    sink.answer = lambda _sink, _server: ACCEPTED
    run(at("08:30"))
    [digest] = digests()
    assert sink.ids() == [digest.message_id] * 2
    assert str(done) not in sink.arrived[-1].get_content()
    assert list(digest.log.values_list("outcome", flat=True)) == [Outcome.IN_DOUBT, Outcome.SENT]
    assert states() == [State.CANCELLED, State.SENT]


def test_a_refused_digest_fails_with_all_that_it_says_and_counts_once(cast, agenda, sink, run):
    for _ in range(3):
        agenda.add(cast.nurse, at("08:00"))
    sink.refuse[cast.nurse.email] = "550 no such person"
    run(at("08:00"))
    assert states() == [State.FAILED] * 3
    assert backlog(at("09:00")).failed == 1


def test_delivery_of_what_is_bundled_is_given_up_after_days_and_shows(cast, agenda, sink, run):
    agenda.add(cast.nurse, at("08:00"))
    sink.refuse[cast.nurse.email] = "451 full"
    moment = at("08:00")
    while moment < at("08:00") + GIVE_UP_AFTER + 2 * DAY:
        run(moment)
        moment += 2 * HOUR
    assert states() == [State.FAILED]
    assert backlog(moment).failed == 1
    assert Notice.objects.get(kind="visit").attempts > 3


def test_what_is_urgent_ignores_night_digest_and_preferences(cast, agenda, sink, run):
    alarm = Agenda("alarm", urgent=True)
    given(Preferences.objects.create)(
        user=cast.nurse,
        switched_off=["alarm", "visit"],
        quiet=Hush.OWN,
        quiet_from=dt.time(20),
        quiet_until=dt.time(7),
    )
    alarm.add(cast.nurse, at("03:00"))
    agenda.add(cast.nurse, at("03:00"))
    run(at("03:00"))
    [message] = sink.arrived
    assert message["Subject"].startswith("alarm")
    assert message["Importance"] == "high"
    assert Notice.objects.get(kind="alarm").lane == Lane.URGENT


def test_what_is_urgent_overtakes_what_has_piled_up(cast, planners, sink, clock):
    single, alarm = Agenda("single"), Agenda("alarm", urgent=True)
    for _ in range(5):
        single.add(cast.nurse, at("08:00"))
    alarm.add(cast.nurse, at("09:00"))
    clock(at("09:00"))
    plan_notices(trial_now())
    deliver_due(limit=1)
    assert [message["Subject"].split(":")[0] for message in sink.arrived] == ["alarm"]


def test_at_night_nobody_is_told_and_in_the_morning_everybody(
    cast, planners, sink, run, monkeypatch
):
    monkeypatch.setattr(readers, "_provided", [lambda _site: Quiet(dt.time(21), dt.time(7))])
    single = Agenda("single")
    single.add(cast.nurse, at("23:00"))
    run(at("23:00"))
    run(at("06:59", day=6))
    assert not sink.arrived
    assert backlog(at("06:59", day=6)).overdue == 0
    run(at("07:00", day=6))
    assert len(sink.arrived) == 1


def test_a_retry_does_not_wake_anybody_either(cast, planners, sink, run, monkeypatch):
    monkeypatch.setattr(readers, "_provided", [lambda _site: Quiet(dt.time(21), dt.time(7))])
    single = Agenda("single")
    single.add(cast.nurse, at("20:59"))
    sink.refuse[cast.nurse.email] = "451 later"
    run(at("20:59"))
    sink.refuse.clear()
    run(at("21:30"))
    assert not sink.arrived
    assert backlog(at("21:30")).overdue == 1
    run(at("07:00", day=6))
    assert len(sink.arrived) == 1


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"quiet": Hush.NONE}, "23:00"),
        ({"quiet": Hush.OWN, "quiet_from": dt.time(22), "quiet_until": dt.time(9)}, "09:00"),
        ({"quiet": Hush.SITE}, "07:00"),
    ],
)
def test_a_person_may_choose_other_quiet_hours_than_the_sites(
    wish, told, cast, planners, sink, run, monkeypatch
):
    monkeypatch.setattr(readers, "_provided", [lambda _site: Quiet(dt.time(21), dt.time(7))])
    given(Preferences.objects.create)(user=cast.nurse, **wish)
    single = Agenda("single")
    single.add(cast.nurse, at("23:00"))
    moments = [at("23:00"), at("06:59", day=6), at("07:00", day=6), at("09:00", day=6)]
    for moment in moments:
        run(moment)
        if sink.arrived:
            break
    assert moment.strftime("%H:%M") == told


def test_quiet_hours_that_cannot_be_told_keep_nothing_back(cast, planners, sink, run, monkeypatch):
    def broken(_site):
        raise RuntimeError("no protocol")

    monkeypatch.setattr(readers, "_provided", [broken])
    single = Agenda("single")
    single.add(cast.nurse, at("23:00"))
    run(at("23:00"))
    assert len(sink.arrived) == 1


def test_each_reader_keeps_the_clock_of_their_own_first_site(cast, agenda, sink, run):
    berlin = make_site("003", time_zone="Europe/Berlin")
    there = make_user(Role.RESEARCH_NURSE, berlin)
    due = at("08:00")  # one in the morning in Berlin
    agenda.add(cast.nurse, due)
    agenda.add(there, due)
    run(due)
    assert [message["To"] for message in sink.arrived] == [cast.nurse.email]
    run(at("15:00"))  # eight in Berlin
    assert [message["To"] for message in sink.arrived] == [cast.nurse.email, there.email]


def test_whoever_has_no_role_at_the_site_any_more_is_told_nothing_and_it_shows(
    cast, agenda, sink, run
):
    single = Agenda("single")
    for each in (agenda, single):
        each.add(cast.stranger, at("08:00"), site=cast.site)
    run(at("08:00"))
    assert not sink.arrived
    assert states() == [State.NOBODY] * 2
    assert backlog(at("08:00")).nobody == 2


@given
def _switch_off(person, *kinds):
    Preferences.objects.create(user=person, switched_off=list(kinds))


def test_a_kind_switched_off_is_shown_in_trialsite_and_not_called_sent(cast, agenda, sink, run):
    single = Agenda("single")
    _switch_off(cast.nurse, "visit", "single")
    for each in (agenda, single):
        each.add(cast.nurse, at("08:00"))
        each.add(cast.second_nurse, at("08:00"))
    run(at("08:00"))
    assert {message["To"] for message in sink.arrived} == {cast.second_nurse.email}
    mine = Notice.objects.filter(recipient=cast.nurse)
    assert {notice.state for notice in mine} == {State.SHOWN}
    assert {each.outcome for notice in mine for each in notice.log.all()} == {Outcome.SHOWN}
    assert not mine.exclude(sent_at=None).exists()


CLOCK_STEPS = st.lists(
    st.tuples(
        st.integers(1, 14 * 60),  # minutes until the next moment
        st.sampled_from(["due", "due", "done", "alarm", "flaky", "gone", "refusing", "well"]),
        st.integers(-600, 600),  # when it is due, from then
    ),
    min_size=5,
    max_size=30,
)


@pytest.mark.requirement("RM1", "RM3")
@hypothesis_settings(max_examples=12)
@examples(CLOCK_STEPS)
def test_no_day_brings_two_digests_and_nothing_is_forgotten(db, clock, run, steps):
    """Days at random: things come due and are done, the server refuses, breaks off, recovers."""
    with _world() as (nurse, agenda, alarm, server):
        now, keys, alarms, bad = at("00:00"), [], 0, 0
        for minutes, what, offset in steps:
            now += minutes * MINUTE
            bad += server.mode in {"gone", "refusing"}
            if bad > 3:
                server.mode, bad = "well", 0  # a server away for days is given up: another test
            if what == "due":
                keys.append(agenda.add(nurse, now + offset * MINUTE))
            elif what == "done" and keys:
                agenda.done.add(keys[offset % len(keys)])
            elif what == "alarm":
                alarm.add(nurse, now)
                alarms += 1
            elif what in _Server.MODES:
                server.mode = what
            run(now)
        server.mode = "well"
        for _ in range(10):
            now += 12 * HOUR
            run(now)
        _check(server, keys, agenda.done, alarms)


def _check(server: _Server, keys: list[object], done: set[object], alarms: int) -> None:
    days = defaultdict(set)
    for moment, key in server.accepted:
        if key.startswith("<digest"):
            days[moment.astimezone(SHANGHAI).date()].add(key)
    assert all(len(each) == 1 for each in days.values()), days
    ended = dict(Notice.objects.filter(kind="visit").values_list("object_id", "state"))
    assert set(ended) == set(keys)
    for key in keys:
        assert ended[key] in ({State.SENT, State.CANCELLED} if key in done else {State.SENT})
    told = {key for _at, key in server.accepted}
    assert sum(key.startswith("<alarm") for key in told) == alarms
    assert Notice.objects.filter(kind="alarm", state=State.SENT).count() == alarms
    doubts = sum(Notice.objects.values_list("doubts", flat=True))
    assert len(server.accepted) - len(told) <= doubts


@contextmanager
def _world() -> Iterator[tuple[object, Agenda, Agenda, _Server]]:
    """A nurse, two kinds of notices and a server, gone again afterwards."""
    server, kept, ways = _Server(), planning._planners, channels._channels
    try:
        planning._planners, channels._channels = {}, {}
        channels.register_channel(server)
        with transaction.atomic():
            nurse = make_cast().nurse
            yield nurse, Agenda(bundled=True), Agenda("alarm", urgent=True), server
            transaction.set_rollback(True)
    finally:
        planning._planners, channels._channels = kept, ways


class _Server:
    """A way out whose server can be made to misbehave; what it accepted, and when."""

    MODES = ("well", "flaky", "refusing", "gone")
    name = By.MAIL

    def __init__(self) -> None:
        self.mode = "well"
        self.accepted: list[tuple[dt.datetime, str]] = []

    def is_on(self) -> bool:
        return True

    def open(self) -> _Server:
        return self

    def close(self) -> None:
        pass

    def send(self, letter: Letter) -> tuple[Outcome, str]:
        if self.mode == "gone":
            raise AwayError("gone")
        if self.mode == "refusing":
            return Outcome.DEFERRED, "451 later"
        self.accepted.append((trial_now(), letter.message_id))
        if self.mode == "flaky":
            self.mode = "well"
            return Outcome.IN_DOUBT, "the line broke"
        return Outcome.SENT, ""
