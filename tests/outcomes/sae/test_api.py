"""Safety reporting in the API: the same case as on the page."""

from __future__ import annotations

import datetime as dt

from outcomes.models import SaeReceipt
from tests.api.conftest import ApiClient
from tests.factories import given
from tests.outcomes.sae.conftest import FRIDAY, signed

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
