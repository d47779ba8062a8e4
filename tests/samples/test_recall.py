"""A recalled lot: the samples of those whom it reached, and where they are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from samples.services.specimens import prepare_specimens
from tests.factories import as_person, sign_in
from tests.samples.bench import collected, stored, visit_of
from tests.visits.products import load, make_session, received, released
from tests.visits.treating import treatable


@pytest.fixture
def lot(cast):
    found = released(cast)
    received(cast, found, 9)
    return found


def test_a_lot_recall_lists_samples_too(cast, lot, visit, technician, box):
    before = collected(visit, technician, "URINE", hours=-3)
    session = make_session(visit.subject)
    load(cast, session, lot)
    kept = stored(visit, technician, box, hours=-1)
    with as_person(technician):
        (circuit,) = prepare_specimens(
            visit=visit, kind="EDTA", count=1, by=technician, session=session, extra_reason="x"
        )
    other = visit_of(treatable(cast, document=document_of(cast)))
    elsewhere = collected(other, technician)
    page = sign_in(cast.investigator).get(f"/products/{lot.code}/recall/").content.decode()
    assert "Research samples of these participants" in page
    assert f"{box.code} A1" in page
    assert before.code in page
    assert "before the lot was used" in page
    assert kept.specimen.code in page
    assert circuit.code not in page  # labelled, nothing in it
    assert elsewhere.code not in page


def document_of(cast):
    from screening.models import ConsentDocument

    with as_person(cast.investigator):
        return ConsentDocument.objects.get()


def test_samples_of_the_session_are_told_from_those_after_it(cast, lot, visit, technician):
    from samples.services.specimens import collect_specimen
    from tests.screening.consenting import wall

    session = make_session(visit.subject)
    load(cast, session, lot)
    with as_person(technician):
        (circuit,) = prepare_specimens(
            visit=visit, kind="EDTA", count=1, by=technician, session=session
        )
        collect_specimen(specimen=circuit, by=technician, at=wall(visit.site))
    later = collected(visit, technician, "SERUM", hours=0)
    page = sign_in(cast.nurse).get(f"/products/{lot.code}/recall/").content.decode()
    assert page.index(circuit.code) < page.index("at the session with the lot")
    assert page.index("at the session with the lot") < page.index(later.code)
    assert "after the lot was used" in page


def test_a_recall_costs_the_same_queries_however_many_samples(cast, lot, visit, technician, box):
    load(cast, make_session(visit.subject), lot)
    client = sign_in(cast.nurse)

    def read():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/products/{lot.code}/recall/").status_code == 200
        return len(queries)

    stored(visit, technician, box)
    read()
    few = read()
    for _more in range(3):
        stored(visit, technician, box)
    collected(visit, technician, "URINE")
    assert read() == few


def test_a_site_sees_samples_of_its_own_participants_only(cast, lot, visit, technician, box):
    load(cast, make_session(visit.subject), lot)
    kept = stored(visit, technician, box)
    stranger = sign_in(cast.stranger)
    answer = stranger.get(f"/products/{lot.code}/recall/")
    assert kept.specimen.code not in answer.content.decode()
