"""Visits at the API: read with their state of the day, said from the version that was read."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from tests.api.conftest import ApiClient
from tests.factories import given
from tests.visits.scheduling import consenting, enrolled, today, visit_at, window_of
from trialsite.casebook.models import VisitStatus
from trialsite.conduct.models import Deviation

DAY = dt.timedelta(days=1)


@pytest.fixture
def nurse(cast) -> ApiClient:
    return ApiClient(cast.nurse)


@pytest.fixture
def subject(cast):
    return consenting(cast, since=7)


def rows(client, **asked):
    return client.get("visits/", **asked).json()["results"]


def test_a_visit_says_its_state_of_the_day_and_its_days(cast, nurse, subject):
    visit = visit_at(subject, "SE.D7")
    found = nurse.get(f"visits/{visit.pk}/")
    assert found.headers["ETag"] == f'"{visit.version}"'
    said = found.json()
    assert (said["status"], said["state"]) == ("planned", "due")
    first, last = window_of(visit)
    assert (said["window_first"], said["window_last"]) == (first.isoformat(), last.isoformat())
    assert said["days_outside"] is said["protocol_day"] is None


@pytest.mark.parametrize(
    ("asked", "events"),
    [
        ({"state": "due"}, {"SE.SCR", "SE.D0", "SE.D1", "SE.D3", "SE.D5", "SE.D7"}),
        ({"state": "planned"}, {"SE.D14", "SE.D28", "SE.W8", "SE.W12"}),
        ({"event": "SE.D14"}, {"SE.D14"}),
        ({"from": 0, "to": 30}, {"SE.D7", "SE.D14", "SE.D28"}),
        ({"site": "002"}, set()),
    ],
)
def test_the_list_is_narrowed(cast, nurse, subject, asked, events):
    for name in {"from", "to"} & set(asked):
        asked = asked | {name: (today(cast.site) + asked[name] * DAY).isoformat()}
    assert {row["STUDYEVENT"] for row in rows(nurse, **asked)} == events


@pytest.mark.parametrize("asked", [{"state": "late"}, {"from": "soon"}, {"colour": "red"}])
def test_what_cannot_be_asked_is_refused(nurse, subject, asked):
    assert nurse.get("visits/", **asked).status_code == 400


def test_a_visit_is_attended_and_its_days_follow(cast, nurse, subject):
    visit = visit_at(subject, "SE.D7")
    body = {"on": (today(cast.site) - 3 * DAY).isoformat(), "mode": "home"}
    answer = nurse.post(f"visits/{visit.pk}/attend/", body, version=visit.version)
    said = answer.json()
    assert (answer.status_code, said["state"], said["mode"]) == (200, "attended", "home")
    assert (said["days_outside"], said["protocol_day"], said["SVSTDY"]) == (-2, 4, 5)
    assert answer.headers["ETag"] == f'"{said["version"]}"'
    assert given(Deviation.objects.filter(subject=subject).count)() == 1


@pytest.mark.parametrize(
    ("act", "body", "state"),
    [("start", {}, "open"), ("miss", {"reason": "Snow"}, "missed")],
)
def test_the_other_acts_and_back(nurse, subject, act, body, state):
    visit = visit_at(subject, "SE.D7")
    answer = nurse.post(f"visits/{visit.pk}/{act}/", body, version=visit.version)
    assert (answer.status_code, answer.json()["state"]) == (200, state)
    version = answer.json()["version"]
    back = nurse.post(f"visits/{visit.pk}/take-back/", {"reason": "Error"}, version=version)
    assert (back.status_code, back.json()["state"]) == (200, "due")


def test_a_version_is_asked_for_and_an_older_one_refused(nurse, subject):
    visit = visit_at(subject, "SE.D7")
    path = f"visits/{visit.pk}/start/"
    assert nurse.post(path).status_code == 428
    assert nurse.post(path, version=visit.version).status_code == 200
    stale = nurse.post(f"visits/{visit.pk}/miss/", {"reason": "x"}, version=visit.version)
    assert (stale.status_code, stale.json()["current"]) == (412, {"status": "open"})


def test_the_same_request_is_done_once(cast, nurse, subject):
    body = {"subject": str(subject.pk), "role": "extra", "on": today(cast.site).isoformat()}
    body["mode"] = "ward"
    key = str(uuid.uuid4())
    first, second = (nurse.post("visits/", body, key=key) for _ in range(2))
    assert (first.status_code, first.json()) == (201, second.json())
    assert len(rows(nurse, event="SE.UNS")) == 1


def test_what_is_refused_names_its_field(cast, nurse, subject):
    visit = visit_at(subject, "SE.D7")
    body = {"on": (today(cast.site) + DAY).isoformat(), "mode": "home"}
    answer = nurse.post(f"visits/{visit.pk}/attend/", body, version=visit.version)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"on"})
    strange = nurse.post(
        "visits/", {"subject": str(uuid.uuid4()), "role": "extra", "on": "2026-01-01"}
    )
    assert set(strange.json()["errors"]) == {"subject"}
    session = {"subject": str(subject.pk), "role": "treatment", "on": "2026-01-01"}
    assert set(nurse.post("visits/", session).json()["errors"]) == {"role"}


def test_a_contact_and_a_cancelled_termination(cast, nurse, subject):
    visit, on = visit_at(subject, "SE.D7"), today(cast.site).isoformat()
    contact = nurse.post(
        "visits/",
        {
            "subject": str(subject.pk),
            "role": "survival_contact",
            "on": on,
            "mode": "telephone",
            "stands_for": str(visit.pk),
        },
    )
    assert (contact.status_code, contact.json()["stands_for"]) == (201, str(visit.pk))
    body = {"subject": str(subject.pk), "role": "early_termination", "on": on}
    ended = nurse.post("visits/", body).json()
    assert visit_at(subject, "SE.D14").status == VisitStatus.NOT_REQUIRED
    cancelled = nurse.post(
        f"visits/{ended['id']}/cancel/", {"reason": "Error"}, version=ended["version"]
    )
    assert cancelled.json()["not_required_cause"] == "error"
    assert visit_at(subject, "SE.D14").status == VisitStatus.PLANNED


def test_another_sites_visit_is_not_there_and_the_monitor_does_not_act(cast, subject):
    visit = visit_at(subject, "SE.D7")
    stranger, monitor = ApiClient(cast.stranger), ApiClient(cast.monitor)
    assert rows(stranger) == []
    assert stranger.get(f"visits/{visit.pk}/").status_code == 404
    path = f"visits/{visit.pk}/start/"
    assert stranger.post(path, version=visit.version).status_code == 404
    assert monitor.get(f"visits/{visit.pk}/").status_code == 200
    assert monitor.post(path, version=visit.version).status_code == 403
    theirs = enrolled(cast, cast.other_site)
    body = {"subject": str(theirs.pk), "role": "extra", "on": "2026-01-01", "mode": "ward"}
    assert ApiClient(cast.nurse).post("visits/", body).status_code == 400
