"""The adverse events of a site: their list, its narrowing, the dataset and the API beside it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEventGrade
from outcomes.services.adverse_events import record_from_complication
from tests.factories import as_person, make_record, make_subject, sign_in
from tests.outcomes.conftest import SERIOUS, complicated, save_event, treated
from trialsite.casebook.models import CrfRecord
from trialsite.crf.coding.services import Code, code_term
from trialsite.crf.coding.terms import said_terms, terms_of
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row

LIST = "/adverse-events/"
DATASET = "/api/v1/datasets/adverse_events_analysis/?format=csv"


def code_all(cast) -> None:
    with as_person(cast.data_manager):
        for term in said_terms(terms_of(cast.data_manager), cast.data_manager):
            found = Code(version="27.0", code="1", term="Coded", levels={"PT": {"term": "Pref"}})
            code_term(term=term, code=found, by=cast.data_manager)


@pytest.fixture
def events(cast, subject) -> dict[str, CrfRecord]:
    """One event for each box of the filter, and one that meets none."""
    texts: dict[str, dict[str, Any]] = {
        "plain": {"related_circuit": "UNLIKELY"},
        "serious": SERIOUS | {"related_circuit": "UNLIKELY"},
        "related": {"related_circuit": "NOT ASSESSABLE"},
        "ongoing": {"related_circuit": "UNLIKELY", "ongoing": "true", "ended_on": "",
                    "outcome": "NOT RECOVERED/NOT RESOLVED"},
        "severe": {"related_circuit": "UNLIKELY", "grade": "3"},
        "special": {"related_circuit": "UNLIKELY", "special_interest": "LEAK"},
    }  # fmt: skip
    found = {}
    for number, (name, said) in enumerate(texts.items(), 1):
        found[name] = make_record(subject, form_oid="F.AE", repeat_key=number)
        save_event(found[name], cast.nurse, term=name, **said)
    return found


def shown(client, address=LIST, **asked) -> set[str]:
    return {line.event.term for line in client.get(address, asked).context["lines"] if line.event}


@pytest.mark.parametrize("box", ["serious", "related", "ongoing", "severe", "special"])
def test_each_box_narrows_the_list_of_the_site_and_of_the_subject(cast, subject, events, box):
    client = sign_in(cast.nurse)
    for address in (LIST, f"/subjects/{subject.pk}/adverse-events/"):
        assert shown(client, address) == set(events)
        assert shown(client, address, **{box: "on"}) == {box}
        assert shown(client, address, **{box: "on", "uncoded": "on"}) == {box}
    assert shown(client, serious="on", related="on") == set()


def test_what_is_coded_is_not_among_the_uncoded_until_its_words_change(cast, events):
    client = sign_in(cast.nurse)
    code_all(cast)
    assert shown(client, uncoded="on") == set()
    assert "Coded" in client.get(LIST).content.decode()
    save_event(
        events["plain"],
        cast.nurse,
        1,
        term="Otherwise",
        related_circuit="UNLIKELY",
        reason="source",
    )
    assert shown(client, uncoded="on") == {"Otherwise"}


def test_what_is_not_complete_does_not_wait_for_a_code_yet(cast, subject, events):
    code_all(cast)
    save_event(make_record(subject, form_oid="F.AE", repeat_key=90), cast.nurse,
               term="Half written", complete="no")  # fmt: skip
    assert shown(sign_in(cast.nurse), uncoded="on") == set()


def test_the_list_holds_ones_own_sites_only(cast, events):
    other = make_record(make_subject(cast.other_site), form_oid="F.AE")
    assert shown(sign_in(cast.stranger)) == set()
    assert len(sign_in(cast.stranger).get(LIST).context["lines"]) == 1
    assert str(other.pk) not in sign_in(cast.nurse).get(LIST).content.decode()
    everything = sign_in(cast.data_manager)
    assert len(everything.get(LIST).context["lines"]) == 7
    assert len(everything.get(LIST, {"site": cast.site.pk}).context["lines"]) == 6
    assert everything.get(LIST, {"site": "x"}).status_code == 200


def test_the_export_is_offered_to_whom_may_export(cast, events):
    assert "adverse_events_analysis" in sign_in(cast.data_manager).get(LIST).content.decode()
    assert "adverse_events_analysis" not in sign_in(cast.nurse).get(LIST).content.decode()


def test_many_events_of_many_subjects_cost_no_more_queries(cast, subject, events):
    client, counts = sign_in(cast.nurse), []
    code_all(cast)
    for number in range(3):
        another = make_subject(cast.site)
        save_event(make_record(another, form_oid="F.AE"), cast.nurse, term=f"More {number}")
        with CaptureQueriesContext(connection) as seen:
            client.get(LIST)
        counts.append(len(seen))
    assert counts[1] == counts[2]


@pytest.fixture
def rows(cast, subject) -> dict[str, dict[str, str]]:
    """The dataset's rows by term: of a complication, worsened under treatment, without a time."""
    session = treated(subject, cast.nurse)
    complication = complicated(session, cast.nurse)
    with as_person(cast.nurse):
        first = record_from_complication(complication=complication, by=cast.nurse)
    save_event(first, cast.nurse, 1, **SERIOUS, term="Shock")
    second = make_record(subject, form_oid="F.AE", repeat_key=2)
    save_event(second, cast.nurse, term="Cough", started_on="2026-03-01", started_time="",
               ended_on="2026-03-08")  # fmt: skip
    for on, grade in (("2026-03-01", "1"), ("2026-03-06", "2")):
        with as_person(cast.nurse):
            save_row(
                record=CrfRecord.objects.get(pk=second.pk), group=AdverseEventGrade,
                entry=read_texts(AdverseEventGrade, {"changed_on": on, "grade": grade}),
                by=cast.nurse, reason="course",
            )  # fmt: skip
    third = make_record(subject, form_oid="F.AE", repeat_key=3)
    save_event(third, cast.nurse, term="Headache", started_time="")
    code_all(cast)
    with as_person(cast.data_manager):
        answer = sign_in(cast.data_manager).get(DATASET)
        text = b"".join(answer).decode()
    return {row["AETERM"]: row for row in csv.DictReader(io.StringIO(text))}


