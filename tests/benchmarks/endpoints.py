"""Endpoints of 1,000 and 10,000 subjects: reading the courses, estimating, both with statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial

from django.db import connection, models

from outcomes.endpoints.course import Course
from outcomes.selectors.courses import courses_of
from outcomes.selectors.endpoints import endpoints_of
from screening.models import Enrolment
from tests import databases
from tests.benchmarks.measuring import in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import keep, triggers
from tests.factories import as_person, given, make_protocol, make_site, make_user
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import (
    CrfRecord,
    ProtocolVersion,
    Subject,
    SubjectStatus,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_today
from visits.models import TreatmentSession

SIZES = (sized(1_000, 100), sized(10_000, 200))
SITES = 10
_TABLES = (Subject, Visit, CrfRecord, Enrolment, TreatmentSession)


@benchmark(
    issue=5,
    title="Endpoints of 1,000 and 10,000 subjects",
    means="What a principal investigator waits for when survival and every other endpoint of the "
    "whole study is worked out anew from the casebook, not from yesterday's file.",
    aims={"statements": "constant"},
)
def estimating() -> Found:
    """Courses from the database, every endpoint from the courses, and how many statements."""
    lines: list[str] = []
    sent: list[int] = []
    base = None
    for size in SIZES:
        with study_of(size) as person:
            timings = in_turns(_calls(size, person), calls=1, rounds=3)
            sent.append(statements(partial(_read, person)))
            base = base or next(iter(timings.values()))
            lines += [each.line(base) for each in timings.values()]
    told = " and ".join(map(str, sent))
    lines.append(f"  {told} statements in all, those that set the context too")
    return Found(lines, {"statements": told})


def _calls(size: int, person: User) -> dict[str, Callable[[int], None]]:
    protocol = given(lambda: protocol_of(current_version().pk))()
    courses = _read(person)
    assert len(courses) == size

    def read(_serial: int) -> None:
        _read(person)

    def estimate(_serial: int) -> None:
        endpoints_of(courses, protocol)

    return {f"{size:,} subjects, courses": read, f"{size:,} subjects, estimates": estimate}


def _read(person: User) -> list[Course]:
    with as_person(person):
        return courses_of(person)


@contextmanager
def study_of(subjects: int) -> Iterator[User]:
    """A database with so many treated subjects, and the person who may see them all."""
    name = databases.of_this_process("bench_endpoints")
    databases.clone(name)
    protocol_of.cache_clear()
    try:
        with databases.using(name):
            yield _filled(subjects)
    finally:
        protocol_of.cache_clear()
        databases.drop(name)


def _filled(subjects: int) -> User:
    sites = [make_site(f"{100 + n}") for n in range(SITES)]
    version = make_protocol(*sites)
    person: User = make_user(Role.PRINCIPAL_INVESTIGATOR, full_name="Petra Principal")
    triggers(_TABLES, "DISABLE TRIGGER USER")
    _load(sites, version, person, subjects)
    triggers(_TABLES, "ENABLE ALWAYS TRIGGER")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return person


def _load(sites: list[Site], version: ProtocolVersion, person: User, subjects: int) -> None:
    """Two visits and a session each; every fourth died, on a day of its own."""
    zero = trial_today(sites[0].time_zone) - dt.timedelta(days=200)
    made: list[list[models.Model]] = [[], [], [], [], []]
    for number in range(subjects):
        for kind, rows in enumerate(_rows(number, sites[number % SITES], version, person, zero)):
            made[kind] += rows
    for rows in made:
        for start in range(0, len(rows), 5000):
            keep(rows[start : start + 5000])


def _rows(
    number: int, site: Site, version: ProtocolVersion, person: User, zero: dt.date
) -> Iterator[list[models.Model]]:
    died = zero + dt.timedelta(days=number % 180) if number % 4 == 0 else None
    subject = Subject(
        site=site, screening_number=f"S{number:06d}", number=f"N{number:06d}",
        status=SubjectStatus.ENROLLED, protocol_version=version, day_zero=zero,
        died_on=died.isoformat() if died else "",
    )  # fmt: skip
    began = dt.datetime.combine(zero, dt.time(9))
    record = CrfRecord(
        site=site, subject=subject, form_oid="F.TX", protocol_version=version, version=1
    )
    yield [subject]
    yield [
        Enrolment(
            site=site, subject=subject, number=subject.number or "", target=10,
            enrolled_at=began.replace(tzinfo=dt.UTC), enrolled_on=zero, enrolled_by=person,
            protocol_version=version,
        )
    ]  # fmt: skip
    yield [
        Visit(
            site=site, subject=subject, event_oid=event, visit_number=Decimal(place),
            status=VisitStatus.ATTENDED, mode=VisitMode.ON_SITE, protocol_version=version,
            attended_on=zero + dt.timedelta(days=min(day, (died - zero).days) if died else day),
        )
        for place, (event, day) in enumerate((("SE.D7", 7), ("SE.W8", 40 + number % 60)))
    ]  # fmt: skip
    yield [record]
    yield [
        TreatmentSession(
            record=record, site=site, subject=subject, number=1, modality=["REACTOR"],
            planned_minutes=360, started_at=began, ended_at=began + dt.timedelta(hours=6),
            time_zone=site.time_zone, stop_reason="COMPLETED", operator=person,
            second_checker=person, physician=person, distinct_people=1,
            planned_at=began.replace(tzinfo=dt.UTC),
        )
    ]  # fmt: skip
