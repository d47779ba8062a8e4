"""The dataset of visits: as planned and as they took place, a row each (SDTM SV)."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from tests.api.conftest import ApiClient
from tests.factories import as_person
from tests.visits.scheduling import consenting, today, visit_at
from trialsite.casebook.models import VisitMode
from visits.services.visits import attend, miss

DAY = dt.timedelta(days=1)


def rows(user) -> dict[str, dict[str, str]]:
    answer = ApiClient(user).get("datasets/visits/", format="csv")
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return {row["STUDYEVENT"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.mark.requirement("TM4")
def test_each_visit_says_its_days_and_how_it_took_place(cast):
    subject = consenting(cast, since=20)
    zero = today(cast.site) - 20 * DAY
    with as_person(cast.nurse):
        for oid, shift in (("SE.SCR", -2), ("SE.D0", 0), ("SE.D7", 9)):
            attend(
                visit=visit_at(subject, oid),
                on=zero + shift * DAY,
                mode=VisitMode.WARD,
                by=cast.nurse,
            )
        miss(visit=visit_at(subject, "SE.D3"), reason="Snowed in", by=cast.nurse)
    found = rows(cast.data_manager)
    days = ("SVSTDY", "PROTDAY", "OUTDAYS")
    assert [found["SE.SCR"][name] for name in days] == ["-2", "-2", "0"]
    assert [found["SE.D0"][name] for name in days] == ["1", "0", "0"]
    assert [found["SE.D7"][name] for name in days] == ["10", "9", "1"]
    assert found["SE.D7"]["MODE"] == "ward"
    assert (found["SE.D3"]["STATE"], found["SE.D3"]["MISSREASON"]) == ("missed", "Snowed in")
    assert (found["SE.D5"]["STATUS"], found["SE.D5"]["STATE"]) == ("planned", "due")
    assert (found["SE.W12"]["STATE"], found["SE.W12"]["OUTDAYS"]) == ("planned", "")
