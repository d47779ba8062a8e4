"""A million laboratory results as a file, against COPY of the same rows by the owner."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable

import psycopg
from django.db import connection, models

from tests import databases
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import keep, triggers
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
from trialsite.exports.writing import Format, write
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


def exporting() -> list[str]:
    """The dataset as CSV and NDJSON, as its person gets it, and two plain copies."""
    manager = _filled()
    before = _peak()
    timings = {
        "COPY of the table's own columns": _timed(lambda: _copied(LabResult)),
        "the dataset as CSV": _timed(lambda: _written(manager, Format.CSV)),
        "the dataset as NDJSON": _timed(lambda: _written(manager, Format.NDJSON)),
    }
    base = next(iter(timings.values()))[0]
    lines = [f"Exporting {ROWS:,} laboratory results of {PEOPLE} people"]
    for name, (seconds, size) in timings.items():
        lines.append(
            f"  {name:<34} {seconds:6.1f} s  {ROWS / seconds:9,.0f} rows/s  "
            f"{size / 1e6:6.0f} MB  {size / seconds / 1e6:6.1f} MB/s  {seconds / base:5.2f}x"
        )
    lines.append(f"  peak memory: {before} MB before, {_peak()} MB at the end")
    return lines


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _timed(call: Callable[[], int]) -> tuple[float, int]:
    """The better of two: the first reads the tables from the disk."""
    found = []
    for _turn in range(2):
        began = time.perf_counter()
        size = call()
        found.append((time.perf_counter() - began, size))
    return min(found)


def _copied(model: type[models.Model]) -> int:
    """What no export can be faster than: the rows as they lie, to a file of the disk."""
    address = databases.owner_url(connection.settings_dict["NAME"])
    columns = ", ".join(f'"{each.column}"' for each in model._meta.local_concrete_fields)
    with psycopg.connect(address) as owner, tempfile.TemporaryFile() as file:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [_every_site()])
        statement = (
            f"COPY (SELECT {columns} FROM {model._meta.db_table}) TO STDOUT WITH (FORMAT csv)"
        )
        with owner.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for block in copy:
                    file.write(block)
            assert cursor.rowcount == ROWS
        return file.tell()


def _written(manager: User, as_: Format) -> int:
    with as_person(manager):
        written = write(datasets()[_DATASET], by=manager, as_=as_)
        assert written.rows == ROWS
        with written.file as file:
            return file.seek(0, 2)


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
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [_every_site()])
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


@given
def _every_site() -> str:
    """As the context says it: all sites of the study."""
    keys = Site.objects.values_list("pk", flat=True)
    return "{" + ",".join(map(str, keys)) + "}"
