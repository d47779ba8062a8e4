"""Lists of the casebook: in order, whole over their pages, and no dearer when longer."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import as_person, make_protocol, make_record, make_subject, make_visit
from trialsite.review.services import raise_query

LISTS = ["subjects/", "visits/", "records/", "queries/"]
_numbers = itertools.count(1)


@pytest.fixture
def more(cast):
    """Add that many of everything."""
    version = make_protocol(cast.site)

    def add(rows):
        for _ in range(rows):
            subject = make_subject(cast.site, protocol_version=version)
            visit = make_visit(
                subject, visit_number=next(_numbers), window=("2026-03-01", "2026-03-04")
            )
            record = make_record(subject, visit=visit)
            with as_person(cast.data_manager):
                raise_query(record=record, item_oid="", text="?", by=cast.data_manager)

    return add


@pytest.mark.parametrize("path", LISTS)
def test_thirty_rows_cost_no_more_queries_than_three(nurse, more, path):
    def read():
        with CaptureQueriesContext(connection) as captured:
            answer = nurse.get(path, page_size=1000)
        return len(captured), len(answer.json()["results"])

    read()
    more(3)
    few, three = read()
    more(27)
    assert (three, read()) == (3, (few, 30))


@pytest.mark.parametrize("path", LISTS)
def test_the_pages_of_a_list_hold_every_row_once(nurse, more, path):
    more(7)
    seen, page = [], nurse.get(path, page_size=3).json()
    assert page["count"] == 7
    while True:
        seen += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        page = nurse.client.get(page["next"]).json()
    assert len(seen) == len(set(seen)) == 7


def test_both_days_of_a_window_are_inside(nurse, more):
    more(1)
    (visit,) = nurse.get("visits/").json()["results"]
    assert (visit["window_first"], visit["window_last"]) == ("2026-03-01", "2026-03-03")
