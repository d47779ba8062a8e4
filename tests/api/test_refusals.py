"""Who is turned away, and that a foreign thing looks exactly like no thing."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from decimal import Decimal

import pytest

from outcomes.services.survival import start_contact
from samples.services.expectations import state_not_collected
from screening.models.consent import Scope as ConsentScope
from screening.services.identity import ask_for_identity, keep_identity
from tests.api.conftest import ApiClient, fill
from tests.api.filling import as_payload, texts_for
from tests.api.operations import operations
from tests.factories import (
    as_person,
    given,
    make_entry,
    make_record,
    make_subject,
    make_user,
    make_visit,
    sign_in,
)
from tests.labs.conftest import make_laboratory
from tests.labs.importing import HEAD, LONG, rows
from tests.outcomes.conftest import complicated, save_event, treated
from tests.outcomes.sae.conftest import first_word, sent, signed
from tests.outcomes.test_of_reading_or_result import read, resulted
from tests.samples.bench import (
    aliquoted,
    box_at,
    collected,
    labelled,
    sampled,
    stored,
    technician_at,
)
from tests.samples.shipping import drafted, packed, permitted
from tests.screening.consenting import assess, make_document, withdraw
from tests.screening.consenting import sign as sign_consent
from tests.screening.deciding import confirm_all, decide, make_candidate
from tests.signing import proof_of
from tests.visits.products import load, make_session, received, registered, released
from tests.visits.treating import planned, treatable
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.conduct.models import Scope
from trialsite.conduct.services.deviations import DeviationFacts, report_deviation
from trialsite.conduct.services.holds import place_hold
from trialsite.conduct.services.proposals import propose_hold
from trialsite.conduct.services.snapshots import take_snapshot
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.api import slug_of
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import form, forms
from trialsite.crf.services import save_row
from trialsite.labs.models import Laboratory, PurificationInterval, ReferenceRange
from trialsite.labs.services.imports import prepare_import
from trialsite.labs.services.mappings import keep_mapping
from trialsite.notify.models import Notice
from trialsite.review.services import raise_query
from trialsite.review.signatures import sign
from visits.models import VitalSigns
from visits.services.deficiencies import DeficiencyFacts, report_deficiency

OPERATIONS = [pytest.param(each, id=str(each)) for each in operations()]
WITH_IDS = [pytest.param(each, id=str(each)) for each in operations() if each.arguments]


@given
def everybody_at(site):
    """A person with every capability there is, at one site only."""
    person = make_user(Role.PRINCIPAL_INVESTIGATOR, site)
    others = (Role.DATA_MANAGER, Role.MONITOR, Role.RESEARCH_NURSE, Role.SAMPLE_TECHNICIAN)
    for role in others:
        Membership.objects.create(user=person, site=site, role=role, valid_from="2026-01-01")
    return person


def signature_under(record, by):
    with as_person(by):
        return sign(
            record=record, kind="x", target=record.pk, content="", meaning="m", by=by,
            proof=proof_of(by),
        )  # fmt: skip


def rows_of_site(cast, operation):
    """Something real of site 001 for each argument of the operation."""
    definition = form(operation.form_oid)
    subject = make_subject(cast.site)
    visit = make_visit(subject)
    record = make_record(subject, form_oid=definition.oid, visit=visit)
    ids = {"subject": subject.pk, "visit": visit.pk, "record": record.pk}
    for name, make in MADE.items():
        if name in operation.arguments:
            ids[name] = make(cast, record)
    if {"consent", "assessment", "withdrawal"} & set(operation.arguments):
        ids |= parts_of_consent(cast, subject)
    if "row" in operation.arguments:
        (group,) = (g for g in definition.groups if f">/{slug_of(g)}/" in operation.route)
        with as_person(cast.nurse):
            entry = read_texts(group, texts_for(group))
            ids["row"] = save_row(record=record, group=group, entry=entry, by=cast.nurse).row.pk
    if names := {"laboratory", "range", "purification"} & {*operation.arguments}:
        ids |= laboratory_rows(cast.site, subject, names)
    if {"mapping", "lab_import"} & set(operation.arguments):
        ids |= imported(cast, subject)
    if {"entry", "disclosure"} & set(operation.arguments):
        ids |= identity_of_site(cast)
    return ids


def imported(cast, subject):
    """A mapping of site 001's laboratory, and a file prepared by it."""
    laboratory = make_laboratory(cast.site)
    with as_person(cast.data_manager):
        mapping = keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
        found = prepare_import(
            laboratory=laboratory,
            content=(HEAD + rows(subject, "K,4.1,mmol/L")).encode(),
            filename="a.csv",
            by=cast.data_manager,
        )
    return {"mapping": mapping.pk, "lab_import": found.pk}


