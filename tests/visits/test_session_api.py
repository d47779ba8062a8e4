"""Treatment sessions over the API: the acts, their versions, and their dataset."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.factories import given
from tests.screening.consenting import make_document, wall
from tests.visits.treating import (
    WITHOUT_CELLS,
    ended,
    fresh,
    planned,
    prepared,
    read,
    running,
    treatable,
)
from trialsite.conduct.models import Deviation
from visits.models import Interruption


@pytest.fixture
def subject(cast):
    return treatable(cast)


@pytest.fixture
def nurse(cast) -> ApiClient:
    return ApiClient(cast.nurse)


def clock(subject, hours: float) -> str:
    return wall(subject.site, hours=hours).isoformat(timespec="minutes")


def team(cast) -> dict[str, str]:
    return {
        "operator": cast.nurse.email,
        "second_checker": cast.second_nurse.email,
        "physician": cast.investigator.email,
    }


def act(client, session, name, body, version):
    path = f"treatment-sessions/{session['record']}/{name}/"
    return client.post(path, body, version=version)


def made(nurse, subject) -> Any:
    body = {"subject": str(subject.pk), "planned_minutes": 360, **WITHOUT_CELLS}
    answer = nurse.post("treatment-sessions/", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def all_yes(nurse, session) -> Any:
    keys = ["consent", "encephalopathy", "blood_pressure", "bleeding"]
    keys += ["labs", "circuit", "identity"]
    body = {"answers": [{"key": key, "answer": True} for key in keys]}
    answer = nurse.post(f"treatment-sessions/{session['record']}/checklist/", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_session_goes_through_the_api_from_plan_to_end(cast, nurse, subject):
    session = all_yes(nurse, made(nurse, subject))
    assert len(session["checklist"]) == 7
    body = {"started_at": clock(subject, -6), **team(cast)}
    answer = act(nurse, session, "start", body, session["version"])
    assert answer.status_code == 200, answer.content
    for name, hours in (("cells-on", -5), ("cells-off", -1)):
        version = answer.json()["version"]
        answer = act(nurse, session, name, {"at": clock(subject, hours)}, version)
        assert answer.status_code == 200, answer.content
    body = {"ended_at": clock(subject, 0), "stop_reason": "COMPLETED"}
    answer = act(nurse, session, "end", body, answer.json()["version"])
    said = answer.json()
    assert (said["state"], said["number"]) == ("ended", 1)
    assert (said["circuit_minutes"], said["contact_minutes"]) == ("360.0", "240.0")
    assert said["operator"] == cast.nurse.full_name
    assert answer.headers["ETag"] == f'"{said["version"]}"'


def test_a_session_is_corrected_prescribed_anew_and_completed_through_the_api(cast, nurse, subject):
    session = nurse.get(f"treatment-sessions/{ended(cast, subject).pk}/").json()
    body = {name: session[name] for name in ("started_at", "ended_at")}
    body |= {**team(cast), "stop_reason": "CLOTTING", "reason": "read from the paper"}
    refused = act(
        nurse,
        session,
        "correction",
        body | {"second_checker": body["operator"]},
        session["version"],
    )
    assert refused.status_code == 400
    answer = act(nurse, session, "correction", body, session["version"])
    assert answer.status_code == 200, answer.content
    session = answer.json()
    assert (session["stop_reason"], session["operator"]) == ("CLOTTING", cast.nurse.full_name)

    plan = {"planned_minutes": 200, **WITHOUT_CELLS}
    assert act(nurse, session, "prescription", plan, session["version"]).status_code == 400
    answer = act(nurse, session, "prescription", plan | {"reason": "shorter"}, session["version"])
    assert answer.json()["planned_minutes"] == 200

    done = act(nurse, session, "complete", {}, answer.json()["version"])
    assert done.json()["status"] == "complete"


def test_a_running_session_is_not_completed_through_the_api(cast, nurse, subject):
    session = nurse.get(f"treatment-sessions/{running(cast, subject, hours=-3).pk}/").json()
    refused = act(nurse, session, "complete", {}, session["version"])
    assert refused.status_code == 400
    assert "ended_at" in refused.content.decode()


def test_only_a_physician_lets_a_no_pass_through_the_api(cast, nurse, subject):
    session = made(nurse, subject)
    said = {"answers": [{"key": "bleeding", "answer": False, "reason": "a little"}]}
    nurse.post(f"treatment-sessions/{session['record']}/checklist/", said)
    path = f"treatment-sessions/{session['record']}/checklist/override/"
    body = {"key": "bleeding", "reason": "stopped an hour ago", "base_version": 1}
    assert nurse.post(path, body).status_code in {403, 404}
    [told] = ApiClient(cast.investigator).post(path, body).json()["checklist"]
    assert told["overridden_by"] == cast.investigator.full_name


def test_a_refused_start_says_every_reason_and_leaves_a_proposal(cast, nurse, subject):
    session = made(nurse, subject)
    make_document(cast, cast.site, version="2.0", days=-1, reconsent=True)
    body = {"started_at": clock(subject, -0.5), **team(cast)}
    answer = act(nurse, session, "start", body, session["version"])
    assert answer.status_code == 409
    detail = answer.json()["detail"]
    assert "Re-consent to version 2.0 is due" in detail
    assert "Not answered" in detail
    count = given(lambda: Deviation.objects.filter(subject=subject).count())
    assert count() == 1


def test_an_act_from_an_older_version_is_refused(cast, nurse, subject):
    session = all_yes(nurse, made(nurse, subject))
    body = {"started_at": clock(subject, -6), **team(cast)}
    act(nurse, session, "start", body, session["version"])
    answer = act(nurse, session, "void", {"reason": "x"}, session["version"])
    assert answer.status_code == 412


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"operator": "nobody@example.org"}, "operator"),
        ({"started_at": "2026-03-05"}, "started_at"),
        ({"started_at": "2026-03-05T10:00+08:00"}, "started_at"),
        ({"started_at": ""}, "started_at"),
        ({"physician": None}, "physician"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field(cast, nurse, subject, changes, field):
    session = made(nurse, subject)
    body = {"started_at": clock(subject, -6), **team(cast)} | changes
    answer = act(nurse, session, "start", body, session["version"])
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_people_of_another_site_are_nobody_here(cast, nurse, subject):
    session = made(nurse, subject)
    body = {"started_at": clock(subject, -6), **team(cast), "operator": cast.stranger.email}
    answer = act(nurse, session, "start", body, session["version"])
    assert answer.json()["errors"] == {"operator": ["This site has no such person."]}


def test_a_subject_of_another_site_is_no_subject(cast, subject):
    body = {"subject": str(subject.pk), "planned_minutes": 360, **WITHOUT_CELLS}
    answer = ApiClient(cast.stranger).post("treatment-sessions/", body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["subject"]


def test_who_may_read_only_acts_on_nothing(cast, subject):
    session = planned(cast, subject)
    monitor = ApiClient(cast.monitor)
    assert monitor.get(f"treatment-sessions/{session.pk}/").status_code == 200
    body = {"at": clock(subject, -1)}
    answer = monitor.post(f"treatment-sessions/{session.pk}/cells-on/", body, version=1)
    assert answer.status_code == 403


def test_a_list_costs_no_more_queries_for_more_sessions(cast, nurse, subject):
    costs = []
    for hours in (-200, -150, -100, -50):
        ended(cast, fresh(subject), hours=hours)
        with CaptureQueriesContext(connection) as queries:
            answer = nurse.get("treatment-sessions/")
        costs.append(len(queries))
    assert [each["number"] for each in answer.json()["results"]] == [1, 2, 3, 4]
    assert costs[-1] == costs[1]


def rows_of(cast, name: str) -> list[dict[str, str]]:
    answer = ApiClient(cast.data_manager).get(f"datasets/{name}/", format="csv")
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_dataset_has_the_effective_minutes_that_the_page_shows(cast, nurse, subject):
    session = ended(cast, subject, hours=-7)
    spans = ((-8, -6.8), (-6, -5.75), (-5.8, -5.5), (-2, None))
    for off, on in spans:
        said = {"off_at": clock(subject, off), "reason": "ALARM"}
        if on is not None:
            said["on_at"] = clock(subject, on)
        read(session, cast.nurse, said, group=Interruption)
    prepared(cast, fresh(subject))
    told = nurse.get(f"treatment-sessions/{session.pk}/").json()
    first, second = rows_of(cast, "treatment_sessions")
    assert float(first["EFFMIN"]) == float(told["effective_minutes"]) == 360 - 12 - 30 - 60
    assert float(first["CIRCMIN"]) == float(told["circuit_minutes"]) == 360
    assert (first["SESMOD"], first["MODPE"], first["STATE"]) == ("PE", "true", "ended")
    assert (second["EFFMIN"], second["STATE"], second["SESSNO"]) == ("", "prepared", "2")
    answers = rows_of(cast, "session_checklists")
    assert len(answers) == 14
    assert {row["ANSWER"] for row in answers} == {"true"}
