"""Saving through the API: versions, verdicts, and a POST that happens once."""

from __future__ import annotations

import json
import threading
import uuid
from functools import partial

import pytest
from django.db import connections

from screening.models import ScreeningEntry
from tests.api.conftest import ApiClient, fill
from tests.api.filling import as_payload, texts_for
from tests.factories import as_person, make_cast, make_protocol, make_record, make_subject
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.crf.registry import form, forms
from trialsite.review.models import Query
from visits.models import VitalSigns

LOG = "screenings/"
LOGGED = {"site": "001", "first_contact_on": "2026-03-01", "source": "ward"}
GOOD = as_payload(VitalSigns, texts_for(VitalSigns) | {"comment": ""})


def changed(**values):
    return GOOD | {"values": GOOD["values"] | values}


@pytest.fixture
def address(record):
    return f"crf/vs/{record.pk}/"


def test_numbers_come_as_numbers_or_text_and_leave_exact(cast, nurse, address):
    body = '{"values": {"systolic": 118, "temperature": 36.80, "fio2": "21.0"}}'
    values = nurse.put(address, body, version=0).json()["values"]
    assert values["systolic"] == 118
    assert (values["temperature"], values["fio2"]) == ("36.80", "21.0")
    with as_person(cast.nurse):
        assert VitalSigns.objects.get().temperature_reported == "36.80"


def test_a_reported_unit_is_kept_and_the_canonical_value_is_said(nurse, address):
    body = {"values": {"temperature": "98.6"}, "units": {"temperature": "[degF]"}}
    answer = nurse.put(address, body, version=0).json()
    assert answer["units"] == {"temperature": "[degF]"}
    assert (answer["values"]["temperature"], answer["canonical"]["temperature"]) == (
        "98.6",
        "37.00",
    )


@pytest.mark.requirement("DI1")
def test_writing_needs_the_version_that_was_read(nurse, address):
    assert nurse.put(address, GOOD).status_code == 428
    assert nurse.put(address, GOOD, version=0).headers["ETag"] == '"1"'
    stale = nurse.put(address, changed(systolic="130"), version=0)
    assert stale.status_code == 412
    assert stale.headers["ETag"] == '"1"'
    assert stale.json()["version"] == 1
    assert stale.json()["current"]["systolic"] == "118"


@pytest.mark.parametrize("tag", ["*", '"x"', '"-1"', '"1", "2"', '"99999999999"', '"１"'])
def test_a_tag_that_is_no_version_is_refused(nurse, address, tag):
    answer = nurse.put(address, GOOD, **{"If-Match": tag.encode().decode("latin-1")})
    assert answer.status_code == 400


@pytest.mark.requirement("CC1")
def test_completed_data_change_only_with_a_reason(cast, nurse, address):
    assert nurse.put(address, GOOD | {"complete": True}, version=0).json()["status"] == "complete"
    refused = nurse.put(address, changed(systolic="120"), version=1)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["reason"]
    body = changed(systolic="120") | {"reason": "misread"}
    assert nurse.put(address, body, version=1).status_code == 200
    with as_person(cast.nurse):
        event = Event.objects.filter(table_name="visits_vitalsigns", operation="U").get()
    assert (event.reason, event.channel) == ("misread", "api")


def test_what_is_incomplete_or_impossible_is_said_item_by_item(nurse, address):
    incomplete = nurse.put(address, changed(heart_rate="") | {"complete": True}, version=0)
    assert list(incomplete.json()["errors"]) == ["heart_rate"]
    impossible = nurse.put(address, changed(diastolic="130"), version=0)
    assert set(impossible.json()["errors"]) == {"systolic", "diastolic"}
    assert (incomplete.status_code, impossible.status_code) == (400, 400)
    assert nurse.get(address).json()["version"] == 0


def test_an_unusual_value_is_kept_and_asked_about(cast, nurse, address):
    answer = nurse.put(address, changed(heart_rate=130) | {"complete": True}, version=0)
    assert list(answer.json()["asked"]) == ["heart_rate"]
    with as_person(cast.nurse):
        assert Query.objects.filter(item_oid="I.VS.HR").exists()


def test_locked_data_are_a_conflict(cast, nurse, record, address):
    with as_person(cast.data_manager):
        CrfRecord.objects.filter(pk=record.pk).update(lock_state=LockState.LOCKED)
    assert nurse.put(address, GOOD, version=0).status_code == 409


def test_a_record_is_marked_not_done_once(nurse, record):
    path = f"records/{record.pk}/not-done/"
    assert nurse.post(path, {"reason": " "}, version=0).status_code == 400
    assert nurse.post(path, {"reason": "cuff broken"}).status_code == 428
    done = nurse.post(path, {"reason": "cuff broken"}, version=0)
    assert (done.json()["status"], done.headers["ETag"]) == ("not_done", '"1"')
    assert nurse.post(path, {"reason": "cuff broken"}, version=1).status_code == 409


