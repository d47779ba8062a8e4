"""Changes read from the database: the hand-worked study, and the same on page, API and file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.changes.change import Box
from outcomes.selectors.changes import Changes, Table, changes_of, measures_of, milestones_of
from outcomes.selectors.courses import courses_of
from tests.api.conftest import ApiClient
from tests.factories import as_person, make_protocol, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services import void_record

PATH = "/outcomes/changes/"


def changes(user: User, on: dt.date | None = None) -> Changes:
    with as_person(user):
        courses = courses_of(user, on=on)
        return changes_of(courses, protocol_of(make_protocol().pk))


def table(found: Changes, key: str) -> Table:
    return next(each for each in found.tables if each.measure.key == key)


def boxes(found: Changes, key: str, place: int = 0) -> dict[str, str]:
    """Subject -> box at a milestone."""
    return {
        line.subject.course.number: line.cells[place].box.value for line in table(found, key).lines
    }


def test_milestones_and_measures_are_the_protocols(cast):
    protocol = protocol_of(make_protocol(cast.site).pk)
    assert [(each.day, each.event.oid) for each in milestones_of(protocol)] == [
        (7, "SE.D7"), (14, "SE.D14"), (28, "SE.D28"), (56, "SE.W8"), (84, "SE.W12")
    ]  # fmt: skip
    keys = [each.key for each in measures_of(protocol)]
    assert keys == ["HEGRADE", "MELD", "MELD-meld_na_2016", "MELD-meld_3_0", "MELD-aetiology",
                    "PTA", "BILI"]  # fmt: skip


def test_other_versions_stand_beside_only_while_the_choice_is_open(cast):
    """Decision C2: the version is an assumption until it is confirmed."""
    protocol = protocol_of(make_protocol(cast.site).pk)
    path = next(each.path for each in protocol.assumptions() if each.value == "unos")
    confirmed = [each for each in measures_of(protocol.with_confirmed([path])) if each.version]
    assert [(each.version, each.confirmed) for each in confirmed] == [("unos", True)]
    assert [each.confirmed for each in measures_of(protocol) if each.version] == [False] * 4


def test_every_subject_is_in_the_box_worked_out_by_hand(cast, study):
    found = changes(cast.nurse)
    assert boxes(found, "BILI") == {
        "001-001": "counted", "001-002": "dead", "001-003": "not_treated",
        "001-004": "transplanted", "001-005": "no_baseline",
    }  # fmt: skip
    assert boxes(found, "HEGRADE")["001-001"] == "counted"
    assert boxes(found, "HEGRADE")["001-005"] == "missing"
    assert boxes(found, "PTA", 1)["001-001"] == "limit"
    assert boxes(found, "BILI", 4)["001-002"] == "dead"


def test_the_changes_are_the_ones_computed_by_hand(cast, study):
    """450 to 171; MELD 31 to 20; PTA 30 to 45; grade II to 0."""
    found = changes(cast.nurse)
    first = {each.measure.key: each.lines[0] for each in found.tables}
    assert first["BILI"].cells[0].change == Decimal(-279)
    assert first["BILI"].cells[1].change == Decimal(-300)
    assert first["PTA"].cells[0].change == Decimal(15)
    assert first["HEGRADE"].cells[0].change == Decimal(-2)
    meld = first["MELD"]
    assert meld.baseline is not None
    assert (meld.baseline.number, meld.cells[0].change) == (Decimal(31), Decimal(-11))


def test_a_score_needs_every_input_of_its_own_visit(cast, study):
    """Day 14 has bilirubin and no INR: nothing is taken from day 7."""
    assert boxes(changes(cast.nurse), "MELD", 1)["001-001"] == "missing"


def test_the_baseline_of_a_score_is_of_the_last_day_with_every_input(cast, study):
    """The day before treatment has no INR; two days before, all of them: MELD 25."""
    line = table(changes(cast.nurse), "MELD").lines[3]
    assert line.baseline is not None
    assert line.baseline.at.date() == dt.date(2026, 3, 3)
    bilirubin = table(changes(cast.nurse), "BILI").lines[3]
    assert bilirubin.baseline is not None
    assert [bilirubin.baseline.number, bilirubin.baseline.hours] == [240, Decimal("3.5")]


def test_an_input_known_only_as_a_limit_gives_no_score(cast, books):
    subject = books.subject("001-009")
    books.person(subject)
    books.draw(subject, -2, BILI="300", INR="2.0", CREAT="90")
    books.draw(subject, -1, BILI="300", INR="2.0", CREAT="<18")
    books.draw(subject, 7, visit="SE.D7", BILI="300", INR="2.0", CREAT="<18")
    (line,) = table(changes(cast.nurse), "MELD").lines
    assert line.baseline is not None
    assert line.baseline.number is None
    assert line.cells[0].box is Box.LIMIT


def test_without_knowing_of_dialysis_there_is_no_score(cast, books):
    subject = books.subject("001-009")
    books.draw(subject, -1, BILI="300", INR="2.0", CREAT="90")
    (line,) = table(changes(cast.nurse), "MELD").lines
    assert line.baseline is None


def test_what_is_dated_after_the_cut_is_left_out(cast, study):
    found = changes(cast.nurse, on=dt.date(2026, 3, 11))
    assert boxes(found, "BILI")["001-001"] == "not_yet_due"
    later = changes(cast.nurse, on=dt.date(2026, 3, 12))
    assert boxes(later, "BILI")["001-001"] == "counted"
    assert boxes(later, "BILI", 1)["001-001"] == "not_yet_due"


def test_voided_results_count_nowhere(cast, study):
    with as_person(cast.nurse):
        record = CrfRecord.objects.get(
            subject=study["one"], visit__event_oid="SE.D7", form_oid="F.LB", repeat_key=2
        )
        void_record(record=record, reason="Another person's printout", by=cast.nurse)
    assert boxes(changes(cast.nurse), "BILI")["001-001"] == "missing"


def test_more_subjects_cost_no_more_queries(cast, study, books):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            changes(cast.nurse)
        return len(captured)

    queries()
    few = queries()
    for n in range(6, 9):
        subject = books.subject(f"001-00{n}")
        books.person(subject)
        books.draw(subject, -1, BILI="300", INR="2.0", CREAT="90", PTA="35")
        books.draw(subject, 7, visit="SE.D7", BILI="100", INR="1.5", CREAT="90", PTA="60")
    assert queries() == few


# The page


def test_the_page_says_what_the_selector_says(cast, study):
    page = sign_in(cast.nurse).get(PATH).content.decode()
    found = changes(cast.nurse)
    for each in found.tables:
        section = page.split(f'data-measure="{each.measure.key}"')[1].split("</section>")[0]
        rows = re.findall(r'data-day="(\d+)" data-counted="(\d+)" data-total="(\d+)"', section)
        assert rows == [
            (str(milestone.day), str(summary.counted), str(summary.total))
            for milestone, summary in zip(found.milestones, each.summaries, strict=True)
        ]
    assert 'data-counted="1" data-total="5" data-change="−279.0"' in page
    assert "date of the first treatment session" in page  # the anchor is printed


@pytest.mark.parametrize(
    ("box", "members"),
    [("counted", ["001-001"]), ("dead", ["001-002"]), ("no_baseline", ["001-005"]),
     ("", ["001-001", "001-002", "001-003", "001-004", "001-005"])],
)  # fmt: skip
def test_every_count_opens_to_its_subjects(cast, study, box, members):
    client = sign_in(cast.nurse)
    page = client.get(f"{PATH}subjects/?measure=BILI&day=7&box={box}").content.decode()
    assert re.findall(r'data-subject="([^"]+)"', page) == members


@pytest.mark.parametrize(
    "query", ["", "?measure=BILI", "?measure=NO&day=7", "?measure=BILI&day=8",
              "?measure=BILI&day=7&box=no", "?measure=BILI&day=７"]
)  # fmt: skip
def test_a_count_that_the_page_does_not_have_is_not_found(cast, study, query):
    assert sign_in(cast.nurse).get(f"{PATH}subjects/{query}").status_code == 404


@pytest.mark.parametrize("on", ["yesterday", "2026-02-30", "2999-01-01"])
def test_a_day_that_cannot_be_is_said_and_kept_in_its_field(cast, study, on):
    page = sign_in(cast.nurse).get(PATH, {"on": on}).content.decode()
    assert 'aria-invalid="true"' in page
    assert f'value="{on}"' in page


# Whose subjects


def test_a_site_sees_its_own_subjects_and_counts_nobody_elses(cast, study, others):
    foreign = others.subject("002-001")
    others.draw(foreign, -1, BILI="300")
    others.draw(foreign, 7, visit="SE.D7", BILI="100")
    client = sign_in(cast.nurse)
    for path in (PATH, f"{PATH}?site=002", f"{PATH}subjects/?measure=BILI&day=7&site=002"):
        assert "002-001" not in client.get(path).content.decode()
    own = client.get(PATH).content.decode()
    assert 'data-total="5"' in own
    assert 'data-total="6"' not in own
    everywhere = sign_in(cast.investigator).get(PATH).content.decode()
    assert 'data-total="6"' in everywhere
    there = sign_in(cast.investigator).get(f"{PATH}?site=002").content.decode()
    assert 'data-total="1"' in there


def test_who_may_not_see_casebooks_sees_no_outcome(cast, study):
    recruiter = make_user(Role.SITE_RECRUITER, cast.site)
    for path in (PATH, "/outcomes/endpoints/", "/outcomes/biomarkers/"):
        assert sign_in(recruiter).get(path).status_code == 403


# API and file


def test_the_api_says_the_same(cast, study, api):
    client = api("nurse")
    answer = client.get("changes/", page_size=1000)
    assert answer.status_code == 200, answer.content
    rows = answer.json()["results"]
    mine = {(row["number"], row["measure"], row["version"], row["day"]): row for row in rows}
    row = mine["001-001", "BILI", None, 7]
    assert (row["box"], row["baseline"], row["value"], row["change"]) == (
        "counted", "450", "171", "-279"
    )  # fmt: skip
    assert mine["001-002", "BILI", None, 7]["box"] == "dead"
    assert len(rows) == 5 * 7 * 5  # subjects, measures, milestones
    summary = client.get("changes/summary/").json()["results"]
    first = next(each for each in summary if (each["measure"], each["day"]) == ("BILI", 7))
    assert (first["subjects"], first["counted"], first["lower"]) == (5, 1, 1)
    assert first["change"] == {"median": "-279", "low": "-279", "high": "-279"}
    assert sum(each["count"] for each in first["boxes"]) == 5


def test_the_api_shows_no_other_site(cast, study, others, api):
    others.subject("002-001")
    rows = api("nurse").get("changes/", page_size=1000).json()["results"]
    assert {row["site"] for row in rows} == {"001"}
    assert api("nurse").get("changes/", site="002").status_code == 404


@pytest.mark.parametrize("name", ["changes", "biomarkers"])
def test_the_file_has_the_rows_of_the_api(cast, study, name):
    client = ApiClient(make_user(Role.DATA_MANAGER))
    answer = client.get(f"datasets/{name}/", format="csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    said = client.get(f"{name}/", page_size=1000).json()
    assert len(rows) == said["count"]
    key = "change" if name == "changes" else "value"
    column = "CHG" if name == "changes" else "AVAL"
    assert [row[column] or None for row in rows] == [each[key] for each in said["results"]]


def test_no_protocol_no_figures(cast):
    page = sign_in(cast.nurse).get(PATH)
    assert page.status_code == 200
    assert "No protocol is loaded" in page.content.decode()
