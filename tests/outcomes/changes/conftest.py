"""Ten-odd lines of a study: who was treated, what was measured, what became of them."""

from __future__ import annotations

import pytest

from outcomes.models import Transplantation
from tests.api.conftest import api
from tests.factories import as_person, given, make_record
from tests.outcomes.changes.study import ZONE, Casebooks
from trialsite.casebook.models import Subject
from trialsite.casebook.services import record_death

__all__ = ["api"]


@pytest.fixture
def books(cast) -> Casebooks:
    """Our site's casebooks."""
    return Casebooks(cast.site, cast.nurse)


@pytest.fixture
def others(cast) -> Casebooks:
    """Those of the other site, where our nurse has no part."""
    return Casebooks(cast.other_site, cast.investigator)


@given
def transplant(subject: Subject, on: str) -> None:
    Transplantation.objects.create(
        record=make_record(subject, form_oid="F.LT"),
        site_id=subject.site_id,
        subject=subject,
        time_zone=ZONE,
        transplanted_on=on,
    )


@pytest.fixture
def study(books) -> dict[str, Subject]:
    """Five subjects, worked by hand in `test_changes`; the day of each stands in days."""
    one, dead, untreated, grafted, unmeasured = (
        books.subject(f"001-00{n}", dosed=n != 3) for n in range(1, 6)
    )
    for subject in (one, dead, grafted):
        books.person(subject)
    # V5 and V2 of the vectors: MELD 31 before, 20 on day 7.
    books.draw(one, -1, BILI="450", INR="2.6", CREAT="106.1", PTA="30")
    books.draw(one, 0, "12:00", BILI="1")  # after the first treatment began
    books.draw(one, 7, visit="SE.D7", BILI="171", INR="1.5", CREAT="70", PTA="45")
    books.draw(one, 14, visit="SE.D14", BILI="150", PTA=">120")
    books.grade(one, -1, "II")
    books.grade(one, 7, "0", visit="SE.D7")
    books.draw(dead, -1, BILI="320", INR="2.1", CREAT="88.4", PTA="25")
    books.draw(grafted, -2, BILI="300", INR="2.0", CREAT="90", PTA="35")
    books.purified(grafted, -1, "06:00", "07:00")
    books.draw(grafted, -1, "10:30", BILI="240", PTA="38")
    books.draw(grafted, 7, visit="SE.D7", BILI="40", INR="1.1", CREAT="80", PTA="90")
    books.draw(unmeasured, 7, visit="SE.D7", BILI="200", PTA="40")
    with as_person(books.by):
        record_death(subject=dead, died_on="2026-03-08", by=books.by)
    transplant(grafted, "2026-03-10")
    return {
        "one": one, "dead": dead, "untreated": untreated, "grafted": grafted,
        "unmeasured": unmeasured,
    }  # fmt: skip
