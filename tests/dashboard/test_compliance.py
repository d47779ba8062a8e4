"""Every dated visit stands in one box of the table, the boxes add up, and each figure opens."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import statistics
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.dashboard.conftest import NOON, TODAY, days, inclusive
from tests.factories import (
    as_person,
    given,
    make_protocol,
    make_site,
    make_subject,
    make_user,
    make_visit,
    sign_in,
)
from tests.visits.scheduling import window_of
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.casebook.models import Visit, VisitStatus
from trialsite.core.clock import trial_today
from trialsite.dashboard.compliance import Block, Line, blocks_of, lines_of

#: First and last window day, status, attended on; in days from today. By hand, below.
BY_HAND = [
    (-9, -7, VisitStatus.ATTENDED, -9),  # first day: in
    (-9, -7, VisitStatus.ATTENDED, -7),  # last day: in
    (-9, -7, VisitStatus.ATTENDED, -6),  # one day late
    (-9, -7, VisitStatus.ATTENDED, -2),  # five days late
    (-9, -7, VisitStatus.ATTENDED, -12),  # three days early
    (3, 5, VisitStatus.ATTENDED, 0),  # three days early, before its time
    (-9, -7, VisitStatus.MISSED, None),
    (-1, 4, VisitStatus.MISSED, None),  # stated while the window is open: due
    (-9, -1, VisitStatus.PLANNED, None),  # overdue since today
    (-9, -1, VisitStatus.OPEN, None),  # begun and not said to have taken place
    (-9, 0, VisitStatus.PLANNED, None),  # last day today: not yet
    (0, 3, VisitStatus.OPEN, None),
    (20, 25, VisitStatus.PLANNED, None),
    (-9, -1, VisitStatus.NOT_REQUIRED, None),
]
EXPECTED = {
    "due": 10,
    "in_window": 2,
    "out_of_window": 4,
    "missed": 2,
    "overdue": 2,
    "not_yet_due": 3,
    "not_required": 1,
}


def dated_visit(site, row, *, event="SE.D7", today=TODAY) -> Visit:
    first, last, status, attended = row
    return make_visit(
        make_subject(site),
        event,
        window=inclusive(today + days(first), today + days(last)),
        status=status,
        attended_on=None if attended is None else today + days(attended),
    )


def compliance(user, now=NOON) -> list[Line]:
    sites = Site.objects.filter(pk__in=user.access.sites())
    with as_person(user):
        return lines_of(Visit.objects.visible_to(user), now=now, sites=sites)


def code_of(part: Line | Block) -> str:
    """The site it is of; the sum of all sites has none."""
    assert part.site is not None
    return part.site.code


def figures(line: Line) -> dict[str, int]:
    return {
        "due": line.figures.due,
        **{key: line.figures.counts[key] for key in list(EXPECTED)[1:]},
    }


def test_the_table_is_the_one_computed_by_hand(cast):
    for row in BY_HAND:
        dated_visit(cast.site, row)
    (line,) = compliance(cast.nurse)
    assert (line.site, line.event_oid, line.title) == (cast.site, "SE.D7", "Day 7")
    assert figures(line) == EXPECTED
    assert line.figures.percent == Decimal("20.0")  # 2 of 10
    assert line.figures.days_median == 3  # of 1, 3, 3, 5
    assert line.figures.days_extreme == 5
    assert line.figures.total == 13


@pytest.mark.parametrize(
    ("attended", "median", "extreme"),
    [([], None, None), ([-9], None, None), ([-6, -5], Decimal("1.5"), 2), ([-12, -4], 3, 3),
     ([-13, -4], Decimal("3.5"), -4)],
)  # fmt: skip
def test_days_out_of_the_window_are_those_to_its_nearest_day(cast, attended, median, extreme):
    for day in attended or [None]:
        status = VisitStatus.PLANNED if day is None else VisitStatus.ATTENDED
        dated_visit(cast.site, (-9, -7, status, day))
    (line,) = compliance(cast.nurse)
    assert (line.figures.days_median, line.figures.days_extreme) == (median, extreme)


def test_nothing_due_has_no_percentage(cast):
    dated_visit(cast.site, (2, 3, VisitStatus.PLANNED, None))
    (line,) = compliance(cast.nurse)
    assert (line.figures.due, line.figures.percent) == (0, None)


def test_what_has_no_window_is_not_counted(cast):
    make_visit(make_subject(cast.site), "SE.UNS", status=VisitStatus.OPEN)
    assert compliance(cast.nurse) == []


def test_a_visit_is_overdue_from_midnight_of_its_site(cast):
    """00:30 in Shanghai is still yesterday in UTC, and two days ago nowhere."""
    far_west = make_site("777", time_zone="America/Los_Angeles")
    for site in (cast.site, far_west):
        dated_visit(site, (-2, 0, VisitStatus.PLANNED, None))
    half_past_midnight = dt.datetime(2026, 11, 22, 16, 30, tzinfo=dt.UTC)
    found = {
        code_of(line): line.figures.counts
        for line in compliance(cast.investigator, half_past_midnight)
    }
    assert found["001"] == {"overdue": 1}
    assert found["777"] == {"not_yet_due": 1}


def _boxed(visits: list[Visit], today: dt.date) -> Mapping[tuple[str, str], Mapping[str, float]]:
    """The same table once more, visit by visit, in plain Python."""
    boxes: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(int))
    out: dict[tuple[str, str], list[int]] = defaultdict(list)
    for visit in visits:
        key = (visit.site.code, visit.event_oid)
        first, last = window_of(visit)
        if visit.status == VisitStatus.ATTENDED:
            day = visit.attended_on
            assert day is not None
            outside = min(0, (day - first).days) + max(0, (day - last).days)
            box = "out_of_window" if outside else "in_window"
            out[key] += [outside] if outside else []
        elif visit.status in (VisitStatus.MISSED, VisitStatus.NOT_REQUIRED):
            box = str(visit.status)
        else:
            box = "overdue" if today > last else "not_yet_due"
        boxes[key][box] += 1
        boxes[key]["due"] += box in {"in_window", "out_of_window", "missed", "overdue"}
    for key, found in out.items():
        if found:
            boxes[key]["median"] = statistics.median(map(abs, found))
            boxes[key]["farthest"] = max(found, key=lambda each: (abs(each), each))
    return boxes


@pytest.mark.parametrize("seed", range(5))
def test_page_dataset_and_plain_counting_agree(cast, seed):
    dice = random.Random(seed)
    today = trial_today("Asia/Shanghai")
    version = make_protocol(cast.site, cast.other_site)
    subjects = {
        site.pk: make_subject(site, protocol_version=version)
        for site in (cast.site, cast.other_site)
    }
    visits = []
    for number in range(80):
        first = dice.randint(-20, 10)
        status = dice.choice([each for each in VisitStatus if each is not VisitStatus.DUE])
        attended = first + dice.randint(-4, 8) if status is VisitStatus.ATTENDED else None
        visits.append(
            make_visit(
                subjects[dice.choice(list(subjects))],
                dice.choice(["SE.D7", "SE.D28", "SE.W8"]),
                repeat_key=number + 1,
                window=inclusive(today + days(first), today + days(first + dice.randint(0, 4))),
                status=status,
                attended_on=None if attended is None else today + days(attended),
            )
        )
    expected = _boxed(_again(visits), today)
    manager = ApiClient(cast.data_manager)
    read = manager.get("datasets/compliance/", format="csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(read.streaming_content).decode())))
    answers = manager.get("compliance/").json()["results"]
    said = {(answer["site"], answer["event"]): answer for answer in answers}
    assert len(rows) == len(answers) == len(expected)
    for row in rows:
        key = row["SITEID"], row["STUDYEVENT"]
        boxes, answer = expected[key], said[key]
        for column, name in _COLUMNS.items():
            assert int(row[column]) == answer[name] == boxes[name], (column, row)
        median = "" if answer["days_out_median"] is None else answer["days_out_median"]
        assert Decimal(row["DAYSOUTMEDIAN"] or 0) == Decimal(median or 0) == boxes["median"]
        assert (row["DAYSOUTFARTHEST"] or None) == _text(answer["days_out_extreme"])
        assert (answer["days_out_extreme"] or 0) == boxes["farthest"]
        percent = answer["percent_in_window"]
        assert (row["PERCENT"] or None) == percent


_COLUMNS = {
    "DUE": "due", "INWINDOW": "in_window", "OUTWINDOW": "out_of_window", "MISSED": "missed",
    "OVERDUE": "overdue", "NOTYETDUE": "not_yet_due", "NOTREQUIRED": "not_required",
}  # fmt: skip


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


@given
def _again(visits: list[Visit]) -> list[Visit]:
    found = Visit.objects.filter(pk__in=[visit.pk for visit in visits])
    return list(found.select_related("site"))


def test_sites_are_summed_where_there_are_several(cast):
    dated_visit(cast.site, (-9, -7, VisitStatus.ATTENDED, -8))
    dated_visit(cast.other_site, (-9, -7, VisitStatus.ATTENDED, -1))
    dated_visit(cast.other_site, (-9, -7, VisitStatus.MISSED, None), event="SE.D28")
    everywhere, *blocks = blocks_of(compliance(cast.investigator))
    assert [_brief(line) for line in everywhere.lines] == [
        ("SE.D7", 2, "50.0"),
        ("SE.D28", 1, "0.0"),
    ]
    assert _brief(everywhere.sum) == ("", 3, "33.3")
    assert [_sum(block) for block in blocks] == [("001", 1), ("002", 2)]
    assert [code_of(block) for block in blocks_of(compliance(cast.nurse))] == ["001"]


def _brief(line: Line) -> tuple[str, int, str]:
    return line.event_oid, line.figures.due, str(line.figures.percent)


def _sum(block: Block) -> tuple[str, int]:
    return code_of(block), block.sum.figures.due


def test_each_figure_opens_to_its_visits(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    for row in BY_HAND:
        dated_visit(cast.site, row, today=today)
    foreign = dated_visit(cast.other_site, BY_HAND[8], today=today)
    page = nurse_client.get("/compliance/").content.decode()
    for state, count in EXPECTED.items():
        address = f"/compliance/visits/?state={state}&amp;site=001&amp;event=SE.D7"
        assert f'<a href="{address}">{count}</a>' in page
        found = nurse_client.get(address.replace("&amp;", "&"))
        assert found.context["page"].paginator.count == count
        assert foreign.subject.screening_number not in found.content.decode()


def test_the_list_says_how_far_outside_and_why_not(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    dated_visit(cast.site, (-9, -7, VisitStatus.ATTENDED, -2), today=today)
    dated_visit(cast.site, (-9, -7, VisitStatus.MISSED, None), today=today)
    page = nurse_client.get("/compliance/visits/").content.decode()
    assert "+5" in page
    assert "No transport" in page


def test_every_column_is_defined_on_the_page_in_both_languages(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    dated_visit(cast.site, BY_HAND[0], today=today)
    page = nurse_client.get("/compliance/").content.decode()
    assert "In the window divided by due; a dash where nothing is due." in page
    assert "neither attended nor stated as missed" in page


def test_the_page_teaches_before_the_first_window(cast, nurse_client):
    assert "No visit has a window yet" in nurse_client.get("/compliance/").content.decode()


def test_compliance_costs_the_same_for_any_number_of_visits(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    make_protocol(cast.site)

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse_client.get(path).status_code == 200
        return len(captured)

    for row in BY_HAND[:3]:
        dated_visit(cast.site, row, today=today)
    paths = ("/compliance/", "/compliance/visits/", "/api/v1/compliance/")
    for path in paths:
        cost(path)
    few = [cost(path) for path in paths]
    for _ in range(3):
        for row in BY_HAND:
            dated_visit(cast.site, row, event="SE.D28", today=today)
    assert [cost(path) for path in paths] == few


def test_who_sees_no_casebook_sees_no_compliance(cast):
    client = sign_in(cast.administrator)
    assert client.get("/compliance/").status_code == 403
    assert client.get("/compliance/visits/").status_code == 403
    assert (
        ApiClient(make_user(Role.SITE_RECRUITER, cast.site)).get("compliance/").status_code == 403
    )


@pytest.mark.parametrize(("query", "count"), [("?site=002", 1), ("?event=SE.D28", 0), ("", 2)])
def test_the_api_narrows_by_site_and_event(cast, query, count):
    for site in (cast.site, cast.other_site):
        dated_visit(site, BY_HAND[0])
    answer = ApiClient(cast.investigator).client.get(f"/api/v1/compliance/{query}")
    assert len(answer.json()["results"]) == count
    own = ApiClient(cast.nurse).client.get(f"/api/v1/compliance/{query}").json()["results"]
    assert {row["site"] for row in own} <= {"001"}
