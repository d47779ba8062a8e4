"""The engine carries what later issues need, proved by an app that only tests install."""

from __future__ import annotations

import uuid

import pytest

from tests.engine.models import Device, Episode, Reading
from tests.factories import as_person, make_record, make_subject, make_visit, sign_in
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.casebook.services import open_record, void_record
from trialsite.core.exceptions import StaleError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row, void_row
from trialsite.review.models import Query
from trialsite.review.services import raise_query

ROW = {"read_at": "2026-03-05T10:00", "blood_flow": "100", "venous": "80"}


@pytest.fixture
def sheet(cast):
    return make_record(make_subject(cast.site), form_oid="F.TRUN")


def put(sheet, by, texts, **options):
    entry = read_texts(Reading, texts)
    assert not entry.errors
    return save_row(record=sheet, group=Reading, entry=entry, by=by, **options)


def test_rows_are_numbered_and_a_voided_number_is_not_used_again(cast, sheet):
    with as_person(cast.nurse):
        first, second = (put(sheet, cast.nurse, ROW).row for _ in range(2))
        void_row(record=sheet, group=Reading, row_id=second.pk, reason="twice", by=cast.nurse)
        third = put(sheet, cast.nurse, ROW).row
        with pytest.raises(TransitionError):
            put(sheet, cast.nurse, ROW, row_id=second.pk, base_version=1)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    with as_person(cast.nurse):
        assert CrfRecord.objects.get(pk=sheet.pk).status == RecordStatus.IN_PROGRESS


def test_two_people_on_one_sheet_do_not_overwrite_each_other(cast, sheet):
    with as_person(cast.nurse):
        row = put(sheet, cast.nurse, ROW).row
        put(sheet, cast.nurse, ROW | {"venous": "90"}, row_id=row.pk, base_version=1)
    with as_person(cast.second_nurse):
        with pytest.raises(StaleError) as refused:
            put(sheet, cast.second_nurse, ROW | {"venous": "70"}, row_id=row.pk, base_version=1)
        put(sheet, cast.second_nurse, ROW)
    assert refused.value.current["venous"] == "90"


def test_a_row_is_judged_and_asked_about_for_itself(cast, sheet):
    with as_person(cast.nurse):
        CrfRecord.objects.filter(pk=sheet.pk).update(status=RecordStatus.COMPLETE)
        put(sheet, cast.nurse, ROW, reason="late")
        bad = put(sheet, cast.nurse, ROW | {"venous": "230"}, reason="late").row
        queries = Query.objects.filter(record=sheet)
        assert {(q.check_oid, q.row_id) for q in queries} == {
            ("TREAD.VENOUS", bad.pk),
            ("I.TREAD.PV.RANGE", bad.pk),
        }


def test_every_change_of_a_row_moves_the_digest_that_a_signature_is_bound_to(cast, sheet):
    def digest() -> str:
        return CrfRecord.objects.get(pk=sheet.pk).content_hash

    with as_person(cast.nurse):
        seen = [digest()]
        row = put(sheet, cast.nurse, ROW).row
        seen.append(digest())
        changed = ROW | {"venous": "91"}
        put(sheet, cast.nurse, changed, row_id=row.pk, base_version=1)
        seen.append(digest())
        other = put(sheet, cast.nurse, ROW).row
        seen.append(digest())
        void_row(record=sheet, group=Reading, row_id=row.pk, reason="twice", by=cast.nurse)
        seen.append(digest())
        assert len(set(seen)) == len(seen)
        put(sheet, cast.nurse, ROW, row_id=other.pk, base_version=1)
        assert digest() == seen[-1]


def test_many_records_of_one_form_per_subject(cast):
    subject = make_subject(cast.site)
    with as_person(cast.nurse):
        one, two = (
            open_record(subject=subject, form_oid="F.TEPI", by=cast.nurse) for _ in range(2)
        )
        void_record(record=two, reason="same episode", by=cast.nurse)
        three = open_record(subject=subject, form_oid="F.TEPI", by=cast.nurse)
    assert [one.repeat_key, two.repeat_key, three.repeat_key] == [1, 2, 3]


