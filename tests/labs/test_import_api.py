"""Imports through the API, and one verdict for a value whichever way it comes."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.api.conftest import ApiClient
from tests.factories import as_person, make_record, make_subject, sign_in
from tests.labs.conftest import DRAW
from tests.labs.importing import AT, HEAD, LONG, rows
from tests.labs.test_panel_page import Tab
from tests.labs.test_pasting_page import paste
from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting
from trialsite.labs.importing.models import LabImport
from trialsite.labs.models import LabResult
from trialsite.labs.services.imports import (
    choose,
    prepare_import,
)
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.taking import accept_import


@pytest.fixture(autouse=True)
def _looking(cast):
    """What the test itself reads, it reads as the system."""
    with acting(system_context("tests", Channel.COMMAND)):
        yield


@pytest.fixture
def mapped(cast, laboratory):
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
    return laboratory


def body(laboratory, text: str, name: str = "a.csv") -> dict[str, str]:
    content = base64.b64encode((HEAD + text).encode()).decode()
    return {"laboratory": str(laboratory.pk), "filename": name, "content": content}


@pytest.mark.requirement("IM1")
@pytest.mark.requirement("DI7")
def test_a_file_is_prepared_looked_at_chosen_and_taken_and_each_only_once(cast, mapped, subject):
    manager, nurse = ApiClient(cast.data_manager), ApiClient(cast.nurse)
    text = rows(subject, "K,4.1,mmol/L", "CREAT,1.1,umol/L") + f"nobody,{AT},K,4,mmol/L\n"
    key = str(uuid.uuid4())
    made = manager.post("lab-imports/", body(mapped, text), key=key)
    assert made.status_code == 201
    again = manager.post("lab-imports/", body(mapped, text), key=key)
    assert again.json() == made.json()
    assert LabImport.objects.count() == 1
    known = manager.post("lab-imports/", body(mapped, text))
    assert known.status_code == 409
    assert "already waits" in known.json()["detail"]

    found = made.json()
    assert found["counts"] == {"new": 1, "slip": 1, "unknown_person": 1}
    address = f"lab-imports/{found['id']}/"
    early = nurse.post(f"{address}accept/", {"digest": found["digest"]})
    assert early.status_code == 409
    assert not LabResult.objects.exists()
    slip = next(each for each in found["items"] if each["outcome"] == "slip")
    choices = {"choices": {slip["key"]: "as:mg/dL"}, "leave_all": ["unknown_person"]}
    assert manager.post(f"{address}choices/", choices).status_code == 403
    chosen = nurse.post(f"{address}choices/", choices).json()
    assert (chosen["open"], chosen["writes"]) == (0, 2)
    stale = nurse.post(f"{address}accept/", {"digest": found["digest"]})
    assert stale.status_code == 409
    assert manager.post(f"{address}accept/", {"digest": chosen["digest"]}).status_code == 403
    key = str(uuid.uuid4())
    for _n in range(2):
        taken = nurse.post(f"{address}accept/", {"digest": chosen["digest"]}, key=key)
        assert taken.status_code == 200
        assert taken.json()["state"] == "accepted"
    assert LabResult.objects.count() == 2
    listed = nurse.get("lab-imports/", sha256=found["sha256"]).json()
    assert [each["id"] for each in listed["results"]] == [found["id"]]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content": "no base64!"}, 400),
        ({"content": ""}, 400),
        ({"content": base64.b64encode(b"PK\x03\x04zip").decode()}, 409),
        ({"laboratory": str(uuid.uuid4())}, 400),
        ({"site": "001"}, 400),
    ],
)
def test_what_cannot_be_prepared_is_answered_with_a_problem(cast, mapped, change, status):
    answer = ApiClient(cast.nurse).post("lab-imports/", body(mapped, "") | change)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_the_stranger_sees_neither_mapping_nor_import(cast, mapped, subject):
    made = ApiClient(cast.nurse).post("lab-imports/", body(mapped, rows(subject, "K,4,mmol/L")))
    stranger, key = ApiClient(cast.stranger), made.json()["id"]
    for collection in ("lab-imports/", "lab-file-mappings/"):
        assert stranger.get(collection).json()["results"] == []
    assert stranger.get(f"lab-imports/{key}/").content == (
        stranger.get(f"lab-imports/{uuid.uuid4()}/").content
    )
    for act, sent in (("accept", {"digest": "x"}), ("choices", {}), ("discard", {"reason": "x"})):
        assert stranger.post(f"lab-imports/{key}/{act}/", sent).status_code == 404
    assert stranger.post("lab-imports/", body(mapped, "")).status_code == 400


def test_the_data_manager_states_a_mapping_and_is_told_the_line_of_a_problem(cast, laboratory):
    manager = ApiClient(cast.data_manager)
    sent = {"laboratory": str(laboratory.pk), "text": LONG}
    assert manager.post("lab-file-mappings/", sent).json()["version"] == 1
    refused = manager.post("lab-file-mappings/", sent | {"text": LONG + "nonsense: 1\n"})
    assert refused.status_code == 400
    assert "10:1" in str(refused.json()["errors"]["text"])
    assert ApiClient(cast.nurse).post("lab-file-mappings/", sent).status_code == 403


def test_the_command_prepares_a_file_and_takes_nothing(cast, laboratory, subject, tmp_path):
    mapping, file = tmp_path / "m.yaml", tmp_path / "labs.csv"
    mapping.write_text(LONG, encoding="utf-8")
    file.write_text(HEAD + rows(subject, "K,4.1,mmol/L"), encoding="utf-8")
    options = {
        "site": cast.site.code,
        "laboratory": laboratory.code,
        "by": cast.data_manager.email,
        "mapping": str(mapping),
    }
    out = io.StringIO()
    call_command("import_labs", str(file), stdout=out, **options)
    assert "1 results" in out.getvalue()
    assert "new: 1" in out.getvalue()
    assert not LabResult.objects.exists()
    assert LabImport.objects.get().is_open
    for change, said in (
        ({"site": "009"}, "no such laboratory"),
        ({"by": "no@body"}, "no such person"),
        ({}, "already waits"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("import_labs", str(file), stdout=out, **options | change)
    mapping.write_text("a: 1", encoding="utf-8")
    with pytest.raises(CommandError, match="1:1"):
        call_command("import_labs", str(file), stdout=out, **options)


#: Analyte, text, unit.
VALUES = [
    ("BILI", "17.1", "umol/L"),
    ("BILI", "<0.2", "mg/dL"),
    ("BILI", "3201", "umol/L"),
    ("BILI", "1,5", "umol/L"),
    ("BILI", "-1", "umol/L"),
    ("BASEEXCS", "-3", "mmol/L"),
    ("BILI", "１７.１↑", "umol/L"),
    ("BILI", "1e3", "umol/L"),
    ("BILI", "17.1", "furlong"),
    ("BILI", "0.1234567890123", "umol/L"),
    ("BILI", "0", "umol/L"),
    ("INTLK6", "未检出", ""),
    ("INR", "1.5", "{INR}"),
    ("PTA", "115", "%"),
    ("CREAT", "4.0", "mg/dL"),
    ("AMMONIA", "120", "ug/dL{NH3}"),
]


class Roads:
    """One nurse at the pages and at the API."""

    def __init__(self, cast, laboratory):
        self.nurse, self.laboratory = cast.nurse, laboratory
        self.client, self.api = sign_in(cast.nurse), ApiClient(cast.nurse)


def stored(record: Any) -> tuple[Any, ...] | None:
    row = LabResult.objects.filter(panel_id=record, voided_at=None).first()
    if row is None:
        return None
    return row.text, row.comparator, row.value, row.unit, row.canonical, row.flag


def by_form(roads, subject, analyte, text, unit) -> Any:
    record = make_record(subject, form_oid="F.LB")
    tab = Tab(roads.client, record)
    tab.post({analyte: text, f"{analyte}.unit": unit})
    return stored(record.pk)


def by_api(roads, subject, analyte, text, unit) -> Any:
    record = make_record(subject, form_oid="F.LB")
    results = [{"analyte": analyte, "text": text, "unit": unit}]
    header = {key: DRAW[key] for key in ("laboratory", "collected_at", "specimen")}
    answer = roads.api.put(f"lab-panels/{record.pk}/", {**header, "results": results}, version=0)
    assert answer.status_code in {200, 400}
    return stored(record.pk)


def by_paste(roads, subject, analyte, text, unit) -> Any:
    record = make_record(subject, form_oid="F.LB")
    tab = Tab(roads.client, record)
    preview = paste(tab, f"项目\t结果\t单位\n{analyte}\t{text}\t{unit}\n")
    if 'name="p2.take" value="1" checked' not in preview.html:
        return None
    if preview.accept(**{"p2.slip": unit}).status != 302:
        return None
    again = tab.again()
    again.post({analyte: text, f"{analyte}.unit": unit})
    return stored(record.pk)


def by_import(roads, subject, analyte, text, unit) -> Any:
    line = f'{subject.screening_number},{AT},{analyte},"{text}",{unit}\n'
    with as_person(roads.nurse):
        found = prepare_import(
            laboratory=roads.laboratory,
            content=(HEAD + line).encode(),
            filename="x",
            by=roads.nurse,
        )
        for item in found.report["items"]:
            options = [each["value"] for each in item["options"]]
            wanted = f"as:{unit}" if f"as:{unit}" in options else "leave"
            found = choose(found=found, choices={item["key"]: wanted}, by=roads.nurse)
        accept_import(found=found, digest=found.digest, by=roads.nurse)
    row = LabResult.objects.filter(subject=subject, voided_at=None).first()
    return stored(row.panel_id) if row else None


ROADS: tuple[Callable[..., Any], ...] = (by_form, by_api, by_paste, by_import)


@pytest.mark.requirement("DI9")
@pytest.mark.requirement("DI4")
def test_a_value_has_one_verdict_by_form_api_paste_and_import(cast, mapped):
    nurse = Roads(cast, mapped)
    taken = 0
    for value in VALUES:
        verdicts = [road(nurse, make_subject(cast.site), *value) for road in ROADS]
        assert len(set(verdicts)) == 1, (value, verdicts)
        taken += verdicts[0] is not None
    assert 0 < taken < len(VALUES)
