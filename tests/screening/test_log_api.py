"""The screening log, the funnel and enrolment through the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from screening.services.log import void_entry
from tests.api.conftest import ApiClient
from tests.factories import as_person, given, make_entry, make_protocol, make_user
from tests.screening.conftest import entry_of, make_screened
from trialsite.access.capabilities import Role

LOG = "screenings/"
LOGGED = {"site": "001", "first_contact_on": "2026-03-01", "source": "ward"}


@pytest.fixture(autouse=True)
def protocol(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def nurse(cast) -> ApiClient:
    return ApiClient(cast.nurse)


def test_an_entry_lives_through_the_api(nurse):
    made = nurse.post(LOG, LOGGED)
    assert (made.status_code, made.json()["place"]) == (201, "undecided")
    path = f"{LOG}{made.json()['id']}/"
    end = {"on": "2026-03-02", "criteria": ["EX04", "IN01"]}
    failed = nurse.post(f"{path}screen-fail/", end, version=0)
    assert (failed.json()["place"], failed.json()["criteria"]) == ("not_eligible", ["EX04", "IN01"])
    assert failed.headers["ETag"] == '"1"'
    again = nurse.post(LOG, LOGGED | {"earlier": made.json()["id"]})
    assert again.json()["earlier"] == made.json()["id"]
    voided = nurse.post(f"{LOG}{again.json()['id']}/void/", {"reason": "twice"}, version=0)
    assert voided.json()["place"] == "voided"
    reopened = nurse.post(f"{path}reopen/", {"reason": "typing error"}, version=1)
    assert reopened.json()["outcome"] == "open"
    assert nurse.get(path).json() == reopened.json()


def test_who_read_an_older_version_is_told(cast, nurse):
    path = f"{LOG}{make_entry(cast.site, cast.nurse).pk}/close/"
    end = {"outcome": "declined", "on": "2027-01-01"}
    assert nurse.post(path, end).status_code == 428
    assert nurse.post(path, end, version=3).status_code == 412
    refused = nurse.post(path, end, version=0)
    assert refused.json()["errors"] == {"on": ["This day has not come yet."]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"site": "999"}, "site"),
        ({"source": "street"}, "source"),
        ({"first_contact_on": "2999-01-01"}, "first_contact_on"),
        ({"earlier": str(uuid.uuid4())}, "earlier"),
        ({"name": "Li"}, "name"),
    ],
)
def test_what_cannot_be_logged_is_refused_by_field(nurse, change, field):
    answer = nurse.post(LOG, LOGGED | change)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_enrolling_and_taking_it_back(cast, nurse, said):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    path = f"{LOG}{entry.pk}/"
    said.holds = ("Enrolment is held.",)
    refused = nurse.post(f"{path}enrol/", {}, version=1)
    assert (refused.status_code, refused.json()["detail"]) == (409, "Enrolment is held.")
    said.holds = ()
    enrolled = nurse.post(f"{path}enrol/", {}, version=1).json()
    assert (enrolled["SUBJID"], enrolled["place"]) == ("001-001", "on_study")
    body = {"reason": "wrong person"}
    assert nurse.post(f"{path}void-enrolment/", body, version=2).status_code == 403
    sub: Any = ApiClient(cast.sub_investigator)
    assert sub.post(f"{path}void-enrolment/", body, version=2).json()["SUBJID"] is None


def test_nobody_is_enrolled_before_consent(cast, nurse):
    entry = make_entry(cast.site, cast.nurse)
    assert nurse.post(f"{LOG}{entry.pk}/enrol/", {}, version=0).status_code == 409


def test_the_funnel_and_the_state_of_enrolment(cast, nurse, said):
    make_entry(cast.site, cast.nurse)
    make_entry(cast.other_site, cast.stranger)
    found = nurse.get("funnel/").json()
    assert [each["SITEID"] for each in found["sites"]] == ["001"]
    counts = {each["part"]: each["persons"] for each in found["total"]}
    assert (counts["considered"], counts["undecided"], counts["enrolled"]) == (1, 1, 0)
    (state,) = nurse.get("enrolment/").json()["results"]
    assert state == {"SITEID": "001", "enrolled": 0, "target": 10, "open": True, "refusals": []}


def test_thirty_entries_cost_no_more_queries_than_three(cast, nurse):
    def grow(count: int) -> None:
        for _ in range(count):
            given(make_screened)(cast.site, cast.nurse)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse.get(LOG, page_size=1000).status_code == 200
        return len(captured)

    grow(3)
    cost()
    few = cost()
    grow(27)
    assert cost() == few


def test_the_recruiter_reads_the_log_and_enrols_nobody(cast):
    entry = entry_of(make_screened(cast.site, cast.nurse))
    recruiter = ApiClient(make_user(Role.SITE_RECRUITER, cast.site))
    assert recruiter.get(f"{LOG}{entry.pk}/").status_code == 200
    assert recruiter.post(f"{LOG}{entry.pk}/enrol/", {}, version=1).status_code == 403


def test_the_datasets_hold_every_number_that_was_given(cast):
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        void_entry(entry=entry, reason="twice", by=cast.nurse)
    manager: Any = ApiClient(cast.data_manager)
    log = manager.get("datasets/screenlog/", format="csv")
    assert entry.number.encode() in b"".join(log.streaming_content)
    enrolled = manager.get("datasets/enrolment/", format="csv")
    assert enrolled.headers["X-Row-Count"] == "0"
    assert b"".join(enrolled.streaming_content).startswith(b"SITEID,SUBJID")
