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
from tests.benchmarks.studies import every_site, make_people, multiply
from tests.engine.models import Wide
from tests.factories import (
    as_person,
    given,
    make_cast,
    make_protocol,
    make_record,
    make_site,
    make_subject,
    make_user,
)
from tests.labs.conftest import DRAW, make_laboratory, make_range
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.services import save_crf
from trialsite.exports.odm_data import snapshot
from trialsite.exports.registry import datasets
from trialsite.exports.writing import Format, copy_to, query, write
from trialsite.labs.entry import read_panel
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.services.panels import save_panel

ROWS, PEOPLE = sized(1_000_000, 20_000), 400
FORMS = sized(10_000, 500)
#: Results of one draw, with their units; every draw is a copy of it.
RESULTS = {
    "BILI": ("320.5", "umol/L"), "CREAT": ("88", "umol/L"), "INR": ("2.1", "{INR}"),
    "PTA": ("33", "%"), "PLAT": ("96", "10*9/L"),
}  # fmt: skip
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
        _timed("COPY of the table's own columns", lambda: _copied(_own_columns(LabResult), ROWS)),
        _timed("COPY of the same columns", lambda: _copied(_same_columns(), ROWS)),
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
    return Found([*lines, *(each.line(same, ROWS) for each in timings)], reached)


@dataclass(frozen=True, slots=True)
class _File:
    """One way to a file: seconds, seconds of CPU here and of the server, and bytes."""

    name: str
    seconds: float
    cpu: float
    server: float
    size: int

    @property
    def both(self) -> float:
        return self.cpu + self.server

    def against(self, base: _File) -> str:
        return f"{self.seconds / base.seconds:.2f}x (CPU {self.both / base.both:.2f}x)"

    def line(self, base: _File, rows: int) -> str:
        return (
            f"  {self.name:<32} {self.seconds:6.1f} s  CPU {self.cpu:5.1f}+{self.server:<5.1f} s  "
            f"{rows / self.seconds:9,.0f} rows/s  {self.size / 1e6:6.0f} MB  {self.against(base)}"
        )


def _timed(name: str, call: Callable[[], tuple[int, float]], turns: int = 2) -> _File:
    """The better of two: the first reads the tables from the disk."""
    found = []
    for _turn in range(turns):
        began, used = time.perf_counter(), time.process_time()
        size, server = call()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        found.append(_File(name, seconds, cpu, server, size))
    return min(found, key=lambda each: each.seconds)


def _own_columns(model: type[models.Model]) -> sql.Composable:
    """What no export can be faster than: the rows as they lie."""
    names = [sql.Identifier(str(each.column)) for each in model._meta.local_concrete_fields]
    table = sql.Identifier(model._meta.db_table)
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), table)


@given
def _same_columns() -> sql.Composable:
    return query(datasets()[_DATASET], Site.objects.values_list("pk", flat=True), Format.CSV)


def _copied(statement: sql.Composable, rows: int) -> tuple[int, float]:
    """Straight to a file of the disk; its size, and the seconds of CPU of the server."""
    address = databases.owner_url(connection.settings_dict["NAME"])
    with psycopg.connect(address) as owner, tempfile.TemporaryFile() as file:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        command = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv)").format(statement)
        with owner.cursor() as cursor:
            with cursor.copy(command) as copy:
                for block in copy:
                    file.write(block)
            assert cursor.rowcount == rows
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
    make_people(site, version, PEOPLE)
    multiply(record, (LabPanel, LabResult), ROWS // len(RESULTS))
    return manager


def _enter(record: CrfRecord, nurse: User) -> None:
    protocol = given(protocol_of)(record.protocol_version_id)
    texts = {analyte: text for analyte, (text, _unit) in RESULTS.items()}
    texts |= {f"{analyte}.unit": unit for analyte, (_text, unit) in RESULTS.items()}
    with as_person(nurse):
        entry = read_panel(protocol, DRAW | texts)
        save_panel(record=record, entry=entry, by=nurse, base_version=0)


@benchmark(
    issue=7,
    title="The study as ODM-XML",
    means="How long the standard's file of a whole study takes, in which every value stands by "
    "itself with its names, and how much memory the server needs meanwhile.",
    aims={
        "CPU, against COPY of the same table": "at most 8x",
        "memory at its peak": "below 100 MB above the start",
    },
)
def snapshotting() -> Found:
    """Forms of thirty items over many people, once as COPY and once as a snapshot."""
    cast = make_cast()
    record = make_record(make_subject(cast.site, number="N-1"), form_oid="F.TWIDE")
    with as_person(cast.nurse):
        entry = read_texts(Wide, dict.fromkeys(items_of(Wide), "120"))
        save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
    version = given(ProtocolVersion.objects.get)(pk=record.protocol_version_id)
    make_people(cast.site, version, PEOPLE)
    multiply(record, (Wide,), FORMS)
    before = peak()
    plain = _timed("COPY of the table", lambda: _copied(_own_columns(Wide), FORMS))
    odm = _timed("the snapshot", lambda: _snapshot(version), turns=1)
    each = (odm.both / odm.size) / (plain.both / plain.size)
    return Found(
        [
            f"{FORMS:,} forms of 30 items, {PEOPLE} people",
            plain.line(plain, FORMS),
            odm.line(plain, FORMS),
        ],
        {
            "CPU, against COPY of the same table": f"{odm.both / plain.both:.1f}x; "
            f"{each:.1f}x for each byte written",
            "memory at its peak": f"{peak() - before} MB above the {before} MB of the start",
        },
    )


@given
def _snapshot(version: ProtocolVersion) -> tuple[int, float]:
    _pid, before = backend_cpu()
    sites = set(Site.objects.values_list("pk", flat=True))
    with tempfile.TemporaryFile() as file:
        copy_to(file, snapshot(version, sites=sites, at=trial_now()))
        return file.tell(), backend_cpu()[1] - before
