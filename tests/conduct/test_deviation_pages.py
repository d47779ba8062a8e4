"""Deviations on their pages, through the API, as a dataset."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.conduct.deviations import LIST, facts, propose
from tests.factories import as_person, make_record, make_subject, sign_in
from trialsite.conduct.models import Deviation, DeviationStatus
from trialsite.conduct.services.deviations import (
    accept_proposal,
    report_deviation,
)
from trialsite.core.clock import trial_today


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
