"""Laboratory data through the API: the page's own rules, versions, rights and rectangles."""

from __future__ import annotations

import csv
import io
import itertools
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.factories import as_person, make_record, make_subject
from tests.labs.conftest import make_laboratory, make_range
from tests.labs.test_purification import purify
from trialsite.core.spreadsheets import restore

DRAW = {
    "laboratory": "CENTRAL",
    "collected_at": "2026-03-05T07:30",
    "specimen": "SERUM",
}
BILI = {"analyte": "BILI", "text": "12.5", "unit": "mg/dL", "significance": "NCS_DISEASE"}


@pytest.fixture
def nurse(cast, laboratory) -> Any:
    return ApiClient(cast.nurse)


def put(client: Any, record: Any, *results: Any, version: int = 0, **fields: Any) -> Any:
    body = {**DRAW, "results": list(results), **fields}
    return client.put(f"lab-panels/{record.pk}/", body, version=version)


def test_a_draw_is_opened_saved_and_read_back_as_it_was_sent(nurse, subject):
    opened = nurse.post("lab-panels/", {"subject": str(subject.pk)})
    assert opened.status_code == 201
    address = f"lab-panels/{opened.json()['record']}/"
    saved = nurse.put(address, {**DRAW, "panels": ["il6"], "results": [BILI]}, version=0)
    assert saved.status_code == 200
    assert saved.headers["ETag"] == '"1"'
    body = nurse.get(address).json()
    assert (body["laboratory"], body["collected_at"], body["panels"]) == (
        "CENTRAL",
        "2026-03-05T07:30",
        ["il6"],
    )
    (row,) = body["results"]
    assert (row["text"], row["unit"], row["canonical"], row["canonical_unit"], row["flag"]) == (
        "12.5",
        "mg/dL",
        "213.8",
        "umol/L",
        "high",
    )
    assert (row["range_low"], row["range_high"], row["range_unit"]) == ("3", "23", "umol/L")


def test_who_saves_from_an_older_version_is_told_what_stands(nurse, draw):
    put(nurse, draw, BILI)
    refused = put(nurse, draw, BILI | {"text": "9"})
    assert refused.status_code == 412
    assert refused.json()["current"]["BILI"] == "12.5"
    assert nurse.put(f"lab-panels/{draw.pk}/", {**DRAW, "results": []}).status_code == 428


def test_what_cannot_be_read_or_completed_is_answered_by_analyte(nurse, draw):
    wrong = put(nurse, draw, BILI | {"unit": "furlong"}, {"analyte": "NOSUCH", "text": "1"})
    assert wrong.status_code == 400
    assert set(wrong.json()["errors"]) == {"BILI", "NOSUCH"}
    missing = put(nurse, draw, BILI, panels=["il6"], complete=True)
    assert set(missing.json()["errors"]) == {"INTLK6"}
    twice = put(nurse, draw, BILI, BILI)
    assert set(twice.json()["errors"]) == {"results"}
    small = put(nurse, draw, {"analyte": "bili", "text": "1", "unit": "mg/dL"})
    assert set(small.json()["errors"]) == {"results"}
    assert set(put(nurse, draw, BILI, panels=["none"]).json()["errors"]) == {"panels"}


def test_a_change_of_completed_results_needs_its_reason(nurse, draw):
    assert put(nurse, draw, BILI, complete=True).status_code == 200
    changed = BILI | {"text": "12.6"}
    assert set(put(nurse, draw, changed, version=1).json()["errors"]) == {"reason"}
    saved = put(nurse, draw, changed, version=1, reason="Transcription error")
    assert saved.json()["results"][0]["text"] == "12.6"


def test_a_broken_check_is_told_with_the_save(nurse, draw):
    ast = {"analyte": "AST", "text": "80", "unit": "U/L"}
    assert set(put(nurse, draw, ast, complete=True).json()["asked"]) == {"ALT"}