def query_on(cast, record):
    with as_person(cast.data_manager):
        return raise_query(record=record, item_oid="", text="?", by=cast.data_manager).pk


def hold_at(cast, record):
    by = cast.investigator
    with as_person(by):
        return place_hold(site=record.site, scope=Scope.BOTH, reason="x", by=by).pk


def contact_with(cast, record):
    with as_person(cast.nurse):
        return start_contact(subject=record.subject, by=cast.nurse).pk


def snapshot_of(cast, record):
    by = cast.investigator
    with as_person(by):
        return take_snapshot(version=record.protocol_version, purpose="x", by=by).pk


def evaluation_of(cast, _record):
    candidate = make_candidate(cast)
    confirm_all(cast)
    return decide(cast, candidate, {"EX06": "met"}).pk


@given
def reminder_at(cast, record):
    now = trial_now()
    moments = {"due_at": now, "send_at": now, "try_at": now}
    of_site = {"site": record.site, "recipient": cast.nurse}
    return Notice.objects.create(
        kind="test", dedupe_key=f"test:{record.pk}", **of_site, **moments
    ).pk


def deviation_of(subject, nurse):
    facts = DeviationFacts(
        description="x",
        importance="minor",
        categories=["data"],
        occurred_on=None,
        discovered_on=dt.date(2026, 3, 1),
    )
    with as_person(nurse):
        return report_deviation(site=subject.site, subject=subject, facts=facts, by=nurse).pk


def movement_at(cast, _record):
    return received(cast, registered(cast)).pk


def loaded_at(cast, record):
    lot = released(cast)
    received(cast, lot)
    return load(cast, make_session(record.subject), lot).pk


def complication_of(cast, record):
    return complicated(treated(record.subject, cast.nurse), cast.nurse).pk


def reading_of(cast, record):
    return read(treated(record.subject, cast.nurse), cast.nurse).pk


def result_of(_cast, record):
    return resulted(record.subject).pk


def term_of(cast, record):
    event = make_record(record.subject, form_oid="F.AE")
    save_event(event, cast.nurse)
    return event.pk


@given
def proposal_at(_cast, record):
    return propose_hold(site=record.site, rule="", reason="x", key="x").pk


def deficiency_at(cast, record):
    facts = DeficiencyFacts(
        component="MACHINE",
        description="x",
        occurred_on=PartialDate.parse("2026-03"),
        phase="TREATMENT",
        harm=False,
        could_have_led=False,
        whereabouts="IN USE",
    )
    with as_person(cast.nurse):
        return report_deficiency(site=record.site, facts=facts, by=cast.nurse).pk


def case_of(cast, record):
    return first_word(record.subject, cast.nurse)


def safety_report_of(cast, record):
    return signed(case_of(cast, record), cast.sub_investigator)


def receipt_of(cast, record):
    report = safety_report_of(cast, record)
    with as_person(cast.nurse):
        now = trial_now()
    return sent(report, "sponsor", now, cast.nurse)


@given
def custody_of(cast):
    return collected(sampled(cast), cast.nurse).custody.get()


def statement_of(cast):
    visit = sampled(cast)
    with as_person(cast.nurse):
        return state_not_collected(visit=visit, kind="URINE", reason="refused", by=cast.nurse)


def line_of(cast):
    by, visit = technician_at(cast.site), sampled(cast)
    aliquot = stored(visit, by, box_at(cast.site, by))
    return packed(drafted(cast.site, by), by, aliquot)[0]


def box_of(cast):
    return box_at(cast.site, technician_at(cast.site))


#: What one argument needs, made of a record of site 001.
MADE = {
    "query": query_on,
    "hold": hold_at,
    "snapshot": snapshot_of,
    "reminder": reminder_at,
    "signature": lambda cast, record: signature_under(record, cast.sub_investigator).pk,
    "deviation": lambda cast, record: deviation_of(record.subject, cast.nurse),
    "evaluation": evaluation_of,
    "session": lambda cast, _record: planned(cast, treatable(cast)).pk,
    "movement": movement_at,
    "loaded": loaded_at,
    "complication": complication_of,
    "contact": contact_with,
    "reading": reading_of,
    "result": result_of,
    "term": term_of,
    "proposal": proposal_at,
    "deficiency": deficiency_at,
    "case": lambda cast, record: case_of(cast, record).pk,
    "report": lambda cast, record: safety_report_of(cast, record).pk,
    "receipt": lambda cast, record: receipt_of(cast, record).pk,
    "specimen": lambda cast, _record: labelled(sampled(cast), cast.nurse)[0].pk,
    "aliquot": lambda cast, _record: aliquoted(sampled(cast), cast.nurse)[0].pk,
    "custody": lambda cast, _record: custody_of(cast).pk,
    "statement": lambda cast, _record: statement_of(cast).pk,
    "shipment": lambda cast, _record: drafted(cast.site, technician_at(cast.site)).pk,
    "line": lambda cast, _record: line_of(cast).pk,
    "permission": lambda cast, _record: permitted(cast).pk,
    "freezer": lambda cast, _record: box_of(cast).rack.freezer_id,
    "box": lambda cast, _record: box_of(cast).pk,
}


