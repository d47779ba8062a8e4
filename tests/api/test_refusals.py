"""Who is turned away; what another site's program is told stands in its own module."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from tests.api.conftest import ApiClient
from tests.api.filling import as_payload, texts_for
from tests.api.made import everybody_at
from tests.api.operations import operations
from tests.factories import (
    as_person,
    make_record,
    make_subject,
    make_user,
    sign_in,
)
from trialsite.audit.models import Event
from trialsite.crf.registry import forms
from visits.models import VitalSigns

OPERATIONS = [pytest.param(each, id=str(each)) for each in operations()]


def call(client, operation, ids):
    path = operation.path(ids)
    if operation.method == "GET":
        return client.get(path)
    return client.send(operation.method, path, operation.body, version=0)


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nobody_is_let_in_without_signing_in(db, operation):
    ids = operation.unknown
    answer = call(ApiClient(None), operation, ids)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_person_without_any_role_reads_no_data(cast, operation):
    ids = operation.unknown
    answer = call(ApiClient(make_user()), operation, ids)
    if operation.route in {"schema/", "protocol/"}:
        return
    assert answer.status_code == 403


def test_a_foreign_subject_in_a_body_answers_as_an_unknown_one(cast, api):
    ours = make_record(make_subject(cast.site))
    foreigner = ApiClient(everybody_at(cast.other_site))
    for path, name, value in (
        ("queries/", "record", ours.pk),
        ("screenings/", "site", "001"),
        *(
            (f"crf/{f.slug}/", "subject", ours.subject_id)
            for f in forms().values()
            if f.repeating and f.data
        ),
    ):
        unknown = str(uuid.uuid4()) if name != "site" else "999"
        extra = {
            "queries/": {"text": "x"},
            "screenings/": {"first_contact_on": "2026-03-01", "source": "ward"},
        }.get(path, {})
        one = foreigner.post(path, {name: str(value), **extra})
        other = foreigner.post(path, {name: unknown, **extra})
        assert one.status_code == other.status_code == 400, path
        assert one.content == other.content


def test_a_refused_act_is_in_the_trail(cast, api, record):
    api("monitor").put(f"crf/vs/{record.pk}/", {"values": {}}, version=0)
    with as_person(cast.auditor):
        event = Event.objects.get(act="refused", actor_id=cast.monitor.pk)
    assert event.channel == "api"


def test_method_override_headers_change_nothing(api, record):
    answer = api("monitor").post(f"records/{record.pk}/", {}, **{"X-HTTP-Method-Override": "GET"})
    assert answer.status_code == 403
    answer = api("nurse").client.get(
        f"/api/v1/crf/vs/{record.pk}/", headers={"X-HTTP-Method-Override": "PUT"}
    )
    assert answer.status_code == 200


@pytest.mark.requirement("IH1")
@pytest.mark.parametrize("path", ["subjects/", "records/", "visits/", "queries/", "crf/vs/"])
@pytest.mark.parametrize(
    "name",
    ["user__password__startswith", "site__memberships__user__password", "ordering", "format", "id"],
)
def test_a_parameter_that_is_not_on_the_list_is_refused(nurse, path, name):
    answer = nurse.get(path, **{name: "x"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]


@pytest.mark.requirement("IH6")
@pytest.mark.parametrize("asked", ["1000000000", "1e9", "0", "-1", "1001", "ten", "９"])
def test_a_page_has_its_limits(nurse, asked):
    assert nurse.get("records/", page_size=asked).status_code == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "1"),
        ("status", "nonsense"),
        ("updated_since", "2026-03-05"),
        ("updated_since", "yesterday"),
        ("site", "\x00"),
        ("form", "F" * 101),
    ],
)
def test_a_filter_of_the_wrong_kind_is_refused(nurse, name, value):
    assert list(nurse.get("records/", **{name: value}).json()["errors"]) == [name]


def test_a_parameter_given_twice_is_refused(nurse):
    assert nurse.client.get("/api/v1/records/?site=001&site=002").status_code == 400


@pytest.mark.requirement("IH6")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"values": {"systolic": NaN}}',
        b'{"values": {"systolic": Infinity}}',
        b'{"values": {"systolic": 1, "systolic": 2}}',
        b'{"values": {"comment": "\\u0000"}}',
        b'{"values": {"comment": "\\ud800"}}',
        b'{"values": {"systolic": 1e99999999999999999999}}',
        b'{"values": {"systolic": ' + b"1" * 5000 + b"}}",
        b"\xff\xfe{}",
        pytest.param(b"[" * 10_000 + b"]" * 10_000, id="depth 10,000"),
        pytest.param(b'{"a":' * 50 + b"1" + b"}" * 50, id="depth 50"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400_and_never_slow(nurse, record, body):
    started = time.perf_counter()
    answer = nurse.put(f"crf/vs/{record.pk}/", body, version=0)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert time.perf_counter() - started < 1


@pytest.mark.requirement("IH6")
def test_a_body_of_ten_megabytes_is_refused(nurse, record):
    body = json.dumps({"values": {"comment": "x" * 10_000_000}})
    assert nurse.put(f"crf/vs/{record.pk}/", body, version=0).status_code == 413
    assert nurse.post("screenings/", body).status_code == 413


def test_only_json_is_read(nurse, record):
    answer = nurse.client.put(
        f"/api/v1/crf/vs/{record.pk}/",
        "values=1",
        content_type="application/x-www-form-urlencoded",
        headers={"If-Match": '"0"'},
    )
    assert answer.status_code == 415


@pytest.mark.requirement("IA3")
@pytest.mark.parametrize("name", ["site_id", "subject_id", "record_id", "voided_at", "pk", "id"])
def test_no_column_but_the_items_can_be_written(cast, nurse, record, name):
    good = as_payload(VitalSigns, texts_for(VitalSigns))
    for body in (good | {name: 1}, good | {"values": {name: 1}}):
        answer = nurse.put(f"crf/vs/{record.pk}/", body, version=0)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [name]


def test_an_error_speaks_the_persons_language(cast, nurse, record):
    answer = nurse.put(
        f"crf/vs/{record.pk}/",
        {"values": {"systolic": "12o"}},
        version=0,
        **{"Accept-Language": "en"},
    )
    assert answer.json()["errors"] == {"systolic": ["“12o” is not a number."]}
    assert answer.json()["title"] == "The request could not be read"


def test_a_write_from_another_page_is_refused(cast, record):
    """The session cookie alone changes nothing: a token of our own pages is needed."""
    client = sign_in(cast.nurse, enforce_csrf_checks=True)
    answer = client.post(
        "/api/v1/subjects/",
        {"site": "001"},
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 403
    assert client.get(f"/api/v1/records/{record.pk}/").status_code == 200


def test_options_say_nothing(nurse, record):
    for path in ("subjects/", f"crf/vs/{record.pk}/", "queries/"):
        assert nurse.client.options(f"/api/v1/{path}").status_code == 405


def test_an_address_that_is_none_answers_like_an_id_that_is_none(nurse):
    nothing, nobody = nurse.get("nonsense/"), nurse.get(f"subjects/{uuid.uuid4()}/")
    assert nothing.content == nobody.content


def test_what_the_state_forbids_is_not_told_as_a_lost_race(api):
    """A second package while one is being made: 409 says so, and of nobody who saved first."""
    manager = api("data_manager")
    assert manager.post("packages/").status_code == 202
    again = manager.post("packages/")
    assert again.status_code == 409
    assert again.json()["title"] == "Not possible as things stand"
    assert again.json()["detail"] == "A package of yours is being made already."