def test_the_monitor_reads_and_writes_nothing(cast, nurse, draw):
    put(nurse, draw, BILI)
    monitor: Any = ApiClient(cast.monitor)
    assert monitor.get(f"lab-panels/{draw.pk}/").json()["results"][0]["text"] == "12.5"
    assert put(monitor, draw, BILI, version=1).status_code == 403
    for path in ("laboratories/", "reference-ranges/", "purifications/", "lab-panels/"):
        assert monitor.get(path).status_code == 200
        assert monitor.post(path, {}).status_code == 403


def test_another_sites_rows_are_in_no_list(cast, nurse, draw):
    put(nurse, draw, BILI)
    stranger: Any = ApiClient(cast.stranger)
    for path in ("laboratories/", "reference-ranges/", "purifications/", "lab-panels/"):
        assert stranger.get(path).json()["count"] == 0
    assert put(stranger, draw, BILI, version=1).status_code == 404


def test_the_register_is_kept_by_the_data_manager(cast, laboratory):
    manager: Any = ApiClient(cast.data_manager)
    made = manager.post("laboratories/", {"site": "001", "code": "ICU", "name": "Ward"})
    assert made.status_code == 201
    again = manager.post("laboratories/", {"site": "001", "code": "ICU", "name": "Ward"})
    assert set(again.json()["errors"]) == {"code"}
    body = {
        "laboratory": made.json()["id"],
        "analyte": "K",
        "unit": "mmol/L",
        "low": "3.5",
        "high": "5.3",
        "valid_from": "2026-01-01",
    }
    first = manager.post("reference-ranges/", body)
    assert (first.json()["low"], first.json()["valid_before"]) == ("3.5", None)
    manager.post("reference-ranges/", body | {"valid_from": "2026-03-01", "high": "5.5"})
    address = f"reference-ranges/{first.json()['id']}/"
    assert manager.get(address).json()["valid_before"] == "2026-03-01"
    assert manager.post(f"{address}end/", {"valid_before": "2026-02-01"}).status_code == 200
    voided = manager.post(f"{address}void/", {"reason": "typed wrongly"})
    assert voided.json()["void_reason"] == "typed wrongly"
    assert manager.post(f"{address}void/", {"reason": "again"}).status_code == 409


def test_an_earlier_treatment_is_entered_and_taken_back(nurse, subject):
    body = {"subject": str(subject.pk), "kind": "PE", "started_at": "2026-03-05T05:00"}
    wrong = nurse.post("purifications/", body | {"ended_at": "2026-03-05T04:00"})
    assert set(wrong.json()["errors"]) == {"ended_at"}
    offset = nurse.post("purifications/", body | {"started_at": "2026-03-05T05:00+08:00"})
    assert set(offset.json()["errors"]) == {"started_at"}
    made = nurse.post("purifications/", body | {"ended_at": "2026-03-05T06:00"}).json()
    assert made["source"] == "earlier"
    voided = nurse.post(f"purifications/{made['id']}/void/", {"reason": "another subject's"})
    assert voided.json()["voided_at"]


def test_a_sessions_interval_is_corrected_at_the_session_only(cast, nurse, subject, draw):
    interval = purify(cast, subject, "2026-03-05T01:00", "2026-03-05T05:30", origin=draw.pk)
    assert nurse.post(f"purifications/{interval.pk}/void/", {"reason": "x"}).status_code == 409


@pytest.mark.parametrize(
    "path", ["lab-panels/", "laboratories/", "reference-ranges/", "purifications/"]
)
def test_thirty_rows_cost_no_more_queries_than_three(cast, nurse, subject, path):
    numbers = itertools.count()

    def add(rows: int) -> None:
        for number in itertools.islice(numbers, rows):
            laboratory = make_laboratory(cast.site, f"L{number}")
            make_range(laboratory, "K", "3", "5", "mmol/L")
            record = make_record(subject, form_oid="F.LB", repeat_key=100 + number)
            put(nurse, record, BILI)
            purify(cast, subject, f"2026-01-{number % 28 + 1:02d}T0{number % 9}:00", None)

    def read():
        with CaptureQueriesContext(connection) as captured:
            answer = nurse.get(path, page_size=1000)
        return len(captured), len(answer.json()["results"])

    read()
    add(3)
    few, three = read()
    add(27)
    assert read() == (few, three + 27)


