"""Packages: everything of one moment, no more than the person may, and nobody can alter one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from tests import databases
from tests.access.browser import acts
from tests.access.test_api_tokens import ask, make_token
from tests.api.conftest import ApiClient, fill
from tests.api.test_metadata import ODM, schema
from tests.factories import (
    given,
    make_protocol,
    make_record,
    make_site,
    make_subject,
    make_user,
    sign_in,
)
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.casebook.models import Subject
from trialsite.crf.items import all_items_of
from trialsite.crf.registry import form, forms
from trialsite.exports.archive import DamagedPackageError, verify_archive
from trialsite.exports.models import Package
from trialsite.exports.packages import KEPT, MOST_ATTEMPTS, STOPPED, path_of
from trialsite.exports.registry import datasets
from trialsite.exports.tasks import make_packages, remove_old_packages


@pytest.fixture(autouse=True)
def _own_directory(settings, tmp_path):
    settings.EXPORT_ROOT = tmp_path / "exports"


@pytest.fixture
def manager(api, cast) -> ApiClient:
    make_protocol(cast.site)
    client: ApiClient = api("data_manager")
    return client


def packed(client: ApiClient) -> tuple[dict[str, Any], bytes]:
    """A package asked for, made by the worker and taken."""
    asked = client.post("packages/")
    assert asked.status_code == 202
    make_packages()
    told = client.get(f"packages/{asked.json()['id']}/").json()
    assert told["state"] == "ready", told
    answer = client.get(f"packages/{told['id']}/file/")
    return told, b"".join(answer.streaming_content)


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.requirement("EX1")
def test_a_package_holds_every_dataset_with_its_rows_and_hash(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse)
    told, content = packed(manager)
    files = files_of(content)
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert told["manifest"] == json.loads(files["manifest.json"])
    listed = {each["name"]: each for each in told["manifest"]["files"]}
    assert {f"datasets/{name}.csv" for name in datasets()} < set(listed)
    assert set(files) == {*listed, "manifest.json"}
    for name, each in listed.items():
        assert each["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert each["bytes"] == len(files[name])
        if name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(files[name].decode(), newline="")))
            assert each["rows"] == len(rows) - 1, name
    assert listed["datasets/vs.csv"]["rows"] == 1


@pytest.mark.requirement("EX1")
def test_the_same_data_give_the_same_files(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse)
    first, _content = packed(manager)
    second, _content = packed(manager)
    # What the first package itself left: its act in the trail, and the moment of the snapshot.
    changing = {"datasets/audit_events.csv", "snapshot.odm.xml"}
    hashes = [
        {each["name"]: each["sha256"] for each in told["manifest"]["files"]}
        for told in (first, second)
    ]
    differing = {name for name in hashes[0] if hashes[0][name] != hashes[1][name]}
    assert differing <= changing


@pytest.mark.requirement("EX1")
def test_one_flipped_bit_is_found(cast, manager, tmp_path):
    fill(form("F.VS"), cast.site, cast.nurse)
    _told, content = packed(manager)
    place = tmp_path / "package.zip"
    place.write_bytes(content)
    out = io.StringIO()
    call_command("verify_package", str(place), stdout=out)
    assert "all as the manifest says" in out.getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        begin = archive.getinfo("datasets/vs.csv").header_offset
    for at in (begin + 80, len(content) - 30):
        damaged = bytearray(content)
        damaged[at] ^= 1
        place.write_bytes(damaged)
        with pytest.raises(CommandError):
            call_command("verify_package", str(place))


def test_a_foreign_file_in_a_package_is_found(cast, manager):
    _told, content = packed(manager)
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("datasets/invented.csv", "SITEID\n001\n")
    with pytest.raises(DamagedPackageError):
        verify_archive(buffer)


@pytest.mark.requirement("EX5")
def test_a_package_holds_the_persons_sites_alone(cast):
    make_protocol(cast.site)
    make_subject(cast.site, screening_number="S-HERE")
    make_subject(cast.other_site, screening_number="S-THERE")

    told, content = packed(ApiClient(make_user(Role.DATA_MANAGER, cast.site)))
    assert told["manifest"]["sites"] == [cast.site.code]
    everything = b"".join(files_of(content).values())
    assert b"S-HERE" in everything
    assert b"S-THERE" not in everything


@pytest.mark.requirement("IA5")
def test_who_lost_the_right_before_it_was_made_gets_no_package(cast, manager):
    asked = manager.post("packages/").json()

    @given
    def end() -> None:
        cast.data_manager.memberships.update(ended_on=timezone.now().date())

    end()
    make_packages()
    package = given(Package.objects.get)(pk=asked["id"])
    assert package.state == "failed"
    assert not path_of(package).exists()


def test_nobody_takes_somebody_elses_package(cast, api, manager):
    told, _content = packed(manager)

    other = ApiClient(make_user(Role.DATA_MANAGER))
    for path in ("", "file/"):
        assert other.get(f"packages/{told['id']}/{path}").status_code == 404
    assert api("nurse").get(f"packages/{told['id']}/").status_code == 403
    assert api("nurse").post("packages/").status_code == 403


@pytest.mark.requirement("IA8")
@pytest.mark.parametrize("narrowed", ["site", "role"])
def test_a_narrowed_token_has_no_part_in_packages(cast, manager, narrowed):
    told, _content = packed(manager)
    by = {"site": cast.site} if narrowed == "site" else {"role": Role.DATA_MANAGER}
    narrow = make_token(cast.data_manager, read_only=False, **by)
    whole = make_token(cast.data_manager)
    for path in ("packages/", f"packages/{told['id']}/", f"packages/{told['id']}/file/"):
        assert ask(narrow, path).status_code == 403
        answer = ask(whole, path)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content if answer.streaming else [answer.content])


@pytest.mark.requirement("IA5", "EX5")
def test_who_lost_a_site_does_not_take_what_holds_it(cast):
    make_protocol(cast.site)
    person = make_user(Role.DATA_MANAGER, cast.site)
    told, _content = packed(ApiClient(person))

    @given
    def move() -> None:
        today = timezone.now().date()
        person.memberships.update(ended_on=today)
        Membership.objects.create(
            user=person, site=cast.other_site, role=Role.DATA_MANAGER, valid_from=today
        )

    move()
    assert ApiClient(person).get(f"packages/{told['id']}/file/").status_code == 403


def test_that_a_package_was_taken_is_in_the_trail(manager, cast):
    told, _content = packed(manager)
    (taken,) = acts("package_taken")
    assert taken.actor_id == cast.data_manager.pk
    assert (taken.new or {})["sha256"] == told["sha256"]


def test_a_second_package_waits_for_the_first(manager):
    assert manager.post("packages/").status_code == 202
    assert manager.post("packages/").status_code == 409
    make_packages()
    assert manager.post("packages/").status_code == 202


def test_a_file_that_could_not_be_made_is_said_and_leaves_nothing(manager, tmp_path):
    asked = manager.post("packages/").json()
    (tmp_path / "exports").write_text("in the way")
    make_packages()
    told = manager.get(f"packages/{asked['id']}/").json()
    assert told["state"] == "failed"
    assert told["error"]
    assert manager.get(f"packages/{asked['id']}/file/").status_code == 409
    assert manager.post("packages/").status_code == 202


#: Workers that the system ends while they write, as it does where memory runs out: each is a
#: process of its own, and all that is left of it is what the database knows.
KILLED = """
import os, signal, sys
import django
from django.conf import settings

