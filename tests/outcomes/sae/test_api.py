"""Safety reporting in the API: the same case as on the page."""

from __future__ import annotations

import base64
import datetime as dt

from outcomes.models import SaeReceipt
from tests.api.conftest import ApiClient
from tests.casebook.documents import PDF
from tests.factories import given
from tests.outcomes.conftest import save_death, save_event
from tests.outcomes.sae.conftest import FRIDAY, event_of, signed
from tests.signing import factors_of

HOUR = dt.timedelta(hours=1)


def test_the_first_word_the_sending_and_the_receipt_run_the_clocks(cast, subject, officer, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    nurse = ApiClient(cast.nurse)
    body = {
        "subject": str(subject.pk), "term": "Septic shock", "reporter": "Dr Wei",
        "suspected": "circuit", "criterion": "life_threatening", "aware_at": "2026-03-06T23:50",
        "started_on": "2026-03-06",
    }  # fmt: skip
    made = nurse.send("POST", "sae-cases/", body)
    assert made.status_code == 201, made.content
    again = nurse.send("POST", "sae-cases/", body)
    assert again.status_code == 400
    assert "another" in again.json()["errors"]
    case = made.json()
    assert {clock["due_at"] for clock in case["clocks"]} == {"2026-03-07T15:50:00Z"}
    clock(FRIDAY + HOUR)
    report = signed(given(lambda: subject.sae_cases.get())(), cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    sending = {"recipient": "sponsor", "submitted_at": "2026-03-06T17:20:00Z", "way": "portal"}
    answer = nurse.send("POST", f"sae-reports/{report.pk}/submissions/", sending)
    assert answer.status_code == 201, answer.content
    receipt = given(SaeReceipt.objects.get)()
    answer = ApiClient(officer).send(
        "POST", f"sae-receipts/{receipt.pk}/received/",
        {"received_at": "2026-03-06T17:25:00Z", "receipt_number": "S-77"},
    )  # fmt: skip
    clocks = {each["rule"]: each for each in answer.json()["clocks"]}
    assert clocks["sponsor"]["state"] == "in_time"
    assert clocks["authority_grave"]["due_at"] == "2026-03-14T15:59:59Z"


def test_the_monitor_reads_and_reports_nothing(cast, case):
    monitor = ApiClient(cast.monitor)
    assert len(monitor.get("sae-cases/").json()["results"]) == 1
    assert monitor.send("POST", "sae-cases/", {}).status_code == 403


def api_case(who, case):
    return ApiClient(who).get(f"sae-cases/{case.pk}/").json()


def test_a_report_is_read_signed_and_sent_by_machine(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    doctor = ApiClient(cast.sub_investigator)
    draft = doctor.get(f"sae-cases/{case.pk}/draft/", kind="initial").json()
    assert draft["content"]["facts"]["term"] == "Septic shock"
    assert draft["content"]["zh-hans"]["sections"]
    body = {"kind": "initial", "seen": draft["content_hash"], **factors_of(cast.sub_investigator)}
    stale = doctor.post(f"sae-cases/{case.pk}/reports/", body | {"seen": "0" * 64})
    assert stale.status_code == 409
    body |= factors_of(cast.sub_investigator, later=1)
    made = doctor.post(f"sae-cases/{case.pk}/reports/", body, key="once")
    assert made.status_code == 201, made.content
    again = doctor.post(f"sae-cases/{case.pk}/reports/", body, key="once")
    assert again.status_code == 201
    [report] = api_case(officer, case)["reports"]
    assert (report["number"], report["kind"]) == (0, "initial")
    assert ApiClient(cast.nurse).post(f"sae-cases/{case.pk}/reports/", body).status_code == 403


def test_a_case_is_described_in_the_version_that_was_read(cast, case):
    nurse = ApiClient(cast.nurse)
    answer = nurse.get(f"sae-cases/{case.pk}/")
    version = answer.json()["version"]
    assert answer.headers["ETag"] == f'"{version}"'
    body = {"reporter": "Dr Wei", "suspected": "cells", "narrative": "Chills"}
    path = f"sae-cases/{case.pk}/description/"
    assert nurse.post(path, body).status_code == 428
    done = nurse.post(path, body, version=version)
    assert done.json()["narrative"] == "Chills"
    stale = nurse.post(path, body | {"narrative": "Other"}, version=version)
    assert stale.status_code == 412
    assert stale.json()["current"]["narrative"] == "Chills"


def test_a_fax_is_kept_by_machine_and_signed_afterwards(cast, case, clock):
    clock(FRIDAY + 3 * HOUR)
    nurse, doctor = ApiClient(cast.nurse), ApiClient(cast.sub_investigator)
    body = {
        "recipients": ["sponsor", "ethics"], "submitted_at": "2026-03-06T16:50:00Z", "way": "fax",
        "filename": "fax.pdf", "content": base64.b64encode(PDF).decode(),
    }  # fmt: skip
    path = f"sae-cases/{case.pk}/paper-reports/"
    assert list(nurse.post(path, body | {"content": "%"}).json()["errors"]) == ["content"]
    made = nurse.post(path, body)
    assert made.status_code == 201, made.content
    [report] = made.json()["reports"]
    assert report["signed_at"] is None
    signing = {"seen": report["content_hash"], **factors_of(cast.sub_investigator)}
    done = doctor.post(f"sae-reports/{report['id']}/signature/", signing)
    assert done.json()["reports"][0]["signed_at"]


def test_the_safety_officer_agrees_closes_and_reopens_by_machine(cast, case, officer, clock):
    client = ApiClient(officer)
    record = event_of(case, cast.nurse).record
    version = api_case(officer, case)["version"]
    path = f"sae-cases/{case.pk}"
    assert client.post(f"{path}/closing/", {"reason": "x"}, version=version).status_code == 409
    save_event(record, cast.nurse, record.version, serious="false", life_threatening="",
               aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
               ended_on="2026-03-06", reason="Not serious")  # fmt: skip
    now = api_case(officer, case)
    assert now["standing"] == "not_serious"
    body = {"reason": "Planned"}
    assert client.post(f"{path}/agreement/", body, version=version).status_code == 412
    nurse = ApiClient(cast.nurse)
    assert nurse.post(f"{path}/agreement/", body, version=now["version"]).status_code == 403
    done = client.post(f"{path}/agreement/", body, version=now["version"])
    assert done.json()["close_reason"] == "Planned"
    reopened = client.post(f"{path}/reopening/", body, version=done.json()["version"])
    assert reopened.status_code == 409


def test_a_death_without_its_event_is_listed_and_settled(cast, subject, officer, clock):
    clock(FRIDAY + HOUR)
    save_death(subject, cast.nurse, died_on="2026-03-06")
    client = ApiClient(officer)
    [death] = client.get("sae-deaths/").json()["results"]
    assert {each["due_at"][:16] for each in death["clocks"]} == {"2026-03-07T16:50"}
    path = f"sae-deaths/{death['id']}/settlement/"
    assert ApiClient(cast.nurse).post(path, {"reason": "x"}).status_code == 403
    assert client.post(path, {"reason": "Before consent"}).json()["settled_at"]
    assert client.get("sae-deaths/").json()["results"] == []


def test_a_deputy_is_named_and_ended_by_machine(cast, clock):
    clock(FRIDAY)
    doctor = ApiClient(cast.sub_investigator)
    body = {
        "site": cast.site.code, "person": cast.sub_investigator.email,
        "deputy": cast.nurse.email, "first_day": "2026-03-06", "last_day": "2026-03-08",
    }  # fmt: skip
    wrong = doctor.post("sae-deputies/", body | {"deputy": cast.monitor.email})
    assert list(wrong.json()["errors"]) == ["deputy"]
    assert ApiClient(cast.nurse).post("sae-deputies/", body).status_code == 403
    made = doctor.post("sae-deputies/", body)
    assert made.status_code == 201, made.content
    ended = doctor.post(f"sae-deputies/{made.json()['id']}/end/")
    assert ended.json()["ended_at"]
    assert len(doctor.get("sae-deputies/").json()["results"]) == 1


def test_a_list_is_compared_and_decided_by_machine(cast, case, officer):
    client = ApiClient(officer)
    text = (
        "case number,subject,term,onset,seriousness,outcome\nX-1,001-001,Stroke,2026-03-01,yes,\n"
    )
    made = client.post("sae-reconciliations/", {"source": "SafetyDB 2026-03-07", "text": text})
    assert made.status_code == 201, made.content
    lines = client.get(f"sae-reconciliations/{made.json()['id']}/lines/").json()["results"]
    assert {line["found"] for line in lines} == {"only_here", "only_there"}
    path = f"sae-reconciliation-lines/{lines[0]['id']}/decision/"
    assert client.post(path, {"decision": "Ask the site"}).json()["decision"] == "Ask the site"
    doctor = ApiClient(cast.investigator)
    assert doctor.get("sae-reconciliations/").status_code == 403
    assert doctor.post(path, {"decision": "x"}).status_code == 404
