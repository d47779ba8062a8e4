"""A study of any size in a database of its own: a long past, a far future, and a fixed
number of visits that are near today."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from django.db import connection, models

from tests import databases
from tests.factories import given, make_protocol, make_site, make_user
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.casebook.models import (
    CrfRecord,
    ProtocolVersion,
    RecordStatus,
    Subject,
    SubjectStatus,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_today
from trialsite.core.date_ranges import closed
from trialsite.dashboard.models import OwedForm
from trialsite.protocol import StudyEventDef, load, study_path

SITES = 10
#: Visits around today, whatever the size: overdue, closing, open, coming.
NEAR = 60
_TABLES = (Subject, Visit, CrfRecord, OwedForm)
_numbers = itertools.count(1)


@contextmanager
def study_of(visits: int) -> Iterator[None]:
    """A database with so many visits, in use."""
    name = databases.of_this_process("bench") + f"_{next(_numbers)}"
    databases.clone(name)
    protocol_of.cache_clear()
    try:
        with databases.using(name):
            _fill(visits)
            yield
    finally:
        protocol_of.cache_clear()
        databases.drop(name)


def _fill(visits: int) -> None:
    sites = [make_site(f"{100 + n}") for n in range(SITES)]
    version = make_protocol(*sites)
    make_user(Role.RESEARCH_NURSE, sites[0], full_name="Nora Nurse")
    make_user(Role.PRINCIPAL_INVESTIGATOR, full_name="Petra Principal")
    make_user(Role.DATA_MANAGER, full_name="Dana Data")
    triggers(_TABLES, "DISABLE TRIGGER USER")
    _load(sites, version, visits)
    triggers(_TABLES, "ENABLE ALWAYS TRIGGER")


def triggers(tables: Iterable[type[models.Model]], act: str) -> None:
    """Off while rows are loaded, since a trail of the past is not what is measured."""
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        for model in tables:
            table = model._meta.db_table
            names = owner.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
                [table],
            ).fetchall()
            for (name,) in names if "ALWAYS" in act else [("",)]:
                owner.execute(f"ALTER TABLE {table} {act} {name}")


def _load(sites: list[Site], version: ProtocolVersion, visits: int) -> None:
    """Rows are built outside and kept in short transactions: none is idle while a list grows."""
    today = trial_today(sites[0].time_zone)
    events = [each for each in _events(version) if each.target_day]
    subjects: list[Subject] = []
    planned: list[Visit] = []
    records: list[CrfRecord] = []
    for number in range(-(-visits // len(events))):
        subject = Subject(
            site=sites[number % SITES],
            screening_number=f"S{number:06d}",
            number=f"N{number:06d}",
            status=SubjectStatus.ENROLLED,
            protocol_version=version,
        )
        subjects.append(subject)
        for event in events[: visits - len(planned)]:
            visit = _visit(subject, event.oid, len(planned), today)
            planned.append(visit)
            done = visit.status == VisitStatus.ATTENDED and len(planned) % 997 != 0
            records += [
                CrfRecord(
                    site_id=subject.site_id,
                    subject=subject,
                    visit=visit,
                    form_oid=form,
                    protocol_version=version,
                    status=RecordStatus.COMPLETE if done else RecordStatus.NOT_STARTED,
                )
                for form in event.forms
            ]
    for rows in (subjects, planned, records):
        for start in range(0, len(rows), 5000):
            keep(rows[start : start + 5000])
    attended = (visit.pk for visit in planned if visit.status == VisitStatus.ATTENDED)
    _owe(records, set(attended))


def visits_of_a_subject() -> int:
    """How many visits with a day of their own the study plans for everybody."""
    protocol = load(study_path("nct06904755"))
    return sum(bool(each.target_day) for each in protocol.schedule.events)


@given
def _events(version: ProtocolVersion) -> tuple[StudyEventDef, ...]:
    return protocol_of(version.pk).schedule.events


@given
def keep(rows: Sequence[models.Model]) -> None:
    type(rows[0])._default_manager.bulk_create(rows)


def _owe(records: list[CrfRecord], attended: set[uuid.UUID]) -> None:
    """One form in hundreds was never finished; the triggers would have kept the list."""
    owed = [(each, each.visit_id) for each in records if each.visit_id in attended]
    left = [each for each in owed if each[0].status == RecordStatus.NOT_STARTED][:NEAR]
    rows = [
        OwedForm(record=each, site_id=each.site_id, subject_id=each.subject_id, visit_id=visit_id)
        for each, visit_id in left
    ]
    if rows:
        keep(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _visit(subject: Subject, event_oid: str, serial: int, today: dt.date) -> Visit:
    """The first visits are near; then two of three are long past, and one is far ahead."""
    if serial < NEAR:
        ahead, status = serial % 20 - 8, VisitStatus.PLANNED
    elif serial % 3:
        ahead, status = -40 - serial % 2000, VisitStatus.ATTENDED
    else:
        ahead, status = 40 + serial % 700, VisitStatus.PLANNED
    target = today + dt.timedelta(days=ahead)
    return Visit(
        site_id=subject.site_id,
        subject=subject,
        event_oid=event_oid,
        protocol_version_id=subject.protocol_version_id,
        status=status,
        target_on=target,
        window=closed(target - dt.timedelta(days=1), target + dt.timedelta(days=2)),
        attended_on=target if status is VisitStatus.ATTENDED else None,
        mode=VisitMode.ON_SITE if status is VisitStatus.ATTENDED else "",
    )
