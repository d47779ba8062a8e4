"""The statement that plans says of a thousand visits what the rules say of one."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import (
    PROTOCOL,
    given,
    make_protocol,
    make_site,
    make_subject,
    make_user,
    make_visit,
)
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership, Site, User
from trialsite.casebook.models import LockState, Subject, SubjectStatus, Visit
from trialsite.core.date_ranges import closed
from trialsite.notify.models import Notice, State
from trialsite.notify.planning import plan_notices
from visits.reminders.moments import said_now
from visits.reminders.planning import VISIT_KIND, plan_visits
from visits.reminders.standing import steps_of_visit

DAY = dt.date(2026, 3, 6)


def days(first: int, target: int, last: int) -> dict[str, Any]:
    """Dates counted from the sixth of March."""
    ends = [DAY + dt.timedelta(days=each) for each in (first, last)]
    return {"target_on": DAY + dt.timedelta(days=target), "window": closed(*ends)}


def plan(clock, moment: str) -> int:
    return plan_notices(clock.put(moment), kind=VISIT_KIND)


@given
def told() -> list[tuple[str, str, str]]:
    """What was planned: who, what, and when on the clock in Shanghai."""
    return [
        (
            notice.recipient.full_name if notice.recipient else "nobody",
            notice.dedupe_key.split(":")[2],
            f"{notice.due_at.astimezone(ZoneInfo('Asia/Shanghai')):%m-%d %H:%M}",
        )
        for notice in Notice.objects.filter(kind=VISIT_KIND)
        .select_related("recipient")
        .order_by("due_at", "recipient__full_name")
    ]


@pytest.fixture
def visit(cast, clock) -> Visit:
    """A visit of three days around the sixth of March, dated a month before."""
    clock.put("2026-02-01 10:00")
    return make_visit(make_subject(cast.site), **days(-1, 0, 1))


def test_the_nurses_of_the_site_hear_of_a_visit_at_eight(cast, clock, visit):
    assert plan(clock, "2026-03-06 07:59") == 0
    assert plan(clock, "2026-03-06 08:00") == 2
    assert plan(clock, "2026-03-06 08:01") == 0
    assert told() == [
        ("Nico Nurse", "target_day", "03-06 08:00"),
        ("Nora Nurse", "target_day", "03-06 08:00"),
    ]


def test_after_a_time_without_a_server_only_the_latest_is_said(cast, clock, visit):
    assert plan(clock, "2026-03-09 11:30") == 3
    assert told() == [
        (who, "overdue", "03-09 11:30") for who in ("Nico Nurse", "Nora Nurse", "Petra Principal")
    ]


def test_what_is_late_is_not_said_where_something_follows_soon(cast, clock, visit):
    assert plan(clock, "2026-03-06 22:00") == 0
    assert plan(clock, "2026-03-07 08:00") == 2
    assert {what for _who, what, _when in told()} == {"last_window_day"}


def test_what_is_older_than_a_week_is_not_said(cast, clock, visit):
    assert plan(clock, "2026-03-17 08:01") == 0


def test_nothing_is_dated_before_the_visit_got_its_dates(cast, clock):
    clock.put("2026-03-06 22:00")
    make_visit(make_subject(cast.site), **days(0, 0, 0))
    assert plan(clock, "2026-03-06 22:01") == 0
    assert plan(clock, "2026-03-07 07:59") == 0
    assert plan(clock, "2026-03-07 08:00") == 3
    assert {what for _who, what, _when in told()} == {"overdue"}


def test_dates_that_move_say_their_own(cast, clock, visit):
    assert plan(clock, "2026-03-06 08:00") == 2
    clock.put("2026-03-06 09:00")
    move = Visit.objects.filter(pk=visit.pk).update
    given(lambda: move(anchor_version=1, **days(0, 1, 2)))()
    assert plan(clock, "2026-03-06 20:30") == 0
    assert plan(clock, "2026-03-07 08:00") == 2
    assert [(what, when) for _who, what, when in told()][2:] == [
        ("target_day", "03-07 08:00"),
        ("target_day", "03-07 08:00"),
    ]


@pytest.mark.parametrize("status", ["attended", "missed", "not_required"])
def test_of_a_visit_that_is_over_nothing_is_said(cast, clock, status):
    more: dict[str, dict[str, Any]] = {
        "attended": {"attended_on": DAY, "mode": "on_site"},
        "missed": {"missed_reason": "Not reached."},
        "not_required": {"not_required_cause": "death"},
    }
    clock.put("2026-02-01 10:00")
    make_visit(make_subject(cast.site), status=status, **days(-1, 0, 1), **more[status])
    assert plan(clock, "2026-03-06 08:00") == 0


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    "ended",
    [
        {"died_on": "2026-03"},
        {"status": SubjectStatus.DIED},
        {"status": SubjectStatus.SCREEN_FAILED},
        {"consent_state": "withdrawn"},
        {"lock_state": LockState.LOCKED},
        {"lock_state": LockState.FROZEN},
    ],
    ids=str,
)
def test_of_a_subject_who_is_not_waited_for_nothing_is_planned(cast, clock, visit, ended):
    given(lambda: Subject.objects.filter(pk=visit.subject_id).update(**ended))()
    assert plan(clock, "2026-03-06 08:00") == 0


def test_whoever_holds_two_of_the_roles_hears_once(cast, clock, visit):
    both = make_user(Role.RESEARCH_NURSE, cast.site, full_name="Bo Both")
    given(
        lambda: Membership.objects.create(
            user=both, role=Role.PRINCIPAL_INVESTIGATOR, valid_from=dt.date(2026, 1, 1)
        )
    )()
    plan(clock, "2026-03-08 08:00")
    assert [what for who, what, _when in told() if who == "Bo Both"] == ["overdue"]


@pytest.mark.parametrize(
    ("line", "hears"),
    [
        ({"valid_from": DAY}, True),
        ({"valid_from": DAY + dt.timedelta(days=1)}, False),
        ({"valid_until": DAY}, True),
        ({"valid_until": DAY - dt.timedelta(days=1)}, False),
        ({"ended_on": DAY}, False),
        ({"ended_on": DAY + dt.timedelta(days=1)}, True),
        ({"site": None}, True),
    ],
    ids=str,
)
def test_who_hears_holds_the_role_there_on_that_day(cast, clock, visit, line, hears):
    reader = make_user(full_name="Rea Reader")
    fields = {"site": cast.site, "valid_from": dt.date(2026, 1, 1)} | line
    given(lambda: Membership.objects.create(user=reader, role=Role.RESEARCH_NURSE, **fields))()
    plan(clock, "2026-03-06 08:00")
    assert ("Rea Reader" in {who for who, _what, _when in told()}) is hears


def test_who_comes_later_does_not_hear_what_was_said_before(cast, clock, visit):
    plan(clock, "2026-03-06 08:00")
    given(
        lambda: Membership.objects.create(
            user=make_user(full_name="Lee Later"),
            site=cast.site,
            role=Role.RESEARCH_NURSE,
            valid_from=DAY + dt.timedelta(days=1),
        )
    )()
    assert plan(clock, "2026-03-07 00:30") == 0


@pytest.mark.requirement("RM1")
def test_nobody_to_send_to_is_seen_once(cast, clock):
    lonely = make_site("007")
    clock.put("2026-02-01 10:00")
    make_visit(make_subject(lonely), **days(-1, 0, 1))
    assert plan(clock, "2026-03-06 08:00") == 1
    assert plan(clock, "2026-03-06 08:01") == 0
    assert plan(clock, "2026-03-06 15:00") == 0
    assert told() == [("nobody", "target_day", "03-06 08:00")]


def test_whose_account_is_switched_off_is_nobody(cast, clock):
    site = make_site("007")
    nurse = make_user(Role.RESEARCH_NURSE, site)
    clock.put("2026-02-01 10:00")
    make_visit(make_subject(site), **days(-1, 0, 1))
    off = User.objects.filter(pk=nurse.pk).update
    at = clock.put("2026-03-01 10:00")
    given(lambda: off(is_active=False, deactivated_at=at))()
    plan(clock, "2026-03-06 08:00")
    assert told() == [("nobody", "target_day", "03-06 08:00")]


def test_when_one_nurse_follows_another_nothing_is_said_twice_nor_to_nobody(cast, clock):
    site = make_site("007")
    clock.put("2026-02-01 10:00")
    first = make_user(Role.RESEARCH_NURSE, site, full_name="Fay First")
    make_visit(make_subject(site), **days(-1, 0, 1))
    plan(clock, "2026-03-06 08:00")
    end = Membership.objects.filter(user=first).update
    given(lambda: end(ended_on=DAY + dt.timedelta(days=1)))()
    given(
        lambda: Membership.objects.create(
            user=make_user(full_name="Sue Second"),
            site=site,
            role=Role.RESEARCH_NURSE,
            valid_from=DAY + dt.timedelta(days=1),
        )
    )()
    assert plan(clock, "2026-03-07 06:00") == 0
    plan(clock, "2026-03-07 08:00")
    assert told() == [
        ("Fay First", "target_day", "03-06 08:00"),
        ("Sue Second", "last_window_day", "03-07 08:00"),
    ]


def test_what_was_said_is_left_alone_for_twelve_hours(cast, clock, tmp_path):
    clock.put("2026-02-01 10:00")
    version = make_protocol(cast.other_site, path=other_rules(tmp_path))
    subject = make_subject(cast.other_site, protocol_version=version)
    make_visit(subject, **days(0, 0, 0))
    for hour in ("02:29", "02:30", "09:00", "14:29", "14:30", "14:31"):
        plan(clock, f"2026-03-06 {hour}")
    assert told() == [
        ("Stella Stranger", "target_day", "03-06 02:30"),
        ("Stella Stranger", "last_window_day", "03-06 14:30"),
    ]


def other_rules(tmp_path: Path) -> Path:
    """An amendment with reminders at odd hours, close to each other."""
    text = PROTOCOL.read_text(encoding="utf-8").replace('version: "1.0"', 'version: "9.0"', 1)
    head, tail = text.split("\nreminders:\n", 1)
    tail = tail.replace("at: 08:00", "at: 18:40", 1).replace("at: 08:00", "at: 02:30", 1)
    tail = tail.replace(
        "moment: last_window_day\n      at: 08:00",
        "moment: last_window_day\n      at: 12:00\n      hours: -3",
    )
    path = tmp_path / "amended.yaml"
    path.write_text(f"{head}\nreminders:\n{tail}", encoding="utf-8")
    return path


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize("seed", range(2))
def test_one_statement_says_what_the_rules_say_of_each_visit(cast, clock, tmp_path, seed):
    chance = random.Random(seed)
    sites = [cast.site, cast.other_site]
    sites += [
        make_site("011", time_zone="Europe/Berlin"),
        make_site("012", time_zone="America/New_York"),
    ]
    for site in sites[2:]:
        make_user(Role.RESEARCH_NURSE, site)
    versions = [make_protocol(*sites), make_protocol(*sites, path=other_rules(tmp_path))]
    for _ in range(80):
        clock.put(dt.datetime(2026, 3, chance.randint(10, 31), chance.randrange(24), tzinfo=dt.UTC))
        first = chance.randint(14, 32)
        target = first + chance.randint(0, 2)
        subject = make_subject(chance.choice(sites), protocol_version=chance.choice(versions))
        make_visit(subject, **days(first, target, target + chance.randint(0, 3)))

    expected_any = 0
    for _ in range(20):
        now = dt.datetime(2026, 3, 15, tzinfo=dt.UTC)
        now += dt.timedelta(minutes=chance.randrange(26 * 24 * 4) * 15)
        clock.put(now)
        said, expected = rows_at(now), rules_at(now)
        assert said == expected, now
        expected_any += len(expected)
    assert expected_any > 50


@given
def rows_at(now: dt.datetime) -> set[tuple[object, ...]]:
    query, parameters = plan_visits(now)
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters])
        rows = cursor.fetchall()
    return {(about, reader, key.split(":")[1]) for about, _site, reader, _at, key in rows}


@given
def rules_at(now: dt.datetime) -> set[tuple[object, ...]]:
    said: set[tuple[object, ...]] = set()
    for visit in Visit.objects.select_related("subject__site"):
        for reader, roles in readers_at(visit.subject.site).items():
            step = said_now(steps_of_visit(visit), roles, now)
            if step and step.due > now - dt.timedelta(days=7):
                said.add((visit.pk, reader, step.rule.key))
    return said


def readers_at(site: Site) -> dict[int | None, set[str]]:
    held: dict[int | None, set[str]] = {}
    for line in Membership.objects.filter(site__in=[site]) | Membership.objects.filter(site=None):
        held.setdefault(line.user_id, set()).add(line.role)
    return held


@pytest.mark.requirement("RM1")
@pytest.mark.parametrize("visits", [1, 30])
def test_a_pass_costs_the_same_statements_however_many_visits_are_due(cast, clock, visits):
    clock.put("2026-02-01 10:00")
    for _ in range(visits):
        make_visit(make_subject(cast.site), **days(-1, 0, 1))
    now = clock.put("2026-03-06 08:00")
    plan_notices(now - dt.timedelta(days=30), kind=VISIT_KIND)  # protocols are read once
    with CaptureQueriesContext(connection) as queries:
        assert plan_notices(now, kind=VISIT_KIND) == 2 * visits
    inserts = [each for each in queries if "INSERT INTO" in each["sql"]]
    assert len(inserts) == 2
    assert len(queries) <= 20
    assert Notice.objects.filter(state=State.PLANNED).count() == 2 * visits
