"""Saving a form: what is kept, what is asked, what is refused."""

from __future__ import annotations

import pytest

from tests.factories import as_person, make_record, make_subject
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError, TransitionError
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.services import IncompleteError, ReasonRequiredError, save_crf
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query, QueryStatus
from visits.models import VitalSigns

GOOD = {
    "assessed_at": "2026-03-05T14:30",
    "systolic": "118",
    "diastolic": "70",
    "heart_rate": "80",
    "respiratory_rate": "16",
    "temperature": "36.8",
    "oxygen_saturation": "98",
}


@pytest.fixture
def record(cast):
    return make_record(make_subject(cast.site))


def save(record, by, texts, **options):
    entry = read_texts(VitalSigns, texts)
    assert not entry.errors
    version = CrfRecord.objects.values_list("version", flat=True).get(pk=record.pk)
    return save_crf(record=record, entry=entry, by=by, **({"base_version": version} | options))


def test_a_nurse_saves_and_completes_vital_signs(cast, record):
    with as_person(cast.nurse):
        saved = save(record, cast.nurse, GOOD, complete=True)
        row = VitalSigns.objects.get(pk=record.pk)
    assert saved.record.status == RecordStatus.COMPLETE
    assert (row.systolic, str(row.temperature)) == (118, "36.80")
    assert row.time_zone == "Asia/Shanghai"


def test_what_was_entered_comes_back_as_it_was_typed(cast, record):
    texts = GOOD | {"temperature": "98.60", "temperature.unit": "[degF]", "comment": "不安。"}
    with as_person(cast.nurse):
        save(record, cast.nurse, texts)
        row = VitalSigns.objects.get(pk=record.pk)
    assert str(row.temperature) == "37.00"
    shown = texts_of(row)
    assert shown["temperature"] == "98.60"
    assert shown["comment"] == "不安。"
    assert read_texts(VitalSigns, shown).values == read_texts(VitalSigns, texts).values


@pytest.mark.parametrize("typed", ["１２０", "120 ", "120。", "120．0"])
def test_numbers_of_a_chinese_keyboard_are_numbers(typed):
    assert read_texts(VitalSigns, {"systolic": typed}).values["systolic"] == 120


@pytest.mark.parametrize("typed", ["12o", "1e5000", "NaN", "Infinity", "12.5", "-", "99999999999"])
def test_what_is_no_whole_number_is_answered_next_to_the_item(typed):
    entry = read_texts(VitalSigns, {"systolic": typed})
    assert list(entry.errors) == ["systolic"]


def test_a_heart_rate_of_zero_can_be_saved(cast, record):
    texts = GOOD | {
        "systolic": "0",
        "diastolic": "0",
        "heart_rate": "0",
        "systolic.confirm": "arrest",
        "diastolic.confirm": "arrest",
        "heart_rate.confirm": "arrest",
    }
    with as_person(cast.nurse):
        saved = save(record, cast.nurse, texts, complete=True)
        assert VitalSigns.objects.get(pk=record.pk).heart_rate == 0
    assert saved.record.status == RecordStatus.COMPLETE


def test_an_implausible_value_saves_and_is_confirmed_before_completion(cast, record):
    texts = GOOD | {"heart_rate": "0"}
    with as_person(cast.nurse):
        save(record, cast.nurse, texts)
        with pytest.raises(IncompleteError) as refused:
            save(record, cast.nurse, texts, complete=True)
    assert list(refused.value.problems) == ["heart_rate"]


def test_the_impossible_is_refused_next_to_its_items_and_nothing_is_kept(cast, record):
    with as_person(cast.nurse):
        with pytest.raises(ImpossibleError) as refused:
            save(record, cast.nurse, GOOD | {"diastolic": "130"})
        assert not VitalSigns.objects.exists()
        assert CrfRecord.objects.get(pk=record.pk).version == 0
    assert set(refused.value.errors) == {"systolic", "diastolic"}


@pytest.mark.requirement("DI5")
def test_a_missing_value_has_its_reason_and_counts_as_complete(cast, record):
    texts = {k: v for k, v in GOOD.items() if k != "temperature"}
    with as_person(cast.nurse):
        with pytest.raises(IncompleteError) as refused:
            save(record, cast.nurse, texts, complete=True)
        assert list(refused.value.problems) == ["temperature"]
        save(record, cast.nurse, texts | {"temperature.missing": "ND"}, complete=True)
        assert VitalSigns.objects.get(pk=record.pk).missing == {"temperature": "ND"}


def test_an_unusual_value_is_kept_and_asked_about_once_complete(cast, record):
    with as_person(cast.nurse):
        save(record, cast.nurse, GOOD | {"heart_rate": "130"})
        assert not Query.objects.exists()
        save(record, cast.nurse, GOOD | {"heart_rate": "130"}, complete=True)
        query = Query.objects.get()
        assert (query.item_oid, query.check_oid) == ("I.VS.HR", "I.VS.HR.RANGE")
        save(record, cast.nurse, GOOD | {"heart_rate": "90"}, reason="typing error")
        query.refresh_from_db()
    assert query.status == QueryStatus.CLOSED


