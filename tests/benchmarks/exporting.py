"""A million laboratory results as a file, against raw COPY of the same rows by the owner."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from django.db import connection, models
from psycopg import sql

from tests import databases
from tests.benchmarks.measuring import backend_cpu, cpu_of, peak
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import every_site, keep, triggers
from tests.factories import (
    as_person,
    given,
    make_protocol,
    make_record,
    make_site,
    make_subject,
    make_user,
)
from tests.labs.conftest import DRAW, make_laboratory, make_range
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.exports.registry import datasets
from trialsite.exports.writing import Format, query, write
from trialsite.labs.entry import read_panel
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.services.panels import save_panel

ROWS, PEOPLE = sized(1_000_000, 20_000), 400
#: Results of one draw, with their units; every draw is a copy of it.
RESULTS = {
    "BILI": ("320.5", "umol/L"), "CREAT": ("88", "umol/L"), "INR": ("2.1", "{INR}"),
    "PTA": ("33", "%"), "PLAT": ("96", "10*9/L"),
}  # fmt: skip
_TABLES = (CrfRecord, LabPanel, LabResult)
_DATASET = "lb"


@benchmark(
    issue=7,
    title="A million laboratory results as a file",
    means="How long a data manager waits for the largest file of the study, and how much memory "
    "the server needs meanwhile; with rights, row-level security, codes and visit keys, its hash "
    "and a line in the trail, against PostgreSQL's own COPY of the rows as they lie.",
    aims={
        "CSV, against COPY of the same columns": "at most 1.2x",
        "CSV, against COPY of the table's own columns": "none set; it joins more tables",
        "NDJSON, against COPY of the same columns": "at most 2.2x",
        "memory at its peak": "below 100 MB above the start",
    },
)
def exporting() -> Found:
    """Two plain copies by the owner, and the dataset as its person gets it."""
    manager = _filled()
    before = peak()
    own, same, csv, ndjson, _explained = timings = [
        _timed("COPY of the table's own columns", lambda: _copied(_own_columns())),
        _timed("COPY of the same columns", lambda: _copied(_same_columns())),
        _timed("the dataset as CSV", lambda: _written(manager, Format.CSV)),
        _timed("the dataset as NDJSON", lambda: _written(manager, Format.NDJSON)),
        _timed("the dataset as JSON", lambda: _written(manager, Format.JSON)),
    ]
    reached = {
        "CSV, against COPY of the same columns": csv.against(same),
        "CSV, against COPY of the table's own columns": csv.against(own),
        "NDJSON, against COPY of the same columns": ndjson.against(same),
        "memory at its peak": f"{peak() - before} MB above the {before} MB of the start",
    }
    lines = [f"{ROWS:,} results of {PEOPLE} people; times beside COPY of the same columns"]
    return Found([*lines, *(each.line(same) for each in timings)], reached)


@dataclass(frozen=True, slots=True)
class _File:
    """One way to a file: seconds, seconds of CPU here and of the server, and bytes."""

    name: str
    seconds: float
    cpu: float
    server: float
    size: int

    def against(self, base: _File) -> str:
        both = (self.cpu + self.server) / ((base.cpu + base.server) or 1)
        return f"{self.seconds / base.seconds:.2f}x (CPU {both:.2f}x)"

    def line(self, base: _File) -> str:
        return (
            f"  {self.name:<32} {self.seconds:6.1f} s  CPU {self.cpu:5.1f}+{self.server:<5.1f} s  "
            f"{ROWS / self.seconds:9,.0f} rows/s  {self.size / 1e6:6.0f} MB  {self.against(base)}"
        )


def _timed(name: str, call: Callable[[], tuple[int, float]]) -> _File:
    """The better of two: the first reads the tables from the disk."""
    found = []
    for _turn in range(2):
        began, used = time.perf_counter(), time.process_time()
        size, server = call()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        found.append(_File(name, seconds, cpu, server, size))
    return min(found, key=lambda each: each.seconds)


def _own_columns() -> sql.Composable:
    """What no export can be faster than: the rows as they lie."""
    names = [sql.Identifier(str(each.column)) for each in LabResult._meta.local_concrete_fields]
    table = sql.Identifier(LabResult._meta.db_table)
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), table)


@given
def _same_columns() -> sql.Composable:
    return query(datasets()[_DATASET], Site.objects.values_list("pk", flat=True), Format.CSV)


def _copied(statement: sql.Composable) -> tuple[int, float]:
    """Straight to a file of the disk; its size, and the seconds of CPU of the server."""
    address = databases.owner_url(connection.settings_dict["NAME"])
    with psycopg.connect(address) as owner, tempfile.TemporaryFile() as file:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        command = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv)").format(statement)
        with owner.cursor() as cursor:
            with cursor.copy(command) as copy:
                for block in copy:
                    file.write(block)
            assert cursor.rowcount == ROWS
        return file.tell(), cpu_of(owner.info.backend_pid)


def _written(manager: User, as_: Format) -> tuple[int, float]:
    with as_person(manager):
        _pid, before = backend_cpu()
        written = write(datasets()[_DATASET], by=manager, as_=as_)
        assert written.rows == ROWS
        with written.file as file:
            return file.seek(0, 2), backend_cpu()[1] - before


def _filled() -> User:
    """One draw entered as a nurse enters it, and copies of it by SQL."""
    site = make_site()
    version = make_protocol(site)
    nurse = make_user(Role.RESEARCH_NURSE, site)
    manager: User = make_user(Role.DATA_MANAGER)
    laboratory = make_laboratory(site)
    for analyte, (_text, unit) in RESULTS.items():
        make_range(laboratory, analyte, "1", "100", unit)
    record = make_record(make_subject(site, protocol_version=version), form_oid="F.LB")
    _enter(record, nurse)
    people = [
        Subject(
            site=site, screening_number=f"S{n:05d}", number=f"N{n:05d}",
            status=SubjectStatus.ENROLLED, protocol_version=version,
        )
        for n in range(PEOPLE)
    ]  # fmt: skip
    keep(people)
    triggers(_TABLES, "DISABLE TRIGGER USER")
    _multiply(record)
    triggers(_TABLES, "ENABLE ALWAYS TRIGGER")
    return manager


def _enter(record: CrfRecord, nurse: User) -> None:
    protocol = given(protocol_of)(record.protocol_version_id)
    texts = {analyte: text for analyte, (text, _unit) in RESULTS.items()}
    texts |= {f"{analyte}.unit": unit for analyte, (_text, unit) in RESULTS.items()}
    with as_person(nurse):
        entry = read_panel(protocol, DRAW | texts)
        save_panel(record=record, entry=entry, by=nurse, base_version=0)


def _multiply(record: CrfRecord) -> None:
    """The draw of one record, as often as there are rows to make, over all people."""
    draws = ROWS // len(RESULTS) - 1
    address = databases.owner_url(connection.settings_dict["NAME"])
    with psycopg.connect(address) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(
            f"CREATE TEMP TABLE draws AS SELECT gen_random_uuid() AS id, s.id AS subject, "
            f"n AS serial FROM generate_series(2, {draws + 1}) n JOIN (SELECT id, row_number() "
            f"OVER (ORDER BY id) - 1 AS place FROM {Subject._meta.db_table} WHERE number <> '') s "
            f"ON s.place = n % {PEOPLE}"
        )
        subject = {"subject_id": "d.subject"}
        _copy(owner, CrfRecord, record, "id", {"id": "d.id", "repeat_key": "d.serial"} | subject)
        _copy(owner, LabPanel, record, "record_id", {"record_id": "d.id"} | subject)
        results = {"id": "gen_random_uuid()", "record_id": "d.id"}
        _copy(owner, LabResult, record, "record_id", results | subject)
        owner.execute("ANALYZE")


def _copy(
    owner: psycopg.Connection,
    model: type[models.Model],
    record: CrfRecord,
    key: str,
    others: dict[str, str],
) -> None:
    fields = model._meta.local_concrete_fields
    columns = [str(each.column) for each in fields if not each.generated]
    names = ", ".join(f'"{each}"' for each in columns)
    values = ", ".join(others.get(each, f'o."{each}"') for each in columns)
    owner.execute(
        f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} "
        f"FROM {model._meta.db_table} o CROSS JOIN draws d WHERE o.{key} = %s",
        [record.pk],
    )
