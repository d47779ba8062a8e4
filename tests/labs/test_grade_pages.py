"""CTCAE grades on the pages, in the API and in the dataset: computed from stored results."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re

import pytest
from django.test import Client

from tests.api.conftest import ApiClient, api
from tests.factories import as_person, given, make_record, make_subject, make_user, sign_in
from tests.labs.conftest import DRAW
from trialsite.access.capabilities import Role
from trialsite.core.partial_dates import PartialDate
from trialsite.labs.background import Period, covered
from trialsite.labs.codes import PurificationKind, PurificationSource
from trialsite.labs.grades import graded_results, suggested_grade
from trialsite.labs.models import LabResult, PurificationInterval

__all__ = ["api"]

BEFORE, AFTER, LATER = "2026-03-05T07:30", "2026-03-07T08:00", "2026-03-09T08:00"


@given
def treated(subject, start="2026-03-05T10:00") -> PurificationInterval:
    return PurificationInterval.objects.create(
        site_id=subject.site_id,
        subject=subject,
        kind=PurificationKind.values[0],
        source=PurificationSource.SESSION,
        origin=subject.pk,
        started_at=dt.datetime.fromisoformat(start),
        ended_at=dt.datetime.fromisoformat(start) + dt.timedelta(hours=6),
        time_zone="Asia/Shanghai",
    )


UNITS = {"BILI": "umol/L", "ALT": "U/L", "PLAT": "10*9/L", "INR": "{INR}"}


def with_units(texts: dict[str, str]) -> dict[str, str]:
    return {f"{key}.unit": unit for key, unit in UNITS.items() if key in texts} | texts


@pytest.fixture
def keep(subject, save):
    """Save a draw of the subject at a time."""
    numbers = iter(range(2, 50))

    def at(moment: str, **texts: str):
        record = make_record(subject, form_oid="F.LB", repeat_key=next(numbers))
        header = DRAW | {"collected_at": moment, "received_at": ""}
        save(record, with_units(texts), header=header)
        return record

    return at


@given
def grades_of(subject) -> dict[tuple[str, str], str]:
    found = graded_results([subject.pk]).get(subject.pk, [])
    return {
        (f"{each.result.panel.collected_at:%m-%d}", each.result.analyte): each.grade.said
        or f"?{each.grade.why}"
        for each in found
    }


def text_of(response) -> str:
    shown = re.sub(r"<[^>]+>", " ", response.content.decode())
    return html.unescape(re.sub(r"\s+", " ", shown))


@pytest.mark.requirement("PR1")
def test_a_value_after_the_first_session_is_graded_against_the_last_before_it(subject, keep):
    """Clinical.md T17, through the pages: bilirubin 320 at baseline, ULN 23."""
    keep("2026-03-03T08:00", BILI="100")
    keep(BEFORE, BILI="320")
    keep(AFTER, BILI="480")
    keep(LATER, BILI="500")
    treated(subject)
    assert grades_of(subject) == {
        ("03-03", "BILI"): "3",
        ("03-05", "BILI"): "4",
        ("03-07", "BILI"): "1",
        ("03-09", "BILI"): "2",
    }


def test_a_draw_at_the_very_minute_of_the_start_is_before_it(subject, keep):
    keep(BEFORE, BILI="100")
    keep("2026-03-05T10:00", BILI="320")
    keep("2026-03-05T10:01", BILI="480")
    treated(subject)
    rows = given(graded_results)([subject.pk])[subject.pk]
    assert [(each.grade.said, each.before) for each in rows] == [
        ("3", True),
        ("4", True),
        ("1", False),
    ]


def test_without_a_session_every_value_is_one_from_before(subject, keep):
    keep(BEFORE, BILI="320")
    keep(AFTER, BILI="480")
    assert set(grades_of(subject).values()) == {"4"}


def test_the_unit_of_the_printout_moves_no_grade(subject, keep):
    keep(BEFORE, BILI="320")
    keep(AFTER, **{"BILI": "29", "BILI.unit": "mg/dL"})
    keep(LATER, BILI="496.016")
    treated(subject)
    found = grades_of(subject)
    assert found["03-07", "BILI"] == found["03-09", "BILI"] == "2"


def test_a_missing_range_or_baseline_is_said(subject, keep):
    keep(BEFORE, ALT="80")
    keep(AFTER, ALT="80", BILI="500")
    treated(subject)
    found = grades_of(subject)
    assert found["03-05", "ALT"] == "?no_range"
    assert found["03-07", "ALT"] == "?baseline_range"
    assert found["03-07", "BILI"] == "?no_baseline"


def test_an_adverse_event_of_a_result_begins_with_its_grade(cast, subject, keep):
    keep(BEFORE, BILI="320", PLAT="140")
    keep(AFTER, BILI="961", PLAT="49.9")
    treated(subject)
    with as_person(cast.nurse):
        rows = LabResult.objects.filter(panel__collected_at=dt.datetime.fromisoformat(AFTER))
        found = {row.analyte: suggested_grade(row) for row in rows}
    assert found == {"BILI": 3, "PLAT": 3}


def test_the_page_shows_the_shift_and_why_there_is_no_grade(cast, subject, keep):
    keep(BEFORE, BILI="320", INR="2.0", PLAT="140")
    keep(AFTER, BILI="500", INR="2.4", PLAT="<50")
    treated(subject)
    client = sign_in(cast.nurse)
    shown = text_of(client.get(f"/labs/subjects/{subject.pk}/grades/"))
    assert "Baseline: the last value drawn before the first session started." in shown
    assert "a limit leaves more than one grade" in shown
    assert "CTCAE 5.0" in shown
    assert re.search(r"Total bilirubin .*?320 µmol/L .*? 4 2 500 µmol/L", shown)


def test_a_draws_page_shows_each_grade_with_that_of_the_baseline(cast, subject, keep):
    keep(BEFORE, BILI="320")
    record = keep(AFTER, BILI="500", PLAT="49.9")
    treated(subject)
    shown = text_of(sign_in(cast.nurse).get(f"/labs/panels/{record.pk}/"))
    assert "CTCAE 2 (baseline 4)" in shown
    assert "CTCAE 3" in shown


def test_the_line_being_typed_is_graded_too(cast, subject, keep, draw):
    keep(BEFORE, BILI="320")
    treated(subject)
    asked = {"analyte": "BILI", "BILI": "961", "BILI.unit": "umol/L", "laboratory": "CENTRAL",
             "collected_at": AFTER}  # fmt: skip
    said = sign_in(cast.nurse).post(f"/labs/panels/{draw.pk}/look/", asked).json()
    assert said["grade"] == "CTCAE 3 (baseline 4)"


def test_another_sites_subject_is_not_there(cast, subject):
    other = make_subject(cast.other_site)
    client: Client = sign_in(cast.nurse)
    assert client.get(f"/labs/subjects/{other.pk}/grades/").status_code == 404


def test_grades_take_the_same_queries_for_one_subject_and_for_many(
    cast, subject, keep, save, django_assert_num_queries
):
    keep(BEFORE, BILI="320")
    keep(AFTER, BILI="500", PLAT="49.9")
    treated(subject)
    others = [make_subject(cast.site) for _ in range(3)]
    for each in others:
        save(make_record(each, form_oid="F.LB"), with_units({"BILI": "30"}))
    people = [subject.pk, *(each.pk for each in others)]
    with as_person(cast.nurse):
        graded_results(people)  # The protocol is read once for a process.
        for asked in (people[:1], people):
            with django_assert_num_queries(3):
                assert len(graded_results(asked)) == len(asked)


def test_the_api_and_the_dataset_say_what_the_page_says(subject, keep, api):
    keep(BEFORE, BILI="320")
    keep(AFTER, BILI="500")
    treated(subject)
    told = api("nurse").get("lab-grades/", subject=str(subject.pk)).json()["results"]
    assert [(each["grade"], each["baseline"], each["version"]) for each in told] == [
        (4, None, "CTCAE 5.0"),
        (2, "320", "CTCAE 5.0"),
    ]
    said = [
        (row["LBTOXGR"], row["LBBASE"], row["BASEGRADE"], row["BASED"])
        for row in exported(api("data_manager"))
    ]
    assert said == [("4", "", "", "limits"), ("2", "320", "4", "baseline")]


def exported(client) -> list[dict[str, str]]:
    answer = client.get("datasets/lbgrades/", format="csv")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_other_sites_grades_are_in_neither(cast, subject, keep, api):
    keep(BEFORE, BILI="320")
    assert api("stranger").get("lab-grades/").json()["results"] == []
    elsewhere = make_user(Role.DATA_MANAGER, cast.other_site)
    assert exported(ApiClient(elsewhere)) == []


@pytest.mark.parametrize(
    ("start", "end", "ongoing", "on"),
    [
        ("2026-03-01", None, True, True),
        ("2026-03-01", "2026-03-05", False, True),
        ("2026-03-01", "2026-03-04", False, False),
        ("2026-03-06", None, True, False),
        ("2026-03", "2026-04", False, None),
        ("2026-02", "2026-04", False, True),
        ("2026-03-01", None, False, None),
        (None, None, True, None),
    ],
)
def test_an_anticoagulant_counts_on_the_days_it_surely_was_given(start, end, ongoing, on):
    dates = [PartialDate.parse(each) if each else None for each in (start, end)]
    period = Period(start=dates[0], end=dates[1], ongoing=ongoing)
    assert covered([period], dt.date(2026, 3, 5)) is on


def test_no_anticoagulant_on_record_is_none_given():
    assert covered([], dt.date(2026, 3, 5)) is False
