"""Ten subjects whose endpoints were worked out by hand, against every place that shows them.

Each day counts from that subject's own day zero. The study is looked at at one moment.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from typing import Any

import pytest

from outcomes.selectors.courses import courses_of
from outcomes.selectors.endpoints import endpoints_of
from screening.models.consent import Scope
from tests.api.conftest import ApiClient
from tests.factories import as_person, sign_in
from tests.outcomes.lives import ZONE, Life
from tests.visits.conftest import clock
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version

__all__ = ["clock"]

ZERO = dt.date(2026, 3, 10)
#: Day 113 of those treated on `ZERO`, day 30 of the late one.
LOOKED_AT = dt.datetime(2026, 7, 1, 12, tzinfo=ZONE)
LATE = dt.date(2026, 6, 1)
DAYS = (7, 14, 28, 56, 84)

#: The sheet, by hand. N alive with native liver, L alive after transplantation, D dead,
#: ? unknown, - not yet due, o without day zero; on days 7, 14, 28, 56, 84.
SHEET = {
    "full": "N N N N N",  # every visit, the last on day 84
    "untreated": "o o o o o",  # enrolled, never treated
    "silent": "N N N D D",  # contact on day 10, death on day 40
    "grafted": "N N L D D",  # transplanted on day 20, death on day 50
    "lost": "N N ? ? ?",  # contact on day 20, then nothing; lost on day 60
    "stopped": "N N N N N",  # withdrew treatment on day 5, contact on day 90
    "at once": "D D D D D",  # death on day 0
    "late": "N N N - -",  # treated on 1 June, seen on day 28
    "withdrew": "N N N ? ?",  # seen on day 28, withdrew all data on day 30
    "in April": "N N ? D D",  # contact on day 14, death some day of April: day 22 to 51
}
STATES = {
    "N": "alive_native", "L": "alive_lt", "D": "dead", "?": "unknown", "-": "not_yet_due",
    "o": "no_anchor",
}  # fmt: skip

#: By hand, from the sheet: enrolled, dosed, evaluable, unknown; then alive of evaluable.
COUNTS = {
    7: (10, 9, 9, 0, 8),
    14: (10, 9, 9, 0, 8),
    28: (10, 9, 7, 2, 6),
    56: (10, 9, 6, 2, 2),
    84: (10, 9, 6, 2, 2),
}

#: Overall: day, and 1 death or 0 censored. Transplant-free: 2 is a transplantation.
OVERALL = {
    "full": (84, 0), "silent": (40, 1), "grafted": (50, 1), "lost": (20, 0), "stopped": (90, 0),
    "at once": (0, 1), "late": (28, 0), "withdrew": (30, 0), "in April": (22, 1),
}  # fmt: skip
FREE = OVERALL | {"grafted": (20, 2)}

#: At risk 9, 7, 4, 3 on the days 0, 22, 40, 50: 8/9, x 6/7, x 3/4, x 2/3.
SURVIVAL = {7: 8 / 9, 14: 8 / 9, 28: 16 / 21, 56: 8 / 21, 84: 8 / 21}
#: At risk 9, 8, 6, 3 on the days 0, 20, 22, 40: 8/9, x 7/8, x 5/6, x 2/3.
TRANSPLANT_FREE = {7: 8 / 9, 14: 8 / 9, 28: 35 / 54, 56: 35 / 81, 84: 35 / 81}
#: 8/9 x 1/8 on day 20; nobody later.
CONVERSION = {28: 1 / 9, 56: 1 / 9, 84: 1 / 9}
#: Crudely: transplanted of dosed, and of whom it is not known. The late one has not come to
#: day 56, so that there is no rate.
CRUDE = {28: (1, 9, 1), 56: (1, 9, 2), 84: (1, 9, 2)}


@pytest.fixture
def lives(cast, clock) -> dict[str, Life]:
    """The ten, entered as their days went by."""

    def one(zero: dt.date = ZERO) -> Life:
        return Life(cast, clock, zero).enrolled()

    made = {
        "full": one().treated().attended("SE.D7", 7).attended("SE.D14", 14)
        .attended("SE.D28", 28).attended("SE.W8", 56).attended("SE.W12", 84),
        "untreated": one(),
        "silent": one().treated().contacted(10).died(40, told=41),
        "grafted": one().treated().transplanted(20, told=22).died(50, told=50),
        "lost": one().treated().contacted(20)
        .contacted(50, "UNKNOWN").ended("STUDY", "LOST TO FOLLOW-UP", 60),
        "stopped": one().treated().withdrew(5, Scope.TREATMENT).contacted(90),
        "at once": one().treated().died(0, told=1),
        "withdrew": one().treated().attended("SE.D28", 28).withdrew(30, Scope.ALL_DATA),
        "in April": one().treated().contacted(14).died("2026-04", told=70),
        "late": one(LATE).treated().attended("SE.D28", 28),
    }  # fmt: skip
    clock.put(LOOKED_AT)
    return made


def test_page_api_and_files_say_what_was_worked_out_by_hand(cast, lives):
    numbers = {life.subject.number: name for name, life in lives.items()}
    keys = {str(life.subject.pk): name for name, life in lives.items()}
    check_reading(cast, numbers)
    client = ApiClient(cast.data_manager)
    check_api(client.get("endpoints/").json(), keys)
    check_courses(client.get("endpoints/courses/").json()["results"], keys)
    check_files(client, keys)
    check_page(sign_in(cast.investigator).get("/outcomes/endpoints/").content.decode())


def check_reading(cast, names: dict[str, str]) -> None:
    """The selector that all of them share."""
    with as_person(cast.investigator):
        courses = courses_of(cast.investigator)
        found = endpoints_of(courses, protocol_of(current_version().pk))
    for endpoint, expected in ((found.overall, OVERALL), (found.transplant_free, FREE)):
        times = {
            names[each.course.number]: (
                each.time,
                {"censored": 0, "death": 1, "transplant": 2}[each.cause],
            )
            for each in endpoint.times
            if each.time is not None
        }
        assert times == expected
    (april,) = (each for each in found.overall.times if not each.exact)
    assert (names[april.course.number], april.time, april.latest) == ("in April", 22, 51)
    assert [names[each.course.number] for each in found.overall.left_out] == ["untreated"]
    assert [names[course.number] for course in found.untreated] == ["untreated"]


def check_api(answer: dict[str, Any], keys: dict[str, str]) -> None:
    assert answer["anchor"]["text"]["en"] == "Day 0 = date of the first treatment session"
    assert (answer["enrolled"], answer["dosed"], answer["study_wide"]) == (10, 9, True)
    assert [line["day"] for line in answer["milestones"]] == list(DAYS)
    for place, line in enumerate(answer["milestones"]):
        alive = line["alive_of_evaluable"]
        figures = (line["enrolled"], line["dosed"], line["evaluable"], line["unknown"])
        assert (*figures, alive["count"]) == COUNTS[line["day"]]
        assert alive["of"] == line["evaluable"]
        found = {keys[who]: each["state"] for each in line["states"] for who in each["subjects"]}
        assert found == {name: STATES[row.split()[place]] for name, row in SHEET.items()}
    for name, expected in (("overall", SURVIVAL), ("transplant_free", TRANSPLANT_FREE)):
        points = {point["day"]: point["value"] for point in answer[name]["points"]}
        assert points.keys() == expected.keys()
        assert all(abs(float(points[day]) - expected[day]) < 1e-9 for day in expected)
    conversion = answer["conversion"]
    for point in conversion["transplant"]["points"]:
        assert abs(float(point["value"]) - CONVERSION[point["day"]]) < 1e-9
    for line in conversion["crude"]:
        counted = line["proportion"]
        crude = (counted["count"], counted["of"], len(line["unsettled"]))
        assert crude == CRUDE[line["day"]]
        assert counted["absent"] == (None if line["day"] == 28 else "not_all_due")


def check_courses(rows: list[dict[str, Any]], keys: dict[str, str]) -> None:
    by_name = {keys[row["subject"]]: row for row in rows}
    assert by_name.keys() == SHEET.keys()
    assert by_name["in April"]["died_on"] == {"first": "2026-04-01", "last": "2026-04-30"}
    assert by_name["lost"]["overall"]["censored"] == "lost"
    assert by_name["withdrew"]["overall"]["censored"] == "withdrawn"
    assert by_name["stopped"]["overall"]["censored"] == "last_known_alive"
    assert by_name["untreated"]["overall"]["untimed"] == "no_anchor"
    assert by_name["at once"]["overall"] == {
        "day": 0, "last_day": 0, "cause": "death", "censored": None, "untimed": None,
    }  # fmt: skip


def check_page(page: str) -> None:
    """The page's cells; each carries its day and what it counts."""
    assert "Day 0 = date of the first treatment session" in page
    cells = [
        dict(re.findall(r'data-([a-z]+)="([^"]*)"', tag)) for tag in re.findall(r"<td[^>]*>", page)
    ]
    counts = {(c["day"], c["state"]): int(c["count"]) for c in cells if "state" in c}
    shares = {(c["day"], c["denominator"]): c for c in cells if "denominator" in c}
    for place, day in enumerate(DAYS):
        column = [STATES[row.split()[place]] for row in SHEET.values()]
        for state in STATES.values():
            assert counts.get((str(day), state), 0) == column.count(state), (day, state)
        enrolled, dosed, evaluable, _unknown, alive = COUNTS[day]
        for name, of in (("enrolled", enrolled), ("dosed", dosed), ("evaluable", evaluable)):
            share = shares[str(day), name]
            assert (int(share["count"]), int(share["of"])) == (alive, of), (day, name)