def parts_of_consent(cast, subject):
    """A consent, an assessment and a withdrawal of site 001's subject."""
    made = {
        "consent": sign_consent(cast, subject, make_document(cast, cast.site)),
        "assessment": assess(cast, subject, "present"),
        "withdrawal": withdraw(cast, subject, ConsentScope.CONTACT),
    }
    return {name: part.pk for name, part in made.items()}


@given
def laboratory_rows(site, subject, names):
    laboratory = Laboratory.objects.create(site=site, code="CENTRAL", name="Central")
    ids = {"laboratory": laboratory.pk}
    if "range" in names:
        ids["range"] = ReferenceRange.objects.create(
            site=site,
            laboratory=laboratory,
            analyte="K",
            low=Decimal(3),
            unit="mmol/L",
            valid=("2026-01-01", None),
        ).pk
    if "purification" in names:
        ids["purification"] = PurificationInterval.objects.create(
            site=site,
            subject=subject,
            kind="PE",
            source="earlier",
            started_at="2026-03-01T10:00",
            time_zone="Asia/Shanghai",
        ).pk
    return ids


def identity_of_site(cast):
    """An entry of the screening log whose identifiers were just asked for."""
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        keep_identity(entry_id=entry.pk, site=cast.site, name="Canary", by=cast.nurse)
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=cast.nurse)
    return {"entry": entry.pk, "disclosure": asked}


def call(client, operation, ids):
    path = operation.path(ids)
    if operation.method == "GET":
        return client.get(path)
    return client.send(operation.method, path, operation.body, version=0)


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nobody_is_let_in_without_signing_in(db, operation):
    ids = dict.fromkeys(operation.arguments, uuid.uuid4())
    answer = call(ApiClient(None), operation, ids)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_person_without_any_role_reads_no_data(cast, operation):
    ids = dict.fromkeys(operation.arguments, uuid.uuid4())
    answer = call(ApiClient(make_user()), operation, ids)
    if operation.route in {"schema/", "protocol/"}:
        return
    assert answer.status_code == 403


@pytest.mark.requirement("IA2", "IA6")
@pytest.mark.parametrize("operation", WITH_IDS)
def test_a_foreign_id_answers_byte_for_byte_as_an_unknown_one(cast, operation):
    foreigner = ApiClient(everybody_at(cast.other_site))
    foreign = call(foreigner, operation, rows_of_site(cast, operation))
    unknown = call(foreigner, operation, dict.fromkeys(operation.arguments, uuid.uuid4()))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    told = [{**answer.headers, "Expires": ""} for answer in (foreign, unknown)]
    assert told[0] == told[1]


@pytest.mark.requirement("IA2")
@pytest.mark.parametrize(
    "operation",
    [pytest.param(each, id=str(each)) for each in operations() if each.method == "GET"],
)
def test_no_answer_holds_anything_of_another_site(cast, operation):
    canary = fill(form("F.VS"), cast.site, cast.nurse, comment="CANARY")
    with as_person(cast.data_manager):
        raise_query(record=canary, item_oid="", text="CANARY", by=cast.data_manager)
    client = ApiClient(everybody_at(cast.other_site))
    answer = call(client, operation, dict.fromkeys(operation.arguments, canary.pk))
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    for secret in ("CANARY", str(canary.pk), canary.subject.screening_number):
        assert secret.encode() not in body


def test_a_foreign_subject_in_a_body_answers_as_an_unknown_one(cast, api):
    ours = make_record(make_subject(cast.site))
    foreigner = ApiClient(everybody_at(cast.other_site))
    for path, name, value in (
        ("queries/", "record", ours.pk),
        ("screening-entries/", "site", "001"),
        *(
            (f"crf/{f.slug}/", "subject", ours.subject_id)
            for f in forms().values()
            if f.repeating and f.data
        ),
    ):
        unknown = str(uuid.uuid4()) if name != "site" else "999"
        extra = {
            "queries/": {"text": "x"},
            "screening-entries/": {"first_contact_on": "2026-03-01", "source": "ward"},
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
    assert nurse.post("screening-entries/", body).status_code == 413


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
