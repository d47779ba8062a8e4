"""Expected against collected at a site: as a page, as a file, and never of another site."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from samples.services.expectations import state_not_collected
from tests.factories import as_person, sign_in
from tests.samples.bench import aliquoted, collected, technician_at, visit_of
from tests.screening.consenting import wall
from trialsite.casebook.models import VisitMode
from trialsite.casebook.services.visits import attend_visit

PAGE = "/samples/reconciliation/"


def attended(cast, visit):
    with as_person(cast.nurse):
        attend_visit(visit=visit, on=wall(visit.site).date(), mode=VisitMode.ON_SITE, by=cast.nurse)
    return visit


@pytest.fixture
def mixed(cast, visit, technician):
    """A visit with urine frozen as planned, faeces explained, the rest missing."""
    attended(cast, visit)
    aliquoted(visit, technician, "URINE")
    with as_person(technician):
        state_not_collected(
            visit=visit, kind="FAECES", reason="none_passed", comment="Paralytic", by=technician
        )
    return visit


def test_the_page_tells_collected_from_explained_from_missing(mixed, technician):
    page = sign_in(technician).get(PAGE).content.decode()
    assert page.count("As planned") == 1
    assert page.count("Not collected, explained") == 1
    assert "Paralytic" in page
    assert page.count("Missing, no reason") == 2


def test_the_file_holds_the_same(mixed, technician):
    answer = sign_in(technician).get(f"{PAGE}001.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {each["SPECTYP"]: each["STATE"] for each in rows} == {
        "EDTA": "missing",
        "SERUM": "missing",
        "URINE": "collected",
        "FAECES": "explained",
    }
    urine = next(each for each in rows if each["SPECTYP"] == "URINE")
    assert (urine["COLLECT"], urine["ALIQUOTS"], urine["FROZEN"]) == ("1", "2", "0")


def test_a_visit_that_has_not_been_held_owes_nothing(visit, technician):
    page = sign_in(technician).get(PAGE).content.decode()
    assert "No visit of this site has taken place." in page


def test_another_sites_list_is_not_found(cast, mixed):
    stranger = sign_in(technician_at(cast.other_site))
    assert "Paralytic" not in stranger.get(f"{PAGE}?site=001").content.decode()
    assert stranger.get(f"{PAGE}001.csv").status_code == 404


def test_the_list_costs_the_same_queries_however_long(cast, mixed, technician):
    client = sign_in(technician)

    def read():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(PAGE).status_code == 200
        return len(queries)

    read()
    few = read()
    later = visit_of(mixed.subject, "SE.D14")
    attended(cast, later)
    collected(later, technician, "SERUM")
    assert read() == few
