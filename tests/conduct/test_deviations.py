"""Deviations: proposed once, decided and answered by the site, read by who looks over it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from tests.api.conftest import ApiClient
from tests.conduct.deviations import LIST, TODAY, facts, propose
from tests.factories import as_person, given, sign_in
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.casebook.services import void_record
from trialsite.conduct.models import Category, Deviation, DeviationStatus, Importance
from trialsite.conduct.services.deviations import (
    DeviationError,
    accept_proposal,
    change_deviation,
    close_deviation,
    dismiss_proposal,
    propose_deviation,
    report_deviation,
)
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.registry import forms
from trialsite.review.services import raise_query


def record_of(cast, deviation) -> CrfRecord:
    with as_person(cast.nurse):
        return CrfRecord.objects.get(pk=deviation.record_id)


def test_the_same_key_is_proposed_once_whatever_became_of_it(cast, proposed, subject):
    assert propose(cast.site, subject=subject).pk == proposed.pk
    with as_person(cast.nurse):
        dismiss_proposal(
            deviation=proposed, reason="A national holiday", by=cast.nurse, base_version=1
        )
    again = propose(cast.site, subject=subject)
    assert (again.pk, again.status) == (proposed.pk, DeviationStatus.DISMISSED)
    assert propose(cast.site, "visit/2", subject=subject).pk != proposed.pk


def test_the_same_key_at_another_site_is_another_deviation(cast, proposed):
    assert propose(cast.other_site).pk != proposed.pk


def test_a_rule_nobody_declared_proposes_nothing(cast):
    with as_person(cast.nurse), pytest.raises(KeyError):
        propose_deviation(site=cast.site, kind="tests.nothing", key="1", description="x")


def test_a_proposal_brings_its_rules_class_and_waits(cast, proposed):
    assert (proposed.importance, proposed.categories) == (Importance.MINOR, [Category.VISIT])
    assert proposed.status == DeviationStatus.PROPOSED
    assert record_of(cast, proposed).status == RecordStatus.IN_PROGRESS


def test_a_deviation_of_a_subject_has_its_companion_record(cast, reported, subject):
    record = record_of(cast, reported)
    assert (record.form_oid, record.subject_id, record.status) == ("F.DV", subject.pk, "complete")
    assert forms()["F.DV"].domain is Deviation


def test_a_deviation_of_the_site_has_none(cast):
    with as_person(cast.nurse):
        made = report_deviation(site=cast.site, facts=facts(), by=cast.nurse)
    assert (made.subject, made.record) == (None, None)


def test_accepting_takes_the_sites_words_and_class(cast, proposed):
    with as_person(cast.nurse):
        accepted = accept_proposal(
            deviation=proposed,
            facts=facts(importance=Importance.MAJOR),
            by=cast.nurse,
            base_version=1,
        )
        accepted.refresh_from_db()
    assert (accepted.status, accepted.importance) == ("accepted", "major")
    assert accepted.description == "Blood drawn two days late"
    assert (accepted.decided_by_id, accepted.version) == (cast.nurse.pk, 2)
    assert record_of(cast, accepted).status == RecordStatus.COMPLETE


def test_dismissing_needs_a_reason_and_the_trail_keeps_it(cast, proposed):
    with as_person(cast.nurse):
        with pytest.raises(DeviationError) as refused:
            dismiss_proposal(deviation=proposed, reason="  ", by=cast.nurse, base_version=1)
        assert set(refused.value.errors) == {"reason"}
        dismiss_proposal(deviation=proposed, reason="Holiday", by=cast.nurse, base_version=1)
        events = Event.objects.filter(table_name="conduct_deviation", operation="U")
        assert [event.reason for event in events] == ["Holiday"]
    record = record_of(cast, proposed)
    assert (record.status, record.not_done_reason) == (RecordStatus.NOT_DONE, "Holiday")


@pytest.mark.parametrize("importance", ["major", "critical"])
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"measures": "Staff trained again"},
        {"ethics_reported_on": TODAY},
    ],
)
def test_an_important_one_is_not_closed_without_measures_and_report(
    cast, reported, importance, answer
):
    with as_person(cast.nurse):
        change_deviation(
            deviation=reported,
            facts=facts(importance=importance, **answer),
            reason="classed",
            by=cast.nurse,
            base_version=1,
        )
        with pytest.raises(DeviationError) as refused:
            close_deviation(deviation=reported, by=cast.nurse, base_version=2)
        assert "ethics committee" in str(refused.value)


def test_an_answered_one_is_closed_and_then_stands(cast, reported):
    answered = facts(importance="critical", measures="Trained", ethics_reported_on=TODAY)
    with as_person(cast.nurse):
        change_deviation(
            deviation=reported, facts=answered, reason="reported", by=cast.nurse, base_version=1
        )
        closed = close_deviation(deviation=reported, by=cast.nurse, base_version=2)
        assert (closed.status, closed.closed_by) == (DeviationStatus.CLOSED, cast.nurse)
        with pytest.raises(TransitionError):
            change_deviation(
                deviation=closed, facts=answered, reason="x", by=cast.nurse, base_version=3
            )


def test_a_minor_one_is_closed_as_it_stands(cast, reported):
    with as_person(cast.nurse):
        closed = close_deviation(deviation=reported, by=cast.nurse, base_version=1)
    assert closed.status == DeviationStatus.CLOSED


def test_who_has_read_an_older_version_does_not_overwrite(cast, reported):
    with as_person(cast.nurse):
        change_deviation(
            deviation=reported, facts=facts(), reason="x", by=cast.nurse, base_version=1
        )
        with pytest.raises(StaleError):
            change_deviation(
                deviation=reported, facts=facts(), reason="y", by=cast.nurse, base_version=1
            )


@pytest.mark.parametrize(
    ("occurred", "stands"),
    [
        (PartialDate(2026, 3, 1), True),
        (PartialDate(2026, 3), True),
        (PartialDate(2026), True),
        (PartialDate(2026, 3, 2), False),
        (PartialDate(2026, 4), False),
        (PartialDate(2027), False),
        (None, True),
    ],
)
def test_it_is_not_discovered_before_it_occurred(cast, occurred, stands):
    with as_person(cast.nurse):
        if stands:
            report_deviation(site=cast.site, facts=facts(occurred_on=occurred), by=cast.nurse)
            return
        with pytest.raises(DeviationError) as refused:
            report_deviation(site=cast.site, facts=facts(occurred_on=occurred), by=cast.nurse)
        assert set(refused.value.errors) == {"occurred_on"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"discovered_on": dt.date(2199, 1, 1)}, "discovered_on"),
        ({"ethics_reported_on": dt.date(2199, 1, 1)}, "ethics_reported_on"),
        ({"importance": ""}, "importance"),
        ({"categories": []}, "categories"),
        ({"description": ""}, "description"),
    ],
)
def test_what_is_missing_or_ahead_is_refused_at_its_field(cast, change, field):
    with as_person(cast.nurse), pytest.raises(DeviationError) as refused:
        report_deviation(site=cast.site, facts=facts(**change), by=cast.nurse)
    assert set(refused.value.errors) == {field}


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor", "stranger"])
def test_who_enters_no_data_here_decides_nothing(cast, proposed, reported, who):
    person = getattr(cast, who)
    acts = (
        lambda: report_deviation(site=cast.site, facts=facts(), by=person),
        lambda: accept_proposal(deviation=proposed, facts=facts(), by=person, base_version=1),
        lambda: dismiss_proposal(deviation=proposed, reason="x", by=person, base_version=1),
        lambda: close_deviation(deviation=reported, by=person, base_version=1),
    )
    for act in acts:
        with as_person(person), pytest.raises((NotPermittedError, Deviation.DoesNotExist)):
            act()


def test_the_monitor_asks_about_it_on_its_record(cast, reported):
    with as_person(cast.monitor):
        record = CrfRecord.objects.get(pk=reported.record_id)
        query = raise_query(record=record, item_oid="", text="Which tube?", by=cast.monitor)
    page = sign_in(cast.nurse).get(reverse("crf:record", args=[record.pk])).content.decode()
    assert f"query-{query.pk}" in page
    assert reverse("conduct:deviation", args=[reported.pk]) in page


@given
def _lock(record_id) -> None:
    CrfRecord.objects.filter(pk=record_id).update(lock_state=LockState.LOCKED)


def test_under_the_lock_of_its_record_nothing_changes(cast, reported):
    _lock(reported.record_id)
    with as_person(cast.nurse):
        with pytest.raises(TransitionError):
            close_deviation(deviation=reported, by=cast.nurse, base_version=1)
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            Deviation.objects.filter(pk=reported.pk).update(measures="by SQL")


def test_what_it_is_about_is_not_changed_by_any_road(cast, proposed):
    refused = pytest.raises(DatabaseError, match="what it is about")
    with as_person(cast.nurse), refused, transaction.atomic():
        Deviation.objects.filter(pk=proposed.pk).update(key="another")


def test_another_sites_deviation_is_invisible(cast, reported):
    client = sign_in(cast.stranger)
    assert client.get(f"{LIST}{reported.pk}/").status_code == 404
    assert list(client.get(LIST).context["page"].object_list) == []
    assert ApiClient(cast.stranger).get(f"deviations/{reported.pk}/").status_code == 404


def test_a_voided_record_takes_its_deviation_from_the_list(cast, reported):
    with as_person(cast.nurse):
        record = CrfRecord.objects.get(pk=reported.record_id)
        void_record(record=record, reason="Wrong subject", by=cast.nurse)
    assert list(sign_in(cast.nurse).get(LIST).context["page"].object_list) == []