django.setup()
from trialsite.exports import packages, tasks

settings.EXPORT_ROOT = sys.argv[1]

def killed(file, *, by):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

packages.write_archive = killed
for _worker in range(packages.MOST_ATTEMPTS):
    child = os.fork()
    if child == 0:
        tasks.make_packages()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


def test_a_package_that_ends_its_workers_is_given_up_and_says_so(committed, settings, tmp_path):
    site = make_site()
    make_protocol(site)
    person = make_user(Role.DATA_MANAGER, full_name="Dana Data")
    manager = ApiClient(person)
    asked = manager.post("packages/").json()
    subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.EXPORT_ROOT)],
        cwd=databases.ROOT,
        env=os.environ | {"DATABASE_URL": databases.app_url(connection.settings_dict["NAME"])},
        check=True,
    )
    row = given(Package.objects.get)()
    assert (row.state, row.attempts) == ("waiting", MOST_ATTEMPTS)
    assert make_packages() == 0
    told = manager.get(f"packages/{asked['id']}/").json()
    assert (told["state"], told["error"], told["attempts"]) == ("failed", STOPPED, MOST_ATTEMPTS)
    assert told["finished_at"]
    assert STOPPED in sign_in(person).get("/datasets/").content.decode()
    # Whoever mended the machine asks anew, and it is made.
    again = manager.post("packages/").json()
    assert make_packages() == 1
    assert manager.get(f"packages/{again['id']}/").json()["attempts"] == 1