def test_the_dataset_says_what_came_up_under_treatment_and_where_it_comes_from(
    cast, api, subject, rows
):
    assert {term: row["TRTEMFL"] for term, row in rows.items()} == {
        "Shock": "Y", "Cough": "Y", "Headache": "U",
    }  # fmt: skip
    shock = rows["Shock"]
    assert (shock["AESTDTC"], shock["AEDECOD"], shock["AELLTCD"], shock["AEDICTV"]) == (
        "2026-03-05T10:40", "Pref", "1", "MedDRA 27.0",
    )  # fmt: skip
    assert (shock["SESSNO"], shock["AESER"], shock["AEREL"], shock["SUSAR"]) == (
        "1", "true", "true", "false",
    )  # fmt: skip
    assert shock["COMPLICATION"]
    assert rows["Cough"]["GRADES"].startswith('[{"from": "2026-03-01", "grade": 1}')
    answered = api("nurse").get(f"adverse-events/?subject={subject.pk}").json()["results"]
    by_term = {each["AETERM"]: each for each in answered}
    for term, row in rows.items():
        for name in ("TRTEMFL", "AESTDTC", "AEDECOD", "COMPLICATION", "SUBJID"):
            assert (by_term[term][name] or "") == row[name]
    assert by_term["Cough"]["GRADES"][1] == {"from": "2026-03-06", "grade": 2}


def test_the_list_asks_for_the_time_that_would_tell(cast, subject, rows):
    page = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/adverse-events/").content.decode()
    assert page.count("Cannot be said") == 1
    assert "The time of the onset decides." in page
    assert "grade-course" in page
