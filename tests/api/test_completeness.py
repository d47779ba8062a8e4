"""What a data manager finds in the API: each kind of thing, as a list, and one by one."""

from __future__ import annotations

import pytest
import yaml
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.api.made import result_of
from tests.factories import as_person, make_record, make_subject
from tests.outcomes.conftest import save_event
from tests.screening.deciding import confirm_all, decide, make_candidate
from trialsite.audit.models import Event

#: Address -> that of one (none: the study is one itself).
PROMISED = {
    "study/": "",
    "sites/": "sites/{code}/",
    "forms/": "forms/{slug}/",
    "subjects/": "subjects/{subject}/",
    "screenings/": "screenings/{entry}/",
    "consents/": "consents/{consent}/",
    "eligibility/": "eligibility/{subject}/",
    "visits/": "visits/{visit}/",
    "records/": "records/{record}/",
    "treatment-sessions/": "treatment-sessions/{session}/",
    "product-lots/": "product-lots/{code}/",
    "lab-results/": "lab-results/{result}/",
    "samples/": "samples/{specimen}/",
    "aliquots/": "aliquots/{aliquot}/",
    "shipments/": "shipments/{shipment}/",
    "adverse-events/": "adverse-events/{record}/",
    "deviations/": "deviations/{deviation}/",
    "reminders/": "reminders/{reminder}/",
    "audit-events/": "audit-events/{event}/",
    "datasets/": "datasets/{name}/",
}
LISTS = [name for name, one in PROMISED.items() if one]


@pytest.fixture
def paths(nurse):
    described = yaml.safe_load(nurse.get("schema/").content)["paths"]
    return {path.removeprefix("/api/v1/"): found for path, found in described.items()}


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_thing_is_read_as_a_list_and_one_by_one(paths, name):
    assert "get" in paths[name]
    if PROMISED[name]:
        assert "get" in paths[PROMISED[name]]
        told = {each["name"] for each in paths[name]["get"]["parameters"]}
        assert {"page", "page_size"} <= told


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_pages_and_refuses_what_is_not_on_its_list(api, cast, name):
    client = api("investigator")
    if name in {"audit-events/", "datasets/"}:
        client = api("data_manager")
    make_subject(cast.site)
    answer = client.get(name, page_size=1)
    assert answer.status_code == 200, answer.content
    assert set(answer.json()) == {"count", "next", "previous", "results"}
    assert client.get(name, password="x").status_code == 400
    assert client.get(name, page_size=0).status_code == 400


def test_the_study_says_what_it_is(nurse, cast):
    make_subject(cast.site)
    told = nurse.get("study/").json()
    assert told["study_id"] == nurse.get("protocol/").json()["study_id"]
    assert told["target_enrolment"] > 0
    assert told["synthetic"] is False


def test_a_result_is_read_with_its_draw(nurse, cast):
    subject = make_subject(cast.site)
    key = result_of(cast, make_record(subject))
    told = nurse.get(f"lab-results/{key}/").json()
    draw = nurse.get(f"lab-panels/{told['record']}/").json()
    (same,) = [each for each in draw["results"] if each["id"] == told["id"]]
    assert {name: told[name] for name in same} == same
    for name in ("collected_at", "laboratory", "SCRNID", "visit", "STUDYEVENT", "status"):
        assert told[name] == draw[name]
    for narrowed, count in (
        ({"analyte": told["analyte"]}, 1),
        ({"analyte": "NONE"}, 0),
        ({"subject": subject.pk}, len(draw["results"])),
        ({"record": told["record"]}, len(draw["results"])),
        ({"flag": "nonsense"}, None),
    ):
        answer = nurse.get("lab-results/", **narrowed)
        assert answer.status_code == (400 if count is None else 200)
        assert count is None or answer.json()["count"] == count


def test_an_adverse_event_is_read_as_in_its_list(nurse, cast):
    record = make_record(make_subject(cast.site), form_oid="F.AE")
    save_event(record, cast.nurse)
    (listed,) = nurse.get("adverse-events/").json()["results"]
    assert nurse.get(f"adverse-events/{record.pk}/").json() == listed


def test_eligibility_lists_the_latest_decision_of_each_subject(api, cast):
    candidate = make_candidate(cast)
    confirm_all(cast)
    made = decide(cast, candidate, {"EX06": "met"})
    (told,) = api("sub_investigator").get("eligibility/").json()["results"]
    assert (told["id"], told["subject"]) == (str(made.pk), str(candidate.pk))
    assert told["decision"] == made.decision
    now = api("sub_investigator").get(f"eligibility/{candidate.pk}/").json()
    assert now["decision"]["evaluation"] == told["id"]


def test_the_trail_is_read_by_who_may_and_not_from_another_site(api, cast):
    record = make_record(make_subject(cast.site))
    client = api("data_manager")
    told = client.get("audit-events/", record=record.pk).json()["results"]
    with as_person(cast.auditor):
        events = Event.objects.filter(record_id=record.pk).order_by("-eid")
        assert [each["id"] for each in told] == [each.eid for each in events]
        assert told[0]["new"] == events[0].new
    assert client.get(f"audit-events/{told[0]['id']}/").json() == told[0]
    assert told[0]["SITEID"] == cast.site.code
    last = told[0]["at"]
    assert client.get("audit-events/", record=record.pk, before=last).json()["count"] == 0
    stranger = ApiClient(cast.stranger)
    assert stranger.get("audit-events/", record=record.pk).json()["count"] == 0
    assert stranger.get(f"audit-events/{told[0]['id']}/").status_code == 404


@pytest.mark.parametrize(
    ("who", "name"),
    [("nurse", "lab-results/"), ("nurse", "adverse-events/"), ("data_manager", "audit-events/")],
)
def test_more_rows_cost_no_more_queries(api, cast, who, name):
    client = api(who)

    def read():
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(name, page_size=1000)
        return len(captured), answer.json()["count"]

    def more():
        record = make_record(make_subject(cast.site), form_oid="F.AE")
        save_event(record, cast.nurse)
        result_of(cast, record)

    more()
    read()
    few, before = read()
    more()
    more()
    cost, after = read()
    assert after > before
    assert cost == few
