"""What nobody can make of a schedule: half states, other people's visits, without the right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import as_person, given, make_visit
from tests.visits.scheduling import enrolled, today, visit_at
from trialsite.casebook.models import (
    CrfRecord,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.services import (
    add_visit,
    attend_visit,
    cancel_visit,
    close_schedule,
    miss_visit,
    open_visit,
    record_death,
    revoke_death,
    set_day_zero,
    take_back_visit,
)
from trialsite.core.exceptions import NotPermittedError, StaleError
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


# What the database refuses


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": VisitStatus.DUE},
        {"status": VisitStatus.MISSED, "missed_reason": ""},
        {"missed_reason": "because"},
        {"status": VisitStatus.NOT_REQUIRED, "not_required_cause": ""},
        {"not_required_cause": "death"},
        {"status": VisitStatus.NOT_REQUIRED, "not_required_cause": "weather"},
        {"status": VisitStatus.OPEN, "opened_at": None},
        {"opened_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
        {"status": VisitStatus.ATTENDED, "attended_on": dt.date(2026, 1, 1), "mode": ""},
        {"status": VisitStatus.ATTENDED, "attended_on": dt.date(2026, 1, 1), "mode": "letter"},
        {"status": VisitStatus.ATTENDED, "mode": VisitMode.WARD},
        {"mode": VisitMode.WARD},
    ],
)
def test_a_visit_cannot_say_half_of_its_state(cast, wrong):
    subject = enrolled(cast)
    with pytest.raises(DatabaseError), transaction.atomic():
        make_visit(subject, "SE.UNS", **wrong)


def test_a_contact_cannot_stand_for_another_persons_visit(cast):
    ours, theirs = enrolled(cast, since=40), enrolled(cast, since=40)
    make_visit(ours, "SE.TEL", stands_for=visit_at(theirs, "SE.D28"))
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# Rights and versions


@pytest.mark.parametrize("who", ["monitor", "auditor", "data_manager", "stranger"])
def test_only_who_enters_data_at_the_site_moves_the_schedule(cast, who):
    subject = enrolled(cast, since=10)
    person = getattr(cast, who)
    visit = visit_at(subject, "SE.D14")
    acts: list[tuple[Callable[..., object], dict[str, object]]] = [
        (open_visit, {"visit": visit}),
        (attend_visit, {"visit": visit, "on": today(cast.site)}),
        (miss_visit, {"visit": visit, "reason": "x"}),
        (take_back_visit, {"visit": visit, "reason": "x"}),
        (cancel_visit, {"visit": visit, "reason": "x"}),
        (add_visit, {"subject": subject, "role": EventRole.EXTRA, "on": today(cast.site)}),
        (set_day_zero, {"subject": subject, "day_zero": None}),
        (record_death, {"subject": subject, "died_on": "2026-01-01"}),
        (revoke_death, {"subject": subject}),
        (close_schedule, {"subject": subject, "after": today(cast.site), "cause": "death"}),
    ]
    for service, said in acts:
        with pytest.raises(NotPermittedError), as_person(person):
            service(by=person, **said)


def test_who_acts_from_an_older_version_is_told(cast):
    subject = enrolled(cast, since=13)
    seen = visit_at(subject, "SE.D14")
    act(cast, open_visit, visit=seen, base_version=seen.version)
    with pytest.raises(StaleError):
        act(cast, miss_visit, visit=seen, reason="x", base_version=seen.version)


def test_records_of_added_visits_are_expected_once(cast):
    subject = enrolled(cast, since=1)
    made = act(
        cast, add_visit, subject=subject, role=EventRole.EARLY_TERMINATION, on=today(cast.site)
    )
    act(cast, cancel_visit, visit=made, reason="Error")
    act(cast, add_visit, subject=subject, role=EventRole.EARLY_TERMINATION, on=today(cast.site))
    count = given(lambda: CrfRecord.objects.filter(visit=made).count())()
    assert count == 3
    assert given(Visit.objects.filter(subject=subject, event_oid="SE.ET").count)() == 1