def test_a_voided_record_leaves_the_lists_and_takes_no_more_data(nurse, cast):
    record = fill(form("F.VS"), cast.site, cast.nurse)
    voided = nurse.post(f"records/{record.pk}/void/", {"reason": "wrong subject"}, version=1)
    assert voided.json()["void_reason"] == "wrong subject"
    assert nurse.get("crf/vs/").json()["results"] == []
    assert nurse.put(f"crf/vs/{record.pk}/", GOOD, version=2).status_code == 409


def test_a_list_is_narrowed_by_what_it_names(cast, nurse, record):
    other = fill(form("F.VS"), cast.site, cast.nurse)
    for parameters, expected in (
        ({"subject": record.subject_id}, [record]),
        ({"status": "in_progress"}, [other]),
        ({"form": "F.VS", "site": "001"}, [record, other]),
        ({"site": "002"}, []),
        ({"updated_since": "2999-01-01T00:00:00Z"}, []),
    ):
        results = nurse.get("records/", **parameters).json()["results"]
        assert {row["id"] for row in results} == {str(each.pk) for each in expected}, parameters


@pytest.mark.parametrize("each", [pytest.param(f, id=f.oid) for f in forms().values() if f.groups])
def test_rows_are_added_changed_and_voided_each_with_its_version(cast, nurse, each):
    record = make_record(make_subject(cast.site), form_oid=each.oid)
    for group in each.groups:
        slug = group.group_oid.partition(".")[2].lower()
        path = f"crf/{each.slug}/{record.pk}/{slug}/"
        body = as_payload(group, texts_for(group))
        one, two = (nurse.post(path, body).json() for _ in range(2))
        assert (one["number"], two["number"]) == (1, 2)
        row = f"{path}{one['row']}/"
        assert nurse.get(row).headers["ETag"] == '"1"'
        sparse: dict[str, dict[str, str]] = {"values": {}}
        assert nurse.put(row, sparse, version=7).status_code == 412
        assert nurse.put(row, sparse, version=1).headers["ETag"] == '"2"'
        assert nurse.post(f"{row}void/", {"reason": "twice"}, version=1).status_code == 412
        assert nurse.post(f"{row}void/", {"reason": "twice"}, version=2).status_code == 200
        assert [each["ROWNUM"] for each in nurse.get(path).json()["results"]] == [2]
        assert nurse.post(path, body).json()["number"] == 3


@pytest.mark.parametrize(
    "each", [pytest.param(f, id=f.oid) for f in forms().values() if f.repeating and f.data]
)
def test_a_repeating_form_opens_one_more_record_each_time(cast, nurse, each):
    subject = make_subject(cast.site)
    body = {"subject": str(subject.pk)}
    keys = [nurse.post(f"crf/{each.slug}/", body).json()["REPEATKEY"] for _ in range(2)]
    assert keys == [1, 2]


def test_a_form_that_occurs_once_opens_no_second_record(cast, nurse):
    subject = make_subject(cast.site)
    assert nurse.post("crf/vs/", {"subject": str(subject.pk)}).status_code in {403, 405}


def test_a_query_is_asked_answered_and_closed(cast, api, record):
    monitor, nurse = api("monitor"), api("nurse")
    asked = monitor.post("queries/", {"record": str(record.pk), "item": "I.VS.HR", "text": "?"})
    assert asked.status_code == 201
    path = f"queries/{asked.json()['id']}/"
    assert nurse.post(f"{path}close/", {"text": "done"}).status_code == 403
    assert nurse.post(f"{path}answer/", {"text": "checked"}).json()["status"] == "answered"
    assert nurse.post(f"{path}answer/", {"text": "again"}).status_code == 409
    closed = monitor.post(f"{path}close/", {"text": "thanks"}).json()
    assert [each["text"] for each in closed["messages"]] == ["?", "checked", "thanks"]
    assert closed["messages"][1]["written_by"] == "Nora Nurse"


@pytest.mark.requirement("DI7")
def test_a_post_repeated_with_its_key_is_answered_and_not_done_again(cast, nurse):
    make_protocol(cast.site)
    one, two = (nurse.post(LOG, LOGGED, key="k1") for _ in range(2))
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.content == two.content
    assert two.headers["Idempotency-Replayed"] == "true"
    assert nurse.post(LOG, LOGGED, key="k2").json()["id"] != one.json()["id"]
    with as_person(cast.nurse):
        assert ScreeningEntry.objects.count() == 2


@pytest.mark.requirement("DI7")
def test_a_key_serves_one_request_of_one_person(cast, nurse, api, record):
    make_protocol(cast.site)
    nurse.post(LOG, LOGGED, key="k")
    assert nurse.post(LOG, LOGGED | {"site": "002"}, key="k").status_code == 422
    path = f"records/{record.pk}/void/"
    assert nurse.post(path, {"site": "001"}, key="k", version=0).status_code == 422
    assert api("second_nurse").post(LOG, LOGGED, key="k").status_code == 201


