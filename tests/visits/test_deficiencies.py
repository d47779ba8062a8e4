"""The log of device deficiencies: with or without a participant, with or without harm."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import api
from tests.factories import as_person, given, make_subject, sign_in
from tests.outcomes.conftest import treated
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.violations import ImpossibleError
from visits.models import DeviceDeficiency
from visits.services.deficiencies import (
    DeficiencyFacts,
    change_deficiency,
    report_deficiency,
    void_deficiency,
)

__all__ = ["api"]

LIST = "/device-deficiencies/"
TEXTS = {
    "component": "REACTOR",
    "product": "R-1",
    "lot": "SN-77",
    "description": "The housing was cracked",
    "occurred_on": "2026-03-05",
    "phase": "SET-UP",
    "harm": "no",
    "could_have_led": "yes",
    "whereabouts": "RETAINED",
}


def facts(**said: Any) -> DeficiencyFacts:
    plain: dict[str, Any] = {**TEXTS, "harm": False, "could_have_led": True} | said
    return DeficiencyFacts(**{**plain, "occurred_on": PartialDate.parse(plain["occurred_on"])})


@pytest.fixture
def subject(cast):
    return make_subject(cast.site, number="001-001", status="enrolled")


@pytest.fixture
def session(cast, subject):
    return treated(subject, cast.nurse)


def report(cast, **said) -> DeviceDeficiency:
    about = {name: said.pop(name) for name in ("subject", "session") if name in said}
    with as_person(cast.nurse):
        return report_deficiency(site=cast.site, facts=facts(**said), by=cast.nurse, **about)


@given
def record_of(made: DeviceDeficiency) -> CrfRecord:
    assert made.record is not None
    return CrfRecord.objects.get(pk=made.record.pk)


def test_one_of_a_session_has_its_subject_and_a_complete_record(cast, subject, session):
    made = report(cast, session=session)
    assert (made.subject_id, made.session_id) == (subject.pk, session.pk)
    record = record_of(made)
    assert (record.form_oid, record.status) == ("F.DE", RecordStatus.COMPLETE)
    assert len(record.content_hash) == 64


def test_one_of_the_stock_needs_no_participant(cast):
    made = report(cast, phase="STORAGE")
    assert (made.subject_id, made.record_id, made.session_id) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"occurred_on": "2027-01-01"}, "occurred_on"),
        ({"description": ""}, "description"),
        ({"whereabouts": "RETAINED", "returned_on": "2026-03-09"}, "returned_on"),
        ({"whereabouts": "RETURNED", "returned_on": "2027-03-09"}, "returned_on"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(cast, said, field):
    import datetime as dt

    if "returned_on" in said:
        said = said | {"returned_on": dt.date.fromisoformat(said["returned_on"])}
    with pytest.raises(ImpossibleError) as refused:
        report(cast, **said)
    assert set(refused.value.errors) == {field}


def test_a_session_of_somebody_else_is_refused(cast, session):
    with pytest.raises(DomainError):
        report(cast, session=session, subject=make_subject(cast.site))


def test_it_is_corrected_with_a_reason_from_what_was_read(cast, session):
    made = report(cast, session=session)
    before = record_of(made).content_hash
    with as_person(cast.nurse):
        with pytest.raises(ImpossibleError):
            change_deficiency(deficiency=made, facts=facts(lot="SN-78"), reason=" ",
                              by=cast.nurse, base_version=1)  # fmt: skip
        changed = change_deficiency(deficiency=made, facts=facts(lot="SN-78"), reason="misread",
                                    by=cast.nurse, base_version=1)  # fmt: skip
        with pytest.raises(StaleError):
            change_deficiency(deficiency=made, facts=facts(), reason="x", by=cast.nurse,
                              base_version=1)  # fmt: skip
    assert (changed.lot, changed.version) == ("SN-78", 2)
    assert record_of(changed).content_hash != before


@pytest.mark.parametrize("how", ["its page", "its record"])
def test_voided_it_leaves_the_log_and_stays_in_the_trail(cast, session, how):
    made = report(cast, session=session)
    with as_person(cast.nurse):
        if how == "its page":
            void_deficiency(deficiency=made, reason="another site", by=cast.nurse)
        else:
            void_record(record=record_of(made), reason="another site", by=cast.nurse)
        stands = DeviceDeficiency.objects.get(pk=made.pk)
        assert stands.void_reason == record_of(stands).void_reason == "another site"
        with pytest.raises(TransitionError):
            void_deficiency(deficiency=made, reason="again", by=cast.nurse)
    assert "cracked" not in sign_in(cast.nurse).get(LIST).content.decode()


def test_one_of_the_stock_is_voided_by_itself(cast):
    made = report(cast)
    with as_person(cast.nurse):
        assert void_deficiency(deficiency=made, reason="twice", by=cast.nurse).voided_at


def test_under_a_lock_nothing_of_it_changes(cast, session):
    made = report(cast, session=session)
    given(CrfRecord.objects.filter(device_deficiency=made).update)(lock_state=LockState.LOCKED)
    with as_person(cast.nurse), pytest.raises(TransitionError):
        change_deficiency(deficiency=made, facts=facts(), reason="x", by=cast.nurse,
                          base_version=1)  # fmt: skip


def test_the_monitor_reads_and_reports_nothing(cast, session):
    made = report(cast, session=session)
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        report_deficiency(site=cast.site, facts=facts(), by=cast.monitor)
    client = sign_in(cast.monitor)
    page = client.get(f"{LIST}{made.pk}/").content.decode()
    assert "The housing was cracked" in page
    assert "Void the record" not in page
    assert client.get(f"{LIST}new/").status_code == 403
    assert sign_in(cast.stranger).get(f"{LIST}{made.pk}/").status_code == 404


def test_from_the_run_sheet_it_brings_its_session_and_nothing_typed_is_lost(cast, session):
    client, new = sign_in(cast.nurse), f"{LIST}new/?session={session.pk}"
    page = client.get(new).content.decode()
    assert 'value="001-001"' in page
    assert 'value="2026-03-05"' in page
    typed = {**TEXTS, "site": cast.site.pk, "subject": "001-001"}
    refused = client.post(new, typed | {"occurred_on": "2027-01-01"})
    assert refused.status_code == 422
    assert "The housing was cracked" in refused.content.decode()
    place = client.post(new, typed).headers["Location"]
    shown = client.get(place).content.decode()
    assert "Could have led to a serious adverse event" in shown
    with as_person(cast.nurse):
        [made] = DeviceDeficiency.objects.all()
    assert made.session_id == session.pk
    assert client.get(f"/records/{made.record_id}/", follow=True).redirect_chain[-1][0] == place


def test_its_page_corrects_and_voids_it(cast, session):
    made, client = report(cast, session=session), sign_in(cast.nurse)
    page = f"{LIST}{made.pk}/"
    body = {**TEXTS, "lot": "SN-78", "version": "1"}
    assert client.post(f"{page}change/", body).status_code == 422
    assert client.post(f"{page}change/", body | {"reason": "misread"}).status_code == 302
    late = client.post(f"{page}change/", body | {"reason": "misread"})
    assert late.status_code == 422
    assert "Somebody else changed this deficiency" in late.content.decode()
    assert client.post(f"{page}void/", {"void-reason": ""}).status_code == 422
    assert client.post(f"{page}void/", {"void-reason": "twice"}).status_code == 302


def test_a_long_log_costs_no_more_queries_than_a_short_one(cast, session):
    client, counts = sign_in(cast.nurse), []
    for _ in range(4):
        report(cast, session=session)
        with CaptureQueriesContext(connection) as seen:
            client.get(LIST)
        counts.append(len(seen))
    assert counts[1] == counts[3]


def test_a_client_reports_corrects_and_voids(cast, api, session):
    nurse, path = api("nurse"), "device-deficiencies/"
    body = {**TEXTS, "harm": False, "could_have_led": True, "site": cast.site.code}
    made = nurse.post(path, body | {"session": str(session.pk)})
    assert made.status_code == 201, made.content
    one = f"{path}{made.json()['id']}/"
    assert nurse.get(path, session=str(session.pk)).json()["results"][0]["lot"] == "SN-77"
    change = {key: value for key, value in body.items() if key != "site"}
    changed = nurse.post(f"{one}change/", change | {"lot": "SN-78", "reason": "x"}, version=1)
    assert (changed.status_code, changed.json()["lot"]) == (200, "SN-78")
    assert nurse.post(f"{one}void/", {"reason": "twice"}, version=1).status_code == 412
    assert nurse.post(f"{one}void/", {"reason": "twice"}, version=2).status_code == 200
    assert nurse.get(one).status_code == 404
    assert api("stranger").post(path, body).status_code == 400