def test_files_go_after_their_time_and_what_was_in_them_stays_told(manager):
    told, _content = packed(manager)
    assert remove_old_packages() == 0

    @given
    def age() -> Path:
        Package.objects.update(finished_at=timezone.now() - KEPT)
        return path_of(Package.objects.get())

    place = age()
    assert place.exists()
    assert remove_old_packages() == 1
    assert not place.exists()
    again = manager.get(f"packages/{told['id']}/").json()
    assert again["state"] == "removed"
    assert again["manifest"] == told["manifest"]


def test_the_page_asks_for_a_package_and_gives_its_file(cast):
    client = sign_in(cast.data_manager)
    make_protocol(cast.site)
    client.post("/datasets/package/")
    assert "Waiting" in client.get("/datasets/").content.decode()
    make_packages()
    package = given(Package.objects.get)()
    page = client.get("/datasets/").content.decode()
    assert package.sha256 in page
    answer = client.get(f"/api/v1/packages/{package.pk}/file/")
    assert hashlib.sha256(answer.getvalue()).hexdigest() == package.sha256


@pytest.mark.requirement("EX7")
def test_every_form_stands_in_the_snapshot_as_it_was_typed(cast, manager):
    """One package of them all: whatever differs is named, form by form."""
    tables = {each.oid: each.data for each in forms().values() if each.data is not None}
    for oid in tables:
        fill(form(oid), cast.site, cast.nurse)
    _told, content = packed(manager)
    files = files_of(content)
    root = ET.fromstring(files["snapshot.odm.xml"])
    differing = []
    for oid, table in tables.items():
        groups = root.findall(f".//o:FormData[@FormOID='{oid}']/o:ItemGroupData", ODM)[:1]
        lines = io.StringIO(files[f"datasets/{form(oid).slug}.csv"].decode())
        rows = list(csv.DictReader(lines))
        if len(groups) != 1 or len(rows) != 1:
            differing.append(f"{oid}: {len(groups)} in the snapshot, {len(rows)} in the dataset")
            continue
        for name, item in all_items_of(table).items():
            found = groups[0].find(f"o:ItemData[@ItemOID='{item.oid}']", ODM)
            told = None if found is None else found.get("Value")
            if (told or "") != rows[0][name].removeprefix("'"):
                differing.append(f"{oid} {name}")
    assert tables
    assert not differing


@pytest.mark.requirement("EX7")
def test_the_snapshot_is_valid_odm(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse)
    fill(form("F.AE"), cast.other_site, cast.stranger)
    make_subject(cast.site)
    _told, content = packed(manager)
    schema().validate(files_of(content)["snapshot.odm.xml"].decode())


@pytest.mark.requirement("EX2")
def test_a_package_is_of_one_moment_while_others_write(committed, settings, tmp_path):
    settings.EXPORT_ROOT = tmp_path / "committed"
    site = make_site("001")
    make_protocol(site)
    manager = make_user(Role.DATA_MANAGER)
    make_record(make_subject(site))
    ended = threading.Event()

    def write() -> None:
        try:
            while not ended.is_set():
                make_record(make_subject(site))
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        _told, content = packed(ApiClient(manager))
    finally:
        ended.set()
        writer.join()
    files = files_of(content)
    first = csv.DictReader(io.StringIO(files["datasets/subjects.csv"].decode()))
    subjects = {row["SCRNID"] for row in first}
    last = ET.fromstring(files["snapshot.odm.xml"]).findall(".//o:SubjectData", ODM)
    assert subjects == {each.get("SubjectKey") for each in last}
    assert given(Subject.objects.count)() > len(subjects), "somebody has written meanwhile"


@pytest.mark.requirement("EX7")
def test_the_json_of_a_dataset_explains_itself(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse)
    answer = manager.get("datasets/vs/", format="json")
    told = json.loads(b"".join(answer.streaming_content))
    lines = b"".join(manager.get("datasets/vs/", format="ndjson").streaming_content)
    assert told["rows"] == [json.loads(line) for line in lines.splitlines()]
    assert len(told["rows"]) == 1
    columns = {each["name"]: each for each in told["columns"]}
    assert set(told["rows"][0]) == set(columns)
    assert columns["SITEID"]["labels"] == {"en": "Site", "zh": "研究中心"}
    assert {each["code"] for each in told["missing_codes"]}
    empty = b"".join(manager.get("datasets/ae/", format="json").streaming_content)
    assert json.loads(empty)["rows"] == []