def test_a_voided_form_of_a_visit_is_expected_again(cast):
    subject = make_subject(cast.site)
    visit = make_visit(subject)
    record = make_record(subject, visit=visit)
    with as_person(cast.nurse):
        void_record(record=record, reason="another subject's values", by=cast.nurse)
        again = CrfRecord.objects.standing().get(visit=visit)
    assert (again.form_oid, again.repeat_key, again.status) == ("F.VS", 2, RecordStatus.NOT_STARTED)


def test_a_rows_page_offers_to_void_it(cast, sheet):
    client = sign_in(cast.nurse)
    with as_person(cast.nurse):
        row = put(sheet, cast.nurse, ROW).row
    address = f"/records/{sheet.pk}/rows/G.TREAD/{row.pk}/"
    assert f"{address}void/" in client.get(address).content.decode()
    client.post(f"{address}void/", {"reason": "twice"})
    with as_person(cast.nurse):
        assert Reading.objects.get(pk=row.pk).void_reason == "twice"


def test_a_partial_date_stays_as_precise_as_it_was_given(cast):
    record = make_record(make_subject(cast.site), form_oid="F.TEPI")
    client = sign_in(cast.nurse)
    client.post(
        f"/records/{record.pk}/", {"version": "0", "term": "Fever", "started_on": "2026-03"}
    )
    with as_person(cast.nurse):
        assert str(Episode.objects.get(pk=record.pk).started_on) == "2026-03"


def test_a_domain_model_has_its_queries_and_trail_on_its_companion_record(cast):
    subject = make_subject(cast.site)
    record = make_record(subject, form_oid="F.TDEV")
    with as_person(cast.nurse):
        device = Device.objects.create(site=cast.site, subject=subject, record=record, serial="R-1")
    with as_person(cast.monitor):
        raise_query(record=record, item_oid="", text="Which reactor?", by=cast.monitor)
        events = Event.objects.filter(record_id=record.pk, table_name="engine_device")
        assert [e.row_id for e in events] == [str(device.pk)]
    page = sign_in(cast.monitor).get(f"/records/{record.pk}/")
    assert "Which reactor?" in page.content.decode()


def test_the_pages_of_a_repeating_group_work_by_themselves(cast, sheet):
    client = sign_in(cast.nurse)
    answer = client.post(f"/records/{sheet.pk}/rows/G.TREAD/", ROW | {"version": "0"})
    assert answer.status_code == 302
    page = client.get(f"/records/{sheet.pk}/").content.decode()
    assert "Readings (test)" in page
    with as_person(cast.nurse):
        row = Reading.objects.get(record=sheet)
    answer = client.post(
        f"/records/{sheet.pk}/rows/G.TREAD/{row.pk}/", ROW | {"version": "1", "blood_flow": "-5"}
    )
    assert answer.status_code == 422
    assert "A flow cannot be negative." in answer.content.decode()
    assert client.get(f"/records/{sheet.pk}/rows/G.NONE/").status_code == 404
    assert client.get(f"/records/{sheet.pk}/rows/G.TREAD/{uuid.uuid4()}/").status_code == 404


def test_an_app_above_fills_a_slot_of_the_page(cast, sheet):
    assert "Test action" in sign_in(cast.nurse).get(f"/records/{sheet.pk}/").content.decode()


def test_an_apps_planner_and_dataset_are_used_without_a_change_below(cast):
    from datetime import UTC, datetime

    from trialsite.notify.models import Notice
    from trialsite.notify.planning import plan_notices

    subject = make_subject(cast.site)
    record = make_record(subject, form_oid="F.TDEV")
    with as_person(cast.nurse):
        Device.objects.create(site=cast.site, subject=subject, record=record, serial="R-77")
    now = datetime(2026, 3, 5, tzinfo=UTC)
    assert plan_notices(now) == 2
    assert plan_notices(now) == 0
    recipients = set(Notice.objects.values_list("recipient__full_name", flat=True))
    assert recipients == {cast.nurse.full_name, cast.second_nurse.full_name}
    answer = sign_in(cast.data_manager).get("/api/v1/datasets/test_devices/?format=csv")
    assert b"R-77" in answer.getvalue()
