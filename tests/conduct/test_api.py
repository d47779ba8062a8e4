"""Holds, rules and reviews by the API: the same doors, the same signatures."""

from __future__ import annotations

import pytest

from tests.conduct.test_holds import enrolled, refusals
from tests.factories import make_protocol
from tests.signing import factors_of
from trialsite.casebook.models import ProtocolVersion


@pytest.fixture
def version(cast) -> ProtocolVersion:
    found: ProtocolVersion = make_protocol(cast.site, cast.other_site)
    return found


def test_a_hold_is_placed_read_and_lifted(cast, version, api):
    client = api("investigator")
    made = client.post("holds/", {"site": "001", "scope": "enrolment", "reason": "alarm"})
    assert made.status_code == 201
    hold = made.json()["id"]
    assert refusals(cast, version)
    assert [each["id"] for each in api("nurse").get("holds/").json()["results"]] == [hold]
    assert api("stranger").get(f"holds/{hold}/").status_code == 404
    assert api("nurse").post(f"holds/{hold}/lift/", {}).status_code == 403
    bare = client.post(f"holds/{hold}/lift/", {"reason": "replaced"})
    assert sorted(bare.json()["errors"]) == ["code", "password"]
    lifted = client.post(
        f"holds/{hold}/lift/", {"reason": "replaced", **factors_of(cast.investigator)}
    )
    assert lifted.status_code == 200
    assert lifted.json()["lift_signature"]["printed_name"] == "Petra Principal"
    assert refusals(cast, version) == []


def test_a_site_that_is_not_ones_own_is_no_site(cast, version, api):
    answer = api("investigator").post("holds/", {"site": "999", "scope": "both", "reason": "x"})
    assert list(answer.json()["errors"]) == ["site"]
    assert api("nurse").post("holds/", {"site": "001"}).status_code == 403


def test_a_rule_is_switched_on_and_a_review_recorded(cast, version, api):
    client = api("investigator")
    rules = {each["key"]: each for each in client.get("rules/").json()["rules"]}
    assert {each["standing"] for each in rules.values()} == {"off"}
    body = {"kind": "gate", "key": "sentinel", "active": True, "reason": "board"}
    switched = client.post("rules/", {**body, **factors_of(cast.investigator)})
    assert switched.status_code == 201
    enrolled(cast, number="001-001")
    (said,) = [each for each in api("nurse").get("rules/").json()["rules"]
               if each["key"] == "sentinel"]  # fmt: skip
    assert said["standing"] == "active"
    assert "1 subject has no data of day 7 yet" in said["says"]
    review = {
        "gate": "cohort_review",
        "decision": "stop",
        "meeting_on": "2026-03-01",
        "document": "minutes 3",
        **factors_of(cast.investigator, later=1),
    }
    assert client.post("gate-reviews/", review).status_code == 201
    (listed,) = api("nurse").get("gate-reviews/", gate="cohort_review").json()["results"]
    assert (listed["decision"], listed["enrolled"]) == ("stop", 1)
    for path in ("rules/", "gate-reviews/"):
        assert api("nurse").post(path, {}).status_code == 403