def rows_of(client, name):
    answer = client.get(f"datasets/{name}/", format="csv")
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_dataset_has_one_row_a_standing_result_as_sdtm_names_it(cast, nurse, subject, draw):
    put(
        nurse,
        draw,
        BILI,
        {"analyte": "INTLK6", "text": "<1.5", "unit": "pg/mL"},
        {"analyte": "PTA", "missing": "NAV"},
        {"analyte": "K", "text": "4", "unit": "mmol/L"},
    )
    put(nurse, draw, BILI, {"analyte": "INTLK6", "text": "<1.5", "unit": "pg/mL"},
        {"analyte": "PTA", "missing": "NAV"}, version=1)  # fmt: skip
    purify(cast, subject, "2026-03-04T14:00", "2026-03-04T19:31")
    rows = {row["LBTESTCD"]: row for row in rows_of(ApiClient(cast.data_manager), "lb")}
    assert set(rows) == {"BILI", "INTLK6", "PTA"}
    bili = {name: restore(text) for name, text in rows["BILI"].items()}
    expected = {
        "LBORRES": "12.5",
        "LBORRESU": "mg/dL",
        "LBSTRESN": "213.8",
        "LBSTRESU": "umol/L",
        "LBORNRLO": "3",
        "LBORNRHI": "23",
        "LBORNRU": "umol/L",
        "LBSTNRHI": "23",
        "LBNRIND": "high",
        "LBCLSIG": "NCS_DISEASE",
        "LBNAM": "CENTRAL",
        "LBSPEC": "SERUM",
        "LBDTC": "2026-03-05T07:30:00",
        "HOURSPURIF": "11.9",
        "SCRNID": subject.screening_number,
    }
    assert {name: bili[name] for name in expected} == expected
    assert (rows["INTLK6"]["COMPARATOR"], rows["INTLK6"]["VALUE"]) == ("<", "1.5")
    assert (rows["PTA"]["LBREASND"], rows["PTA"]["LBORRES"]) == ("NAV", "")


def test_the_ranges_and_purifications_are_datasets(cast, laboratory, subject):
    purify(cast, subject, "2026-03-04T14:00", None)
    manager = ApiClient(cast.data_manager)
    ranges = rows_of(manager, "labranges")
    assert {(row["LBNAM"], row["LBTESTCD"]) for row in ranges} >= {("CENTRAL", "BILI")}
    (row,) = rows_of(manager, "purifications")
    assert (row["KIND"], row["STARTED"], row["ENDED"]) == ("PE", "2026-03-04T14:00:00", "")


def test_a_voided_record_is_in_no_dataset(cast, nurse, draw):
    put(nurse, draw, BILI)
    nurse.post(f"records/{draw.pk}/void/", {"reason": "wrong subject"}, version=1)
    assert rows_of(ApiClient(cast.data_manager), "lb") == []
    assert nurse.get("lab-panels/").json()["count"] == 0
    with as_person(cast.nurse):
        assert make_subject(cast.site).pk


def test_a_client_states_a_judgement_anew_for_a_corrected_value(nurse, draw):
    high = {"analyte": "PLAT", "text": "400", "unit": "10*9/L", "significance": "CS"}
    assert put(nurse, draw, high, complete=True).status_code == 200
    low = high | {"text": "100"}
    assert set(put(nurse, draw, low, version=1, reason="typo").json()["errors"]) == {"PLAT"}
    saved = put(nurse, draw, low | {"stated_anew": True}, version=1, reason="typo")
    assert saved.status_code == 200
    (row,) = saved.json()["results"]
    assert (row["flag"], row["significance"]) == ("low", "CS")
