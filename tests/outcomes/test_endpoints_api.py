"""Endpoints in the API: whose subjects, up to when, and what is not there."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.factories import given, make_protocol
from tests.outcomes.conftest import save_death, treated
from tests.outcomes.test_courses import enrolled, today


@pytest.fixture
def nurse(api) -> ApiClient:
    client: ApiClient = api("nurse")
    return client


@pytest.fixture
def zero(cast) -> dt.date:
    return today(cast.site) - dt.timedelta(days=50)


@pytest.fixture
def subject(cast, zero):
    found = enrolled(cast.site, cast.nurse, zero)
    treated(found, cast.nurse, f"{zero}T10:00")
    return found


def test_with_nobody_enrolled_there_is_no_number(cast, nurse):
    make_protocol(cast.site)
    answer = nurse.get("endpoints/").json()
    assert (answer["enrolled"], answer["overall"]["subjects"]) == (0, 0)
    for point in answer["overall"]["points"] + answer["conversion"]["transplant"]["points"]:
        assert (point["value"], point["interval"], point["absent"]) == (None, None, "nobody")
    for line in answer["milestones"]:
        assert line["alive_of_evaluable"]["value"] is None
        assert line["alive_of_evaluable"]["absent"] == "nobody"


def test_a_site_reads_its_own_subjects_and_knows_that_they_are(cast, api, subject, zero):
    foreign = enrolled(cast.other_site, cast.stranger, zero)
    ours, theirs = api("nurse"), api("stranger")
    answer = ours.get("endpoints/").json()
    assert (answer["enrolled"], answer["sites"], answer["study_wide"]) == (1, ["001"], False)
    assert str(foreign.pk) not in ours.get("endpoints/").content.decode()
    assert theirs.get("endpoints/").json()["sites"] == ["002"]
    both = api("investigator").get("endpoints/").json()
    assert (both["enrolled"], both["sites"], both["study_wide"]) == (2, ["001", "002"], True)
    one = api("investigator").get("endpoints/", site="001").json()
    assert (one["enrolled"], one["sites"], one["study_wide"]) == (1, ["001"], False)


@pytest.mark.parametrize("path", ["endpoints/", "endpoints/courses/"])
def test_a_foreign_site_is_as_one_that_does_not_exist(cast, nurse, subject, path):
    assert nurse.get(path, site="002").status_code == 404
    assert nurse.get(path, site="777").status_code == 404


@pytest.mark.parametrize("path", ["endpoints/", "endpoints/courses/"])
@pytest.mark.parametrize("on", ["yesterday", "", "2026-13-01"])
def test_what_is_no_date_is_refused_beside_its_name(cast, nurse, subject, path, on):
    answer = nurse.get(path, on=on)
    assert answer.status_code == 400
    assert "on" in answer.json()["errors"]


def test_the_cut_leaves_out_what_came_later(cast, nurse, subject, zero):
    save_death(subject, cast.nurse, died_on=(zero + dt.timedelta(days=40)).isoformat())
    assert nurse.get("endpoints/").json()["overall"]["events"] == 1
    cut = (zero + dt.timedelta(days=39)).isoformat()
    answer = nurse.get("endpoints/", on=cut).json()
    assert (answer["on"], answer["overall"]["events"]) == (cut, 0)
    (course,) = nurse.get("endpoints/courses/", on=cut).json()["results"]
    assert (course["died_on"], course["cut_on"]) == (None, cut)


@pytest.mark.parametrize("who", ["administrator"])
def test_who_sees_no_casebook_sees_no_endpoint(api, who):
    assert api(who).get("endpoints/").status_code == 403
    assert api(who).get("endpoints/courses/").status_code == 403


def test_the_subjects_behind_a_point_stand_beside_it(cast, nurse, subject, zero):
    save_death(subject, cast.nurse, died_on=(zero + dt.timedelta(days=40)).isoformat())
    (step,) = nurse.get("endpoints/").json()["overall"]["steps"]
    assert (step["day"], step["at_risk"], step["value"]) == (40, 1, "0.000000000000")
    assert step["deaths"] == [str(subject.pk)]


@pytest.mark.parametrize("path", ["endpoints/", "endpoints/courses/"])
def test_the_endpoints_of_many_cost_no_more_queries_than_of_few(cast, nurse, subject, zero, path):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert nurse.get(path).status_code == 200
        return len(captured)

    queries()
    few = queries()
    for _ in range(9):
        given(treated)(enrolled(cast.site, cast.nurse, zero), cast.nurse, f"{zero}T10:00")
    assert queries() == few