@pytest.mark.requirement("QS1")
def test_an_unusual_value_that_comes_back_is_asked_about_again(cast, record):
    with as_person(cast.nurse):
        for rate, why in (("130", ""), ("90", "typing error"), ("130", "it was right")):
            save(record, cast.nurse, GOOD | {"heart_rate": rate}, complete=True, reason=why)
        assert Query.objects.unresolved().get().item_oid == "I.VS.HR"


def test_an_unknown_value_breaks_no_check(cast, record):
    texts = {k: v for k, v in GOOD.items() if k != "diastolic"} | {"diastolic.missing": "ND"}
    with as_person(cast.nurse):
        saved = save(record, cast.nurse, texts, complete=True)
    assert saved.asked == {}


@pytest.mark.requirement("DI1")
def test_the_second_of_two_savers_is_shown_what_stands(cast, record):
    with as_person(cast.nurse):
        save(record, cast.nurse, GOOD, base_version=0)
    with as_person(cast.second_nurse), pytest.raises(StaleError) as refused:
        save(record, cast.second_nurse, GOOD | {"systolic": "140"}, base_version=0)
    assert refused.value.current["systolic"] == "118"
    assert refused.value.version == 1


@pytest.mark.requirement("CC1")
def test_completed_data_change_only_with_a_reason(cast, record):
    with as_person(cast.nurse):
        save(record, cast.nurse, GOOD, complete=True)
        with pytest.raises(ReasonRequiredError):
            save(record, cast.nurse, GOOD | {"systolic": "120"})
        save(record, cast.nurse, GOOD | {"systolic": "120"}, reason="misread the monitor")
        event = Event.objects.filter(table_name="visits_vitalsigns", operation="U").get()
    changes = event.changes()
    assert changes.pop("mean_arterial") is not None, "what is computed from it moves with it"
    assert changes == {"systolic": (118, 120)}
    assert event.reason == "misread the monitor"
    assert (event.actor_id, event.channel) == (cast.nurse.pk, "ui")
    assert event.subject_id == record.subject_id


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor", "stranger", "administrator"])
def test_who_may_not_enter_data_does_not(cast, record, who):
    person = getattr(cast, who)
    with as_person(person), pytest.raises((NotPermittedError, CrfRecord.DoesNotExist)):
        save(record, person, GOOD, base_version=0)


def test_nobody_enters_data_before_training_is_recorded(cast, record):
    from tests.factories import make_user
    from trialsite.access.capabilities import Role

    untrained = make_user(Role.RESEARCH_NURSE, cast.site, trained=False)
    with as_person(untrained), pytest.raises(NotPermittedError):
        save(record, untrained, GOOD)


@pytest.mark.requirement("CC2")
@pytest.mark.parametrize("level", ["record", "visit", "subject"])
def test_locked_data_are_refused_by_the_database_itself(cast, level):
    from django.db import DatabaseError, transaction

    from tests.factories import make_visit

    subject = make_subject(cast.site)
    visit = make_visit(subject)
    record = make_record(subject, visit=visit)
    with as_person(cast.nurse):
        save(record, cast.nurse, GOOD)
    with as_person(cast.data_manager):
        locked = {"record": record, "visit": visit, "subject": subject}[level]
        type(locked)._default_manager.filter(pk=locked.pk).update(lock_state=LockState.LOCKED)
    with as_person(cast.nurse, reason="x"):
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            VitalSigns.objects.filter(pk=record.pk).update(systolic=1)
        with pytest.raises((TransitionError, DomainError), match="locked"):
            save(record, cast.nurse, GOOD | {"systolic": "121"}, reason="x")


@pytest.mark.requirement("QS1")
def test_the_nightly_batch_judges_as_the_save_did_and_lets_the_settled_rest(cast, record):
    from trialsite.crf.tasks import judge_all_records
    from trialsite.review.services import close_query

    with as_person(cast.nurse):
        save(record, cast.nurse, GOOD, complete=True)
    with as_person(cast.nurse, reason="corrected by the laboratory"):
        VitalSigns.objects.filter(pk=record.pk).update(heart_rate=130)
    assert judge_all_records() == 1
    with as_person(cast.data_manager):
        query = Query.objects.unresolved().get()
        assert query.check_oid == "I.VS.HR.RANGE"
        close_query(query=query, text="Confirmed on the source.", by=cast.data_manager)
    assert judge_all_records() == 1
    with as_person(cast.nurse):
        assert not Query.objects.unresolved().exists()
        save(record, cast.nurse, GOOD | {"heart_rate": "140"}, reason="second reading")
        assert Query.objects.unresolved().count() == 1
