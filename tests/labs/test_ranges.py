"""The register: one range at a time, its history kept, its corrections reported and not applied."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import as_person, make_protocol, make_record, make_subject, make_user, sign_in
from tests.labs.conftest import make_laboratory, make_range
from trialsite.access.capabilities import Role
from trialsite.core.exceptions import NotPermittedError
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import Laboratory, ReferenceRange
from trialsite.labs.rederivation import differing_results
from trialsite.labs.selectors import range_for
from trialsite.labs.services.ranges import (
    RangeValues,
    correct_range,
    end_range,
    keep_laboratory,
    keep_range,
    void_range,
)

DAY = dt.date(2026, 3, 5)


def state(laboratory, by, since="2026-03-01", until=None, **values):
    given: Any = {"analyte": "K", "unit": "mmol/L", "low": Decimal("3.5"), "high": Decimal("5.3")}
    with as_person(by):
        return keep_range(
            laboratory=laboratory,
            values=RangeValues(**(given | values)),
            since=dt.date.fromisoformat(since),
            until=until and dt.date.fromisoformat(until),
            by=by,
        )


def in_force(cast, laboratory, on, sex="M", age=40, analyte="K"):
    with as_person(cast.nurse):
        return range_for(laboratory, analyte, sex, age, dt.date.fromisoformat(on))


def test_a_newer_range_ends_the_one_before_it_and_both_stay(cast, laboratory):
    first = state(laboratory, cast.data_manager, "2026-01-01")
    second = state(laboratory, cast.data_manager, "2026-03-01", high=Decimal("5.5"))
    assert in_force(cast, laboratory, "2026-02-28") == first
    assert in_force(cast, laboratory, "2026-03-01") == second
    assert in_force(cast, laboratory, "2025-12-31") is None


@pytest.mark.parametrize(
    ("sex", "age_from", "age_below", "overlaps"),
    [
        ("ALL", 0, None, True),
        ("M", 0, None, True),
        ("F", 18, 19, True),
        ("ALL", 0, 18, False),
        ("M", 65, None, False),
        ("M", 64, None, True),
    ],
)
def test_two_ranges_never_hold_for_the_same_person_on_the_same_day(
    cast, laboratory, sex, age_from, age_below, overlaps
):
    state(laboratory, cast.data_manager, "2026-01-01", "2026-06-01", age_from=18, age_below=65)
    extra = {"sex": sex, "age_from": age_from, "age_below": age_below}
    if not overlaps:
        assert state(laboratory, cast.data_manager, "2026-05-31", **extra).pk
        return
    with pytest.raises(ImpossibleError) as refused:
        state(laboratory, cast.data_manager, "2026-05-31", **extra)
    assert set(refused.value.errors) == {"since"}
    assert state(laboratory, cast.data_manager, "2026-06-01", **extra).pk


@pytest.mark.parametrize(
    ("sex", "age", "found"),
    [("M", 17, "young"), ("M", 18, "men"), ("F", 18, "women"), ("", 18, None), ("F", None, None)],
)
def test_the_range_is_that_of_the_persons_sex_and_age(cast, laboratory, sex, age, found):
    ranges = {
        "young": state(laboratory, cast.data_manager, age_below=18),
        "men": state(laboratory, cast.data_manager, sex="M", age_from=18),
        "women": state(laboratory, cast.data_manager, sex="F", age_from=18),
    }
    assert in_force(cast, laboratory, "2026-03-05", sex, age) == ranges.get(found)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"low": None, "high": None}, ""),
        ({"low": Decimal(6)}, ""),
        ({"unit": "furlong"}, "unit"),
        ({"analyte": "NOSUCH"}, "analyte"),
        ({"age_from": 65, "age_below": 18}, ""),
    ],
)
def test_a_range_that_cannot_be_is_refused(cast, laboratory, values, field):
    with pytest.raises(ImpossibleError) as refused:
        state(laboratory, cast.data_manager, **values)
    assert set(refused.value.errors) == {field}


def test_a_range_of_one_side_judges_that_side_only(cast, laboratory, draw, save):
    state(laboratory, cast.data_manager, analyte="CRP", unit="mg/L", low=None, high=Decimal(10))
    save(draw, {"CRP": "0", "CRP.unit": "mg/L"})
    saved = save(draw, {"CRP": "1.1", "CRP.unit": "mg/dL"})
    assert saved.results["CRP"].flag == "high"


def test_an_ended_range_holds_no_longer_and_a_voided_one_never_did(cast, laboratory):
    first = state(laboratory, cast.data_manager, "2026-01-01")
    with as_person(cast.data_manager):
        end_range(found=first, on=dt.date(2026, 2, 1), by=cast.data_manager)
    assert in_force(cast, laboratory, "2026-01-31") == first
    assert in_force(cast, laboratory, "2026-02-01") is None
    with as_person(cast.data_manager):
        with pytest.raises(ImpossibleError):
            void_range(found=first, reason=" ", by=cast.data_manager)
        void_range(found=first, reason="another laboratory's", by=cast.data_manager)
    assert in_force(cast, laboratory, "2026-01-31") is None


def test_a_correction_lists_what_it_would_judge_otherwise_and_changes_nothing(
    cast, subject, laboratory, save
):
    values = {"22": "normal", "21": "normal", "19": "normal"}
    for number, text in enumerate(values):
        record = make_record(subject, form_oid="F.LB", repeat_key=number + 1)
        save(record, {"BILI": text, "BILI.unit": "umol/L"})
    with as_person(cast.data_manager):
        assert differing_results(laboratory) == []
        wrong = ReferenceRange.objects.get(laboratory=laboratory, analyte="BILI")
        correct_range(
            found=wrong,
            low=Decimal(3),
            high=Decimal("20.5"),
            unit="umol/L",
            reason="typed wrongly",
            by=cast.data_manager,
        )
        found = differing_results(laboratory)
    assert {(each.result.text, each.flag, each.flips) for each in found} == {
        ("22", "high", True),
        ("21", "high", True),
        ("19", "normal", False),
    }
    assert {each.result.flag for each in found} == {"normal"}
    page = sign_in(cast.data_manager).get(f"/labs/laboratories/{laboratory.pk}/").content.decode()
    assert page.count("Normal → High") == 2


@pytest.mark.parametrize("who", ["nurse", "monitor", "investigator", "stranger"])
def test_only_who_keeps_laboratories_changes_the_register(cast, laboratory, who):
    person = getattr(cast, who)
    with pytest.raises(NotPermittedError):
        state(laboratory, person)
    with as_person(person), pytest.raises(NotPermittedError):
        keep_laboratory(site=cast.site, code="X", name="X", by=person)
    assert sign_in(person).post("/labs/laboratories/add/", {}).status_code == 403


def test_a_laboratory_is_added_and_given_a_range_on_the_pages(cast):
    make_protocol(cast.site)
    client = sign_in(cast.data_manager)
    fields = {"site": cast.site.pk, "code": "ICU", "name": "Ward laboratory", "active": "on"}
    made = client.post("/labs/laboratories/add/", fields)
    assert made.status_code == 302
    again = client.post("/labs/laboratories/add/", fields)
    assert again.status_code == 422
    assert "has a laboratory of this code already" in again.content.decode()
    with as_person(cast.data_manager):
        laboratory = Laboratory.objects.get(code="ICU")
    address = f"/labs/laboratories/{laboratory.pk}/"
    stated = {"analyte": "K", "unit": "mmol/L", "low": "3.5", "sex": "ALL", "age_from": "0",
              "since": "2026-01-01"}  # fmt: skip
    assert client.post(f"{address}ranges/", {**stated, "low": ""}).status_code == 422
    assert client.post(f"{address}ranges/", stated).status_code == 302
    page = client.get(address).content.decode()
    assert "Potassium" in page
    assert "3.5" in page
    (row,) = list_of(cast, laboratory)
    assert client.post(f"/labs/ranges/{row.pk}/end/", {"until": "2026-02-01"}).status_code == 302
    correction = {"low": "3.4", "high": "5.2", "unit": "mmol/L", "reason": "typed wrongly"}
    assert client.post(f"/labs/ranges/{row.pk}/", correction).status_code == 302
    rows = list_of(cast, laboratory)
    assert [(r.low_text, r.void_reason) for r in rows if r.voided_at is None] == [("3.4", "")]
    assert rows[0].valid.upper == dt.date(2026, 2, 1)


def list_of(cast, laboratory):
    with as_person(cast.data_manager):
        return list(ReferenceRange.objects.filter(laboratory=laboratory).order_by("voided_at"))


def test_another_sites_laboratory_is_not_there(cast, laboratory):
    foreign = make_laboratory(cast.other_site, "ELSEWHERE")
    found = make_range(foreign, "K", "3", "5", "mmol/L")
    client = sign_in(cast.nurse)
    assert client.get(f"/labs/laboratories/{foreign.pk}/").status_code == 404
    page = client.get("/labs/laboratories/").content.decode()
    assert "CENTRAL" in page
    assert "ELSEWHERE" not in page
    manager = sign_in(make_user(Role.DATA_MANAGER, cast.site))
    for address in (f"laboratories/{foreign.pk}/change/", f"ranges/{found.pk}/"):
        assert manager.get(f"/labs/{address}").status_code == 404
    assert manager.post(f"/labs/laboratories/{foreign.pk}/ranges/", {}).status_code == 404
    assert manager.post(f"/labs/ranges/{found.pk}/void/", {"reason": "x"}).status_code == 404


def test_a_subjects_draws_know_nothing_of_another_laboratorys_range(cast, laboratory, save):
    other = make_laboratory(cast.site, "ICU")
    make_range(other, "K", "3", "5", "mmol/L")
    record = make_record(make_subject(cast.site), form_oid="F.LB")
    assert save(record, {"K": "7", "K.unit": "mmol/L"}).results["K"].flag == "unknown"
