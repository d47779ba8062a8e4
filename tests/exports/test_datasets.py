"""Datasets as files: what they hold, for whom, and what they never hold."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest
from django.db import connection

from tests.api.conftest import ApiClient, fill
from tests.api.filling import texts_for
from tests.factories import as_person, make_record, make_subject, make_user
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.casebook.services import void_record
from trialsite.core.spreadsheets import TRIGGERS, neutralise, restore
from trialsite.crf.codebook import dataset_name
from trialsite.crf.items import items_of
from trialsite.crf.registry import form, forms
from trialsite.crf.services import save_draft
from trialsite.exports.registry import Column, Kind, datasets
from trialsite.exports.writing import Format, query

FORMS = [pytest.param(each, id=each.oid) for each in forms().values() if each.data is not None]
NAMES = list(datasets())


def content(answer) -> bytes:
    return b"".join(answer.streaming_content)


def read(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(answer).decode(), newline="")))


@pytest.fixture
def manager(api) -> ApiClient:
    client: ApiClient = api("data_manager")
    return client


@pytest.mark.requirement("EX1", "EX3")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_exported_as_it_was_typed(cast, manager, form):
    fill(form, cast.site, cast.nurse)
    answer = manager.get(f"datasets/{dataset_name(form.data)}/", format="csv")
    assert answer.status_code == 200
    body = content(answer)
    assert answer.headers["X-Content-SHA256"] == hashlib.sha256(body).hexdigest()
    assert answer.headers["X-Row-Count"] == "1"
    assert int(answer.headers["Content-Length"]) == len(body)
    (row,) = csv.DictReader(io.StringIO(body.decode(), newline=""))
    typed = texts_for(form.data)
    for name, item in items_of(form.data).items():
        if item.units:
            assert restore(row[item.reported]) == typed[name]
        elif item.data_type == "float":
            assert float(row[name]) == float(typed[name])
        elif item.data_type == "datetime":
            assert row[name] == f"{typed[name]}:00"
        elif item.data_type != "time":
            assert restore(row[name]) == typed[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_comes_as_csv_and_as_lines_of_json(cast, manager, name):
    fill(form("F.VS"), cast.site, cast.nurse)
    columns = [column.name for column in datasets()[name].columns]
    rows = read(manager.get(f"datasets/{name}/", format="csv"))
    lines = content(manager.get(f"datasets/{name}/", format="ndjson")).decode().splitlines()
    said = [json.loads(line, parse_float=lambda number: pytest.fail(number)) for line in lines]
    assert len(rows) == len(said)
    for row, line in zip(rows, said, strict=True):
        assert list(row) == list(line) == columns


@pytest.mark.requirement("EX5", "IA2")
@pytest.mark.parametrize("name", NAMES)
def test_a_data_manager_of_one_site_exports_that_site_only(cast, name):
    ours = fill(form("F.VS"), cast.site, cast.nurse)
    theirs = fill(form("F.VS"), cast.other_site, cast.stranger)
    client = ApiClient(make_user(Role.DATA_MANAGER, cast.site))
    body = content(client.get(f"datasets/{name}/", format="csv"))
    assert str(theirs.subject.screening_number).encode() not in body
    if name in {"subjects", "records", "vs", "audit_events"}:
        assert str(ours.subject.screening_number).encode() in body


@pytest.mark.requirement("EX5")
def test_seeing_a_site_is_not_exporting_it(cast):
    """A monitor of the study who manages the data of one site exports that one."""
    fill(form("F.VS"), cast.other_site, cast.stranger)
    person = make_user(Role.DATA_MANAGER, cast.site)
    with as_person(cast.administrator):
        from trialsite.access.models import Membership

        Membership.objects.create(
            user=person, site=None, role=Role.AUDITOR, valid_from="2026-01-01"
        )
    assert read(ApiClient(person).get("datasets/vs/", format="csv")) == []


@pytest.mark.parametrize("who", ["nurse", "monitor", "auditor", "administrator", "investigator"])
def test_who_may_not_export_does_not(api, who):
    assert api(who).get("datasets/vs/", format="csv").status_code == 403
    assert api(who).get("datasets/").status_code == 403


@pytest.mark.requirement("AT6")
def test_an_export_is_an_act_in_the_trail(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse)
    answer = manager.get("datasets/vs/", format="csv")
    sha256 = hashlib.sha256(content(answer)).hexdigest()
    with as_person(cast.data_manager):
        event = Event.objects.get(act="exported")
    assert event.actor_id == cast.data_manager.pk
    assert event.new is not None
    assert event.new["sha256"] == sha256
    assert (event.new["rows"], event.new["dataset"]) == (1, "vs")


def test_drafts_and_voided_records_are_not_data(cast, manager):
    record = fill(form("F.VS"), cast.site, cast.nurse)
    untouched = make_record(make_subject(cast.site))
    with as_person(cast.nurse):
        save_draft(record=untouched, texts={"comment": "CANARY"}, by=cast.nurse, base_version=0)
        void_record(record=record, reason="wrong subject", by=cast.nurse)
    for name in NAMES:
        assert b"CANARY" not in content(manager.get(f"datasets/{name}/", format="csv"))
    assert read(manager.get("datasets/vs/", format="csv")) == []


@pytest.mark.requirement("EX4")
@pytest.mark.parametrize("trigger", [*TRIGGERS, "'", "''", "a=", ""])
def test_the_database_makes_formulas_harmless_as_our_code_does(db, cast, trigger):
    typed = f"{trigger}1+1"
    column = Column(name="x", sql="%s", label="x")
    from trialsite.exports.writing import _csv_cell

    with connection.cursor() as cursor:
        cell = _csv_cell(column).as_string(cursor.cursor)
        cursor.execute(f"SELECT {cell}", [typed] * cell.count("%s"))
        (written,) = cursor.fetchone()
    assert written == neutralise(typed)
    assert restore(written) == typed


@pytest.mark.requirement("EX4")
def test_a_formula_in_a_comment_is_text_and_a_negative_number_stays_a_number(cast, manager):
    fill(form("F.VS"), cast.site, cast.nurse, comment="=cmd|'/c calc'!A1")
    (row,) = read(manager.get("datasets/vs/", format="csv"))
    assert row["comment"] == "'=cmd|'/c calc'!A1"
    assert row["temperature"] == "36.50"
    (line,) = content(manager.get("datasets/vs/", format="ndjson")).decode().splitlines()
    assert json.loads(line)["comment"] == "=cmd|'/c calc'!A1"


def test_text_of_several_lines_and_odd_characters_survives(cast, manager):
    comment = 'a "b", c\nd\\e\u2028\U0001f642 不安'
    fill(form("F.VS"), cast.site, cast.nurse, comment=comment)
    (row,) = read(manager.get("datasets/vs/", format="csv"))
    (line,) = (
        content(manager.get("datasets/vs/", format="ndjson")).decode().rstrip("\n").split("\n")
    )
    assert row["comment"] == json.loads(line)["comment"] == comment


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("*/*", "text/csv; charset=utf-8"),
    ],
)
def test_the_format_follows_the_accept_header(manager, accept, expected):
    answer = manager.get("datasets/vs/", headers={"Accept": accept})
    content(answer)
    assert answer.headers["Content-Type"] == expected


def test_a_format_we_do_not_write_is_refused(manager):
    assert manager.get("datasets/vs/", headers={"Accept": "image/png"}).status_code == 406
    assert manager.get("datasets/vs/", format="xlsx").status_code == 400
    assert manager.get("datasets/nowhere/").status_code == 404


def test_a_spreadsheet_program_can_have_its_byte_order_mark(manager):
    assert content(manager.get("datasets/vs/", bom="1")).startswith(b"\xef\xbb\xbfSITEID")


@pytest.mark.requirement("IH1")
@pytest.mark.parametrize("payload", ["1; DROP TABLE x", "vs'--", "vs) TO PROGRAM 'id", "%s"])
def test_no_request_text_reaches_the_sql(manager, payload):
    assert manager.get("datasets/vs/", order=payload).status_code == 400
    assert manager.get("datasets/vs/", format=payload).status_code == 400


def test_the_sites_are_literals_and_numbers_only(db):
    with connection.cursor() as cursor:
        text = query(datasets()["subjects"], [3, 1], Format.CSV).as_string(cursor.cursor)
    assert "s.site_id = ANY ('{1,3}'::int2[]::int[])" in text


def test_every_column_kind_is_known_and_every_name_is_used_once():
    for dataset in datasets().values():
        names = [column.name for column in dataset.columns]
        assert len(names) == len(set(names)), dataset.name
        assert all(isinstance(column.kind, Kind) for column in dataset.columns)
