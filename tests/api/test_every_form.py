"""What every registered form's endpoints do, whatever the form."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.conftest import fill
from tests.api.filling import as_payload, pages, texts_for
from tests.factories import as_person, make_record, make_subject
from trialsite.crf.entry import read_texts, read_values
from trialsite.crf.items import all_items_of, items_of
from trialsite.crf.registry import forms

FORMS = [pytest.param(form, id=form.oid) for form in forms().values() if form.data is not None]
TABLES = [pytest.param(t, id=t.__name__) for form in forms().values() for t in form.tables]


def address(form, record=None):
    return f"crf/{form.slug}/" if record is None else f"crf/{form.slug}/{record.pk}/"


@pytest.mark.parametrize("form", FORMS)
def test_what_the_page_stored_is_read_and_sent_back_unchanged(cast, nurse, form):
    record = fill(form, cast.site, cast.nurse)
    read = nurse.get(address(form, record))
    assert read.headers["ETag"] == '"1"'
    data = read.json()
    with as_person(cast.nurse):
        before = form.data.objects.values().get(pk=record.pk)
    body = {name: data[name] for name in ("values", "units", "missing", "confirmed")}
    again = nurse.put(address(form, record), body, version=1)
    assert again.status_code == 200, again.json()
    with as_person(cast.nurse):
        assert form.data.objects.values().get(pk=record.pk) == before
    assert again.json()["version"] == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_form_saved_by_the_api_is_the_form_saved_by_the_page(cast, nurse, form):
    by_page = fill(form, cast.site, cast.nurse)
    record = make_record(make_subject(cast.site), form_oid=form.oid)
    answer = nurse.put(
        address(form, record), as_payload(form.data, texts_for(form.data)), version=0
    )
    assert answer.status_code == 200, answer.json()
    own = {"record", "record_id", "subject", "subject_id"}
    with as_person(cast.nurse):
        one, other = (form.data.objects.values().get(pk=each.pk) for each in (by_page, record))
    assert {k: v for k, v in one.items() if k not in own} == {
        k: v for k, v in other.items() if k not in own
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_list_is_rectangular_and_exact(cast, nurse, form):
    record = fill(form, cast.site, cast.nurse)
    (row,) = nurse.get(address(form)).json()["results"]
    assert list(row)[:8] == [
        "SITEID", "SUBJID", "SCRNID", "STUDYEVENT", "VISITNUM", "REPEATKEY", "RECORD", "STATUS",
    ]  # fmt: skip
    assert (row["RECORD"], row["SITEID"]) == (str(record.pk), "001")
    for name, item in items_of(form.data).items():
        assert name in row
        assert not isinstance(row[name], float)
        if item.units:
            assert row[item.reported] == texts_for(form.data)[name]
            assert row[item.reported_unit] == item.unit


@pytest.mark.parametrize("form", FORMS)
def test_a_page_of_thirty_rows_costs_no_more_queries_than_one_of_three(cast, nurse, form):
    subject = make_subject(cast.site)

    def read_with(rows):
        for _ in range(rows):
            fill(form, cast.site, cast.nurse, subject=subject, repeat_key=next(numbers))
        with CaptureQueriesContext(connection) as captured:
            answer = nurse.get(address(form), page_size=1000)
        return len(captured), answer.json()["count"]

    numbers = itertools.count(1)
    read_with(1)
    (few, three), (many, thirty) = read_with(2), read_with(27)
    assert (three, thirty) == (3, 30)
    assert many == few


@pytest.mark.requirement("IA2", "IA6")
@pytest.mark.parametrize("form", FORMS)
def test_another_site_sees_and_changes_nothing(cast, api, form):
    record = fill(form, cast.site, cast.nurse)
    stranger = api("stranger")
    assert stranger.get(address(form)).json()["results"] == []
    assert stranger.get(address(form, record)).status_code == 404
    body = as_payload(form.data, texts_for(form.data))
    assert stranger.put(address(form, record), body, version=1).status_code == 404


@pytest.mark.parametrize("form", FORMS)
def test_the_monitor_reads_and_never_writes(cast, api, form):
    record = fill(form, cast.site, cast.nurse)
    monitor = api("monitor")
    assert monitor.get(address(form, record)).status_code == 200
    body = as_payload(form.data, texts_for(form.data))
    assert monitor.put(address(form, record), body, version=1).status_code == 403


@pytest.mark.parametrize("form", FORMS)
def test_a_record_is_not_found_under_another_forms_address(cast, nurse, form):
    record = make_record(make_subject(cast.site), form_oid="F.ELSEWHERE")
    assert nurse.get(address(form, record)).status_code == 404


@pytest.mark.requirement("DI9")
@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=150)
@given(data=st.data())
def test_page_and_api_give_the_same_verdict(table, data):
    texts = data.draw(pages(table))
    by_page, by_api = read_texts(table, texts), read_values(table, **as_payload(table, texts))
    assert (by_page.columns(), by_page.errors) == (by_api.columns(), by_api.errors)


@pytest.mark.parametrize("form", [pytest.param(f, id=f.oid) for f in forms().values()])
def test_the_definition_says_everything_a_client_needs(nurse, form, cast):
    make_subject(cast.site)
    answer = nurse.get(f"forms/{form.slug}/").json()
    assert answer["oid"] == form.oid
    tables = [*([answer["data"]] if answer["data"] else []), *answer["groups"]]
    for said, table in zip(tables, form.tables, strict=True):
        assert [each["name"] for each in said["items"]] == list(all_items_of(table))
        for each, item in zip(said["items"], all_items_of(table).values(), strict=True):
            assert each["labels"]["en"]
            assert each["labels"]["zh"]
            assert len(each["choices"]) == len(item.choices)
            assert [unit["unit"] for unit in each["units"]] == list(item.units)
