"""Evaluation, waiting list, transplantation: the order of dates, and what goes on after it."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from outcomes.models import Transplantation
from outcomes.selectors.outcome import overview_of
from outcomes.services.transplants import open_transplantation
from tests.factories import PROTOCOL, as_person, given, make_protocol, make_subject, sign_in
from tests.outcomes.conftest import save_death
from tests.outcomes.following import contact, day, followed, fresh, save, transplant
from tests.visits.scheduling import anchor, states
from trialsite.casebook.models import Subject, VisitStatus
from trialsite.casebook.services import lay_out_visits
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from trialsite.crf.violations import ImpossibleError
from trialsite.dashboard.worklist import lanes_of
from trialsite.review.models import Query


@pytest.fixture
def subject(cast) -> Subject:
    return followed(cast)


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


def complete(cast, record, **texts):
    names = ("evaluated_on",)
    missing = {f"{name}.missing": "UNK" for name in names if name not in texts}
    return save(record, cast.nurse, complete=True, **texts, **missing)


def test_there_is_one_record_however_often_it_is_opened(cast, subject):
    with as_person(cast.nurse):
        first, second = (open_transplantation(subject=subject, by=cast.nurse) for _ in range(2))
    assert first == second


def test_visits_go_on_after_a_transplantation(cast, subject):
    before = states(subject)
    transplant(cast, subject, transplanted_on=day(subject, 5).isoformat(), donor="DCD")
    assert states(subject) == before
    assert VisitStatus.NOT_REQUIRED not in before.values()


def test_the_way_to_a_transplantation_is_kept_step_by_step(cast, subject):
    evaluated, listed = day(subject, 20).isoformat(), day(subject, 15).isoformat()
    record = transplant(cast, subject, evaluated_on=evaluated, suitability="SUITABLE").record
    save(record, cast.nurse, evaluated_on=evaluated, listed_on=listed, list_status="SUPER-URGENT")
    with as_person(cast.nurse):
        found = overview_of(fresh(subject)).transplantation
    assert found is not None
    assert (str(found.listed_on), found.transplanted_on) == (listed, None)


@pytest.mark.parametrize(
    ("texts", "item"),
    [
        ({"listed_on": "2026-03-05", "delisted_on": "2026-03-04"}, "delisted_on"),
        ({"transplanted_on": "2026-03-05", "graft_seen_on": "2026-02"}, "graft_seen_on"),
        ({"transplanted_on": "2026-03-05", "explant_on": "2025"}, "explant_on"),
        ({"transplanted_on": "2026-03-05", "again_on": "2026-03-04"}, "again_on"),
        ({"transplanted_on": "2026-03", "transplanted_time": "10:00"}, "transplanted_on"),
        ({"transplanted_on": "2099-01-01"}, "transplanted_on"),
    ],
)
def test_an_order_that_cannot_be_is_refused_beside_its_item(cast, subject, texts, item):
    with pytest.raises(ImpossibleError) as refused:
        transplant(cast, subject, **texts)
    assert item in refused.value.errors


@pytest.mark.parametrize("died", ["2026-03-04", "2026-02"])
def test_nobody_is_transplanted_after_the_death(cast, subject, died):
    save_death(subject, cast.nurse, died_on=died)
    with pytest.raises(ImpossibleError) as refused:
        transplant(cast, subject, transplanted_on="2026-03-05")
    assert refused.value.errors == {
        "transplanted_on": [f"The participant died on {died}: this is later."]
    }


def test_a_pathology_that_comes_after_the_death_is_kept(cast, subject):
    record = transplant(cast, subject, transplanted_on="2026-03-03").record
    save_death(subject, cast.nurse, died_on="2026-03-04")
    assert save(record, cast.nurse, transplanted_on="2026-03-03", explant_on="2026-03-20").changed


def test_a_death_before_the_transplantation_is_asked_about(cast, subject):
    transplant(cast, subject, transplanted_on="2026-03-08")
    saved = save_death(subject, cast.nurse, died_on="2026-03-06")
    assert "DTH.SEEN_LATER" in asked(saved.record)


@pytest.mark.parametrize(("ago", "asks"), [(41, True), (40, True), (39, False)])
def test_a_transplantation_not_after_day_zero_is_asked_about(cast, subject, ago, asks):
    saved = transplant(cast, subject)
    said = complete(cast, saved.record, transplanted_on=day(subject, ago).isoformat())
    assert ("LT.BEFORE_TREATMENT" in asked(said.record)) is asks


def test_a_month_that_leaves_the_order_open_asks_nothing(cast, subject):
    saved = transplant(cast, subject)
    month = day(subject, 40).strftime("%Y-%m")
    said = complete(cast, saved.record, transplanted_on=month)
    assert "LT.BEFORE_TREATMENT" not in asked(said.record)


def test_what_a_transplantation_lacks_is_asked_for(cast, subject):
    saved = transplant(cast, subject)
    said = complete(cast, saved.record, transplanted_on=day(subject, 9).isoformat())
    assert asked(said.record) == {"LT.DONOR", "LT.INDICATION"}


def test_a_contact_that_tells_of_one_leads_to_its_record(cast, subject):
    saved = contact(cast, subject, 1, transplanted_since="true")
    page = sign_in(cast.nurse).get(f"/records/{saved.record.pk}/").content.decode()
    assert "Record the transplantation" in page


def test_the_casebook_says_that_the_participant_was_transplanted(cast, subject):
    on = day(subject, 5)
    transplant(cast, subject, transplanted_on=on.isoformat())
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/").content.decode()
    assert f"Transplanted on {on}" in shown


def test_a_client_opens_and_enters_a_transplantation(cast, api, subject):
    nurse = api("nurse")
    opened = nurse.post(f"subjects/{subject.pk}/transplantation/")
    body = {"values": {"transplanted_on": "2026-03"}, "complete": False}
    saved = nurse.put(f"crf/lt/{opened.json()['id']}/", body, version=0)
    assert saved.status_code == 200, saved.content
    assert nurse.get(f"subjects/{subject.pk}/outcome/").json()["transplanted_on"] == "2026-03"


_days = st.dates(dt.date(2025, 11, 1), dt.date(2026, 2, 28))
_partial = st.builds(lambda d, n: d.isoformat()[:n], _days, st.sampled_from([4, 7, 10]))


@drawn(earlier=_partial, later=_partial)
@settings(max_examples=40)
def test_an_order_is_refused_exactly_where_the_dates_are_known_to_be_wrong(cast, earlier, later):
    """For dates known to the year, the month or the day."""
    subject = _one(cast)
    known_wrong = PartialDate.parse(later).before(PartialDate.parse(earlier)) is True
    texts = {"transplanted_on": earlier, "graft_failed_on": later}
    with as_person(cast.nurse):
        record = open_transplantation(subject=subject, by=cast.nurse)
        entry = read_texts(Transplantation, texts)
        wrong = pytest.raises(ImpossibleError) if known_wrong else nullcontext()
        with wrong:
            save_crf(record=record, entry=entry, by=cast.nurse, base_version=record.version)


def _one(cast) -> Subject:
    found = given(lambda: Subject.objects.filter(number="001-001").first())()
    return found or followed(cast)


@pytest.mark.parametrize("asked_for", [True, False])
def test_after_a_transplantation_labs_are_owed_only_where_the_protocol_asks(
    cast, tmp_path, asked_for
):
    version = None
    if not asked_for:
        asks, spares = "labs_after_transplantation: true", "labs_after_transplantation: false"
        path = tmp_path / "study.yaml"
        text = PROTOCOL.read_text().replace(asks, spares).replace('version: "1.0"', 'version: "2"')
        path.write_text(text)
        version = make_protocol(cast.site, path=path)
    subject = make_subject(cast.site, status="enrolled", number="1", protocol_version=version)
    given(lay_out_visits)(subject=subject, by=cast.investigator)
    anchor(cast, subject, day(subject, 28))
    transplant(cast, subject, transplanted_on=day(subject, 5).isoformat())
    with as_person(cast.nurse):
        lanes = lanes_of(cast.nurse, now=trial_now())
    owed = {
        row.visit.event_oid: "Laboratory results" in row.missing_titles
        for lane in lanes
        for row in lane.rows
    }
    assert owed["SE.D28"] is asked_for
    assert owed["SE.D14"]
