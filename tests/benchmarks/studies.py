"""A study of any size in a database of its own: a long past, a far future, and a fixed
number of visits that are near today."""

from __future__ import annotations

import datetime as dt
import itertools
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
_RECORD, _VISIT = CrfRecord._meta.db_table, Visit._meta.db_table
_COPIES = f"""
CREATE TEMP TABLE copies AS
SELECT gen_random_uuid() AS id, s.id AS subject, n
FROM generate_series(2, %s) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS people
      FROM {Subject._meta.db_table} WHERE number <> '') s ON s.place = n %% s.people
"""
#: What a form takes from its visit: those of attended visits are finished, but for a few.
_OF_A_VISIT = {
    "id": "gen_random_uuid()",
    "site_id": "v.site_id",
    "subject_id": "v.subject_id",
    "visit_id": "v.id",
    "form_oid": "p.form",
    "status": f"CASE WHEN v.status = '{VisitStatus.ATTENDED.value}' AND v.n %% 997 <> 1 "
    f"THEN '{RecordStatus.COMPLETE.value}' ELSE '{RecordStatus.NOT_STARTED.value}' END",
}


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
    """Rows are built outside and kept in short transactions: none is idle while a list grows.

    The forms, of which there are most, are written by the server from the visits.
    """
    today = trial_today(sites[0].time_zone)
    events = [each for each in _events(version) if each.target_day]
    subjects: list[Subject] = []
    planned: list[Visit] = []
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
            planned.append(_visit(subject, event.oid, len(planned), today))
    for rows in (subjects, planned):
        for start in range(0, len(rows), 5000):
            keep(rows[start : start + 5000])
    _lay_out_forms(planned[0], events)
    _owe()


def _lay_out_forms(first: Visit, events: Sequence[StudyEventDef]) -> None:
    """One form by the ORM, with what it gives by itself, and all others as copies of it."""
    pattern = CrfRecord(
        site_id=first.site_id,
        subject_id=first.subject_id,
        visit=first,
        form_oid="F.PATTERN",
        protocol_version_id=first.protocol_version_id,
    )
    keep([pattern])
    columns = [str(field.column) for field in CrfRecord._meta.local_concrete_fields]
    values = ", ".join(_OF_A_VISIT.get(each, f"o.{each}") for each in columns)
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(
            f"INSERT INTO {_RECORD} ({', '.join(columns)}) SELECT {values} FROM {_RECORD} o "
            f"CROSS JOIN (SELECT *, row_number() OVER (PARTITION BY status ORDER BY id) AS n "
            f"FROM {_VISIT}) v "
            "JOIN unnest(%s::text[], %s::text[]) AS p(event, form) ON p.event = v.event_oid "
            "WHERE o.id = %s",
            [
                [event.oid for event in events for _form in event.forms],
                [form for event in events for form in event.forms],
                pattern.pk,
            ],
        )
        owner.execute(f"DELETE FROM {_RECORD} WHERE id = %s", [pattern.pk])
        owner.execute("ANALYZE")


def make_people(site: Site, version: ProtocolVersion, count: int) -> None:
    """Enrolled people of whom nothing is known yet."""
    keep(
        [
            Subject(
                site=site,
                screening_number=f"S{n:05d}",
                number=f"N{n:05d}",
                status=SubjectStatus.ENROLLED,
                protocol_version=version,
            )
            for n in range(count)
        ]
    )


def multiply(record: CrfRecord, others: Sequence[type[models.Model]], times: int) -> None:
    """A record with what hangs on it, until there are so many, over all numbered people.

    Rows are copied by the server. A key of their own is new in each copy.
    """
    tables: tuple[type[models.Model], ...] = (CrfRecord, *others)
    triggers(tables, "DISABLE TRIGGER USER")
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(_COPIES, [times])
        for model in tables:
            fields = [f for f in model._meta.local_concrete_fields if not f.generated]
            columns = [str(field.column) for field in fields]
            new = {"subject_id": "c.subject", "record_id": "c.id"}
            if model is CrfRecord:
                new |= {"id": "c.id", "repeat_key": "c.n"}
            elif "id" in columns:
                new["id"] = "gen_random_uuid()"
            names = ", ".join(f'"{each}"' for each in columns)
            values = ", ".join(new.get(each, f'o."{each}"') for each in columns)
            key = "id" if model is CrfRecord else "record_id"
            owner.execute(
                f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} "
                f"FROM {model._meta.db_table} o CROSS JOIN copies c WHERE o.{key} = %s",
                [record.pk],
            )
        owner.execute("ANALYZE")
    triggers(tables, "ENABLE ALWAYS TRIGGER")


@given
def every_site() -> str:
    """As the context of a connection says it: all sites of the study."""
    return "{" + ",".join(map(str, Site.objects.values_list("pk", flat=True))) + "}"


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


@given
def _owe() -> None:
    """One form in hundreds was never finished; the triggers would have kept the list."""
    left = CrfRecord.objects.filter(
        visit__status=VisitStatus.ATTENDED, status=RecordStatus.NOT_STARTED
    ).order_by("pk")[:NEAR]
    OwedForm.objects.bulk_create(
        OwedForm(record=each, site_id=each.site_id, subject_id=each.subject_id, visit=each.visit)
        for each in left
    )


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