def check_files(client: ApiClient, keys: dict[str, str]) -> None:
    states = read(client, "endpoint_milestones")
    for place, day in enumerate(DAYS):
        found = {keys[row["SUBJECT"]]: row for row in states if row["DAY"] == str(day)}
        expected = {name: STATES[row.split()[place]] for name, row in SHEET.items()}
        assert {name: row["STATE"] for name, row in found.items()} == expected
        known = [
            row for row in found.values()
            if row["DUE"] == "true" and (row["STATE"].startswith("alive") or row["STATE"] == "dead")
        ]  # fmt: skip
        unknown = [row for row in found.values() if row["STATE"] == "unknown"]
        dosed = [row for row in found.values() if row["DOSED"] == "true"]
        figures = (len(found), len(dosed), len(known), len(unknown))
        assert figures == COUNTS[day][:4]
    rows = {keys[row["SUBJECT"]]: row for row in read(client, "endpoint_courses")}
    assert rows.keys() == SHEET.keys()
    for prefix, times in (("OS", OVERALL), ("TFS", FREE)):
        for name, (day, cause) in times.items():
            row = rows[name]
            assert (row[f"{prefix}DAY"], row[f"{prefix}CNSR"]) == (str(day), str(int(cause == 0)))
        assert rows["untreated"][f"{prefix}DAY"] == ""
        assert rows["untreated"][f"{prefix}REASON"] == "no_anchor"


def read(client: ApiClient, name: str) -> list[dict[str, str]]:
    body = b"".join(client.get(f"datasets/{name}/", format="csv").streaming_content)
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
