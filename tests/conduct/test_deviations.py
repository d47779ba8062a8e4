"""Deviations: proposed once, decided and answered by the site, read by who looks over it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.api.conftest import ApiClient
from tests.factories import as_person, given, make_record, make_subject, sign_in
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.casebook.services import void_record
from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Deviation, DeviationStatus, Importance
from trialsite.conduct.services.deviations import (
    DeviationError,
    DeviationFacts,
    accept_proposal,
    change_deviation,
    close_deviation,
    dismiss_proposal,
    propose_deviation,
    report_deviation,
)
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.registry import forms
from trialsite.review.services import raise_query

WINDOW = declare_kind(
    "tests.window", "Visit outside its window", category=Category.VISIT, importance=Importance.MINOR
)
LIST = "/deviations/"
TODAY = dt.date(2026, 3, 1)


def facts(**changes) -> DeviationFacts:
    stated: dict[str, Any] = {
        "description": "Blood drawn two days late",
        "importance": Importance.MINOR,
        "categories": [Category.VISIT],
        "occurred_on": PartialDate(2026, 2),
        "discovered_on": TODAY,
    }
    return DeviationFacts(**stated | changes)


def propose(site: Site, key: str = "visit/1", **fields) -> Deviation:
    with acting(system_context("windows", Channel.COMMAND)):
        return propose_deviation(
            site=site, kind=WINDOW.code, key=key, description="Day 7 on day 10", **fields
        )


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


@pytest.fixture
def proposed(cast, subject) -> Deviation:
    return propose(cast.site, subject=subject)


@pytest.fixture
def reported(cast, subject) -> Deviation:
    with as_person(cast.nurse):
        return report_deviation(site=cast.site, subject=subject, facts=facts(), by=cast.nurse)


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


# ---- pages


def posted(**changes) -> dict[str, object]:
    stated = {
        "description": "Consent signed on the old version",
        "importance": "major",
        "categories": ["consent"],
        "occurred_on": "2026-02",
        "discovered_on": "2026-03-01",
        "measures": "",
        "ethics_reported_on": "",
    }
    return stated | changes


def test_the_list_is_narrowed_by_site_class_and_state(cast, proposed, reported):
    client = sign_in(cast.investigator)
    others = propose(cast.other_site)

    def listed(**asked):
        return {each.pk for each in client.get(LIST, asked).context["page"].object_list}

    assert listed() == {proposed.pk, reported.pk, others.pk}
    assert listed(site=cast.other_site.pk) == {others.pk}
    assert listed(status="accepted") == {reported.pk}
    assert listed(importance="critical") == set()
    assert listed(status="nonsense", site="x") == {proposed.pk, reported.pk, others.pk}


def test_a_list_of_many_costs_no_more_queries_than_one_of_few(cast, subject):
    client = sign_in(cast.nurse)

    def counted(keys) -> int:
        for key in keys:
            propose(cast.site, key, subject=subject)
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        return len(captured)

    counted(["first"])
    few = counted(["a", "b"])
    assert counted([str(n) for n in range(20)]) == few


def test_reporting_from_a_casebook_brings_its_subject(cast, nurse_client, subject):
    page = nurse_client.get(f"{LIST}new/", {"subject": str(subject.pk)})
    assert page.context["form"].initial["subject"] == subject.label
    sent = posted(site=cast.site.pk, subject=subject.screening_number)
    done = nurse_client.post(f"{LIST}new/", sent)
    assert done.status_code == 302
    with as_person(cast.nurse):
        (made,) = Deviation.objects.all()
    assert (made.subject_id, made.status, str(made.occurred_on)) == (
        subject.pk,
        "accepted",
        "2026-02",
    )


def test_another_sites_number_names_nobody_and_nothing_typed_is_lost(cast, nurse_client):
    theirs = make_subject(cast.other_site)
    sent = posted(site=cast.site.pk, subject=theirs.screening_number)
    page = nurse_client.post(f"{LIST}new/", sent)
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {"subject"}
    assert "Consent signed on the old version" in page.content.decode()


def test_a_proposal_is_accepted_on_its_page(cast, nurse_client, proposed):
    address = f"{LIST}{proposed.pk}/"
    page = nurse_client.get(address).content.decode()
    assert "Visit outside its window" in page
    assert nurse_client.post(f"{address}accept/", posted(version=1)).status_code == 302
    page = nurse_client.get(address)
    assert page.context["deviation"].status == DeviationStatus.ACCEPTED
    assert set(page.context["forms"]) == {"change", "close"}


def test_a_refused_act_returns_the_page_with_everything_typed(cast, nurse_client, proposed):
    sent = posted(version=1, discovered_on="2199-01-01")
    page = nurse_client.post(f"{LIST}{proposed.pk}/accept/", sent)
    assert page.status_code == 422
    assert set(page.context["forms"]["accept"].errors) == {"discovered_on"}
    assert "Consent signed on the old version" in page.content.decode()


def test_a_page_from_before_somebody_elses_act_is_refused_in_words(cast, nurse_client, proposed):
    with as_person(cast.nurse):
        accept_proposal(deviation=proposed, facts=facts(), by=cast.nurse, base_version=1)
    page = nurse_client.post(
        f"{LIST}{proposed.pk}/dismiss/", {"version": 1, "dismiss-reason": "A holiday, after all"}
    )
    assert page.status_code == 422
    text = page.content.decode()
    assert "Somebody else changed this deviation" in text
    assert "A holiday, after all" in text, "what was typed is not lost with the form"


def test_the_page_closes_an_important_one_only_when_answered(cast, nurse_client, reported):
    address = f"{LIST}{reported.pk}/"
    nurse_client.post(f"{address}change/", posted(version=1, reason="classed"))
    refused = nurse_client.post(f"{address}close/", {"version": 2})
    assert refused.status_code == 422
    assert refused.content.decode().count("report to the ethics committee") >= 2
    answer = {"measures": "Trained", "ethics_reported_on": "2026-03-01"}
    nurse_client.post(f"{address}change/", posted(version=2, reason="answered", **answer))
    assert nurse_client.post(f"{address}close/", {"version": 3}).status_code == 302


def test_the_monitor_reads_and_is_offered_no_act(cast, proposed):
    page = sign_in(cast.monitor).get(f"{LIST}{proposed.pk}/")
    assert page.status_code == 200
    assert page.context["forms"] == {}
    assert sign_in(cast.monitor).post(f"{LIST}{proposed.pk}/close/").status_code == 403


# ---- API, dataset

BODY = {
    "description": "Sample frozen late",
    "importance": "minor",
    "categories": ["sample"],
    "occurred_on": "2026-02",
    "discovered_on": "2026-03-01",
}


def test_a_client_reports_changes_and_closes(cast, api, subject):
    client = api("nurse")
    made = client.post("deviations/", BODY | {"site": "001", "subject": str(subject.pk)})
    assert made.status_code == 201, made.json()
    said = made.json()
    assert (said["status"], said["occurred_on"], said["SCRNID"]) == (
        "accepted",
        "2026-02",
        subject.screening_number,
    )
    address = f"deviations/{said['id']}/"
    changed = client.post(f"{address}change/", BODY | {"reason": "more known"}, version=1)
    assert changed.json()["version"] == 2
    assert client.post(f"{address}close/", {}, version=1).status_code == 412
    assert client.post(f"{address}close/", {}, version=2).json()["status"] == "closed"


def test_a_client_decides_a_proposal(cast, api, proposed):
    address = f"deviations/{proposed.pk}/"
    assert api("monitor").post(f"{address}accept/", BODY, version=1).status_code == 403
    assert api("nurse").post(f"{address}accept/", BODY, version=1).json()["status"] == "accepted"


def test_a_date_no_calendar_has_is_refused_at_its_name(api):
    answer = api("nurse").post("deviations/", BODY | {"site": "001", "occurred_on": "2026-02-31"})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"occurred_on"}


def test_a_subject_of_another_site_is_unknown_to_the_client(cast, api):
    theirs = make_subject(cast.other_site)
    answer = api("nurse").post("deviations/", BODY | {"site": "001", "subject": str(theirs.pk)})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"subject"}


def test_the_dataset_holds_those_of_subjects_and_of_sites(cast, api, reported):
    with as_person(cast.nurse):
        report_deviation(site=cast.site, facts=facts(description="Freezer alarm"), by=cast.nurse)
    answer = api("data_manager").get("datasets/dv/", format="csv")
    text = b"".join(answer.streaming_content).decode()
    assert "Blood drawn two days late" in text
    assert "Freezer alarm" in text


def test_the_site_s_day_decides_what_lies_ahead(cast):
    """Late in the evening of UTC it is tomorrow in Shanghai already."""
    today = trial_today(cast.site.time_zone)
    with as_person(cast.nurse):
        made = report_deviation(site=cast.site, facts=facts(discovered_on=today), by=cast.nurse)
    assert made.discovered_on == today


def test_a_record_of_another_form_offers_no_way_to_a_deviation(cast, nurse_client, subject):
    record = make_record(subject)
    page = nurse_client.get(reverse("crf:record", args=[record.pk])).content.decode()
    assert "/deviations/" not in page.split("<main")[1]