@pytest.mark.requirement("IA5")
def test_an_answer_is_not_repeated_to_who_has_lost_the_site_since(cast, nurse):
    make_protocol(cast.site)
    path, body = LOG, LOGGED
    assert nurse.post(path, body, key="k").status_code == 201
    with as_person(cast.administrator):
        Membership.objects.filter(user=cast.nurse).update(ended_on="2026-02-01")
        Membership.objects.create(
            user=cast.nurse,
            site=cast.other_site,
            role=Role.RESEARCH_NURSE,
            valid_from="2026-01-01",
        )
    assert nurse.post(path, body, key="k").status_code == 404


@pytest.mark.requirement("DI7")
@pytest.mark.parametrize("key", ["", "x" * 201, "schlüssel"])
def test_a_post_without_a_usable_key_is_refused(nurse, key):
    answer = nurse.client.post(
        f"/api/v1/{LOG}",
        LOGGED,
        content_type="application/json",
        headers={"Idempotency-Key": key.encode().decode("latin-1")},
    )
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]


@pytest.mark.requirement("DI7")
def test_what_failed_leaves_nothing_and_may_be_tried_again_with_its_key(cast, nurse):
    make_protocol(cast.site)
    entry = nurse.post(LOG, LOGGED).json()
    path, body = f"{LOG}{entry['id']}/reopen/", {"reason": "asked again"}
    assert nurse.post(path, body, key="k", version=0).status_code == 409
    end = {"outcome": "declined", "on": "2026-03-02"}
    assert nurse.post(f"{LOG}{entry['id']}/close/", end, version=0).status_code == 200
    again = nurse.post(path, body, key="k", version=1)
    assert (again.status_code, again.json()["version"]) == (200, 2)


def at_once(*calls):
    """Run these at the same moment, each on its own connection; their answers in order."""
    answers, start = [None] * len(calls), threading.Barrier(len(calls))

    def run(n, act):
        start.wait()
        try:
            answers[n] = act()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.requirement("DI7")
def test_two_posts_with_one_key_at_the_same_moment_make_one_row(committed):
    cast = make_cast()
    make_protocol(cast.site)
    clients = [ApiClient(cast.nurse) for _ in range(4)]
    for key in ("k1", "k2", "k3", "k4", "k5"):
        send = partial(ApiClient.post, path=LOG, body=LOGGED, key=key)
        answers = at_once(*(partial(send, client) for client in clients))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
    with as_person(cast.nurse):
        assert ScreeningEntry.objects.count() == 5


@pytest.mark.requirement("DI1")
def test_of_two_writers_at_the_same_moment_one_is_told(committed):
    cast = make_cast()
    record = make_record(make_subject(cast.site))
    writers = [ApiClient(cast.nurse), ApiClient(cast.second_nurse)]
    for version in range(5):
        bodies = [changed(systolic=100 + 2 * version + n) for n in range(2)]
        answers = at_once(
            *(
                partial(client.put, f"crf/vs/{record.pk}/", body, version=version)
                for client, body in zip(writers, bodies, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        saved = next(answer for answer in answers if answer.status_code == 200).json()
        refused = next(answer for answer in answers if answer.status_code == 412).json()
        assert refused["current"]["systolic"] == str(saved["values"]["systolic"])
    with as_person(cast.nurse):
        assert CrfRecord.objects.get(pk=record.pk).version == 5


def test_a_protocol_in_brief_is_the_version_in_force(cast, nurse):
    version = make_protocol(cast.site)
    answer = nurse.get("protocol/").json()
    assert (answer["version"], answer["content_hash"]) == (version.version, version.content_hash)
    assert answer["approvals"] == [{"site": "001", "effective_on": "2026-01-01"}]
    assert json.dumps(answer["events"]).count("SE.") >= 10


def test_a_subject_is_found_by_its_number_and_by_its_id(cast, nurse):
    subject = make_subject(cast.site)
    (found,) = nurse.get("subjects/", screening_number=subject.screening_number).json()["results"]
    assert found == nurse.get(f"subjects/{subject.pk}/").json()
    assert found["status"] == "screening"
    assert nurse.get(f"subjects/{uuid.uuid4()}/").status_code == 404


def test_sites_are_those_of_the_person(cast, nurse, api):
    assert [each["code"] for each in nurse.get("sites/").json()["results"]] == ["001"]
    assert nurse.get("sites/002/").status_code == 404
    assert len(api("data_manager").get("sites/").json()["results"]) == 2


def test_the_status_of_a_record_that_was_opened_is_said(nurse, record):
    answer = nurse.get(f"records/{record.pk}/")
    assert answer.json()["status"] == RecordStatus.NOT_STARTED
    assert answer.headers["ETag"] == '"0"'
