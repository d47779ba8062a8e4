"""Destruction lists as a technician works through them."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from samples.models import Aliquot, Destruction
from samples.notices import KIND
from screening.models.consent import Scope
from tests.factories import as_person, sign_in
from tests.samples.bench import collected, stored, technician_at
from tests.screening.consenting import withdraw
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, planner_of


@pytest.fixture
def bench(technician):
    return sign_in(technician)


@pytest.fixture
def listed(cast, visit, technician, box) -> Destruction:
    """A list of two aliquots, one of them in a box, and of one tube."""
    stored(visit, technician, box)
    collected(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        return Destruction.objects.get()


def text(answer):
    return answer.content.decode()


def lines_of(listed, by):
    with as_person(by):
        return list(listed.lines.order_by("pk"))


def page_of(listed):
    return reverse("samples:destruction", args=[listed.pk])


def test_the_page_says_where_each_is_and_that_it_cannot_be_closed_yet(
    bench, listed, box, technician
):
    page = text(bench.get(page_of(listed)))
    assert f"{box.code} A1" in page
    assert "0/3" in page
    bench.post(reverse("samples:close_destruction", args=[listed.pk]))
    with as_person(technician):
        assert Destruction.objects.get().closed_at is None
    assert "3 samples are not destroyed or explained yet" in text(bench.get(page_of(listed)))


def test_what_is_ticked_is_destroyed_before_a_witness_and_the_list_closed(
    bench, cast, listed, technician
):
    tick = [str(each.pk) for each in lines_of(listed, technician)]
    address = reverse("samples:destroy", args=[listed.pk])
    refused = bench.post(address, {"lines": tick[:2], "how": "Autoclaved", "witness": ""})
    assert refused.status_code == 422
    page = text(refused)
    assert page.count(" checked") == 2
    assert 'value="Autoclaved"' in page
    done = bench.post(address, {"lines": tick, "how": "Autoclaved", "witness": str(cast.nurse.pk)})
    assert done.status_code == 302
    bench.post(reverse("samples:close_destruction", args=[listed.pk]))
    page = text(bench.get(page_of(listed)))
    assert page.count("witnessed by Nora Nurse") == 3
    with as_person(technician):
        assert Destruction.objects.get().closed_at is not None
        assert set(Aliquot.objects.values_list("state", flat=True)) == {"destroyed"}


def test_nothing_ticked_is_refused_beside_the_lines(bench, cast, listed):
    address = reverse("samples:destroy", args=[listed.pk])
    refused = bench.post(address, {"how": "Autoclaved", "witness": str(cast.nurse.pk)})
    assert refused.status_code == 422
    assert "Choose what was destroyed." in text(refused)


def test_one_is_explained_on_its_own_page(bench, listed, technician):
    line = lines_of(listed, technician)[0]
    address = reverse("samples:explain", args=[line.pk])
    page = bench.get(address)
    assert page.status_code == 200
    # It stands in the site's own freezer: no recipient can have destroyed it.
    assert "recipient has destroyed" not in text(page)
    assert bench.post(address, {"why": "recipient", "explanation": "Letter"}).status_code == 422
    assert bench.post(address, {"why": "lost", "explanation": "Searched"}).status_code == 302
    assert "1/3" in text(bench.get(page_of(listed)))


def test_lists_stand_on_today_and_among_samples_until_they_are_closed(
    bench, cast, listed, technician
):
    for address in ("/", "/samples/", "/samples/destruction/"):
        page = text(bench.get(address))
        assert page_of(listed) in page, address
        assert "0/3" in page
    assert page_of(listed) in text(sign_in(cast.nurse).get("/"))
    destroy = {
        "lines": [str(each.pk) for each in lines_of(listed, technician)],
        "how": "Autoclaved",
        "witness": str(cast.nurse.pk),
    }
    bench.post(reverse("samples:destroy", args=[listed.pk]), destroy)
    bench.post(reverse("samples:close_destruction", args=[listed.pk]))
    for address in ("/", "/samples/"):
        assert page_of(listed) not in text(bench.get(address)), address
    assert page_of(listed) in text(bench.get("/samples/destruction/"))


def test_a_list_costs_the_same_queries_however_long(bench, cast, visit, technician, box):
    def read(address):
        with CaptureQueriesContext(connection) as queries:
            assert bench.get(address).status_code == 200
        return len(queries)

    stored(visit, technician, box)
    tube = collected(visit, technician, "URINE", hours=-2)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        listed = Destruction.objects.get()
    addresses = (page_of(listed), "/samples/destruction/")
    few = [(read(each), read(each))[1] for each in addresses]
    for _more in range(2):
        collected(visit, technician, "SERUM", hours=-3)
    with as_person(technician):
        assert listed.lines.count() == 5
        assert tube.destruction_lines.count() == 1
    assert [read(each) for each in addresses] == few


def test_another_site_finds_no_list(cast, listed):
    stranger = sign_in(technician_at(cast.other_site))
    assert stranger.get(page_of(listed)).status_code == 404
    assert stranger.post(reverse("samples:destroy", args=[listed.pk])).status_code == 404
    assert "0/3" not in text(stranger.get("/samples/destruction/"))


def test_a_monitor_reads_and_destroys_nothing(cast, listed, technician):
    monitor = sign_in(cast.monitor)
    page = text(monitor.get(page_of(listed)))
    assert "still there" in page
    assert "checkbox" not in page
    assert monitor.post(reverse("samples:destroy", args=[listed.pk])).status_code == 403


def test_whoever_handles_samples_is_told_once_a_week_while_something_is_left(
    cast, listed, technician
):
    def told(by):
        with as_person(by):
            return Notice.objects.filter(kind=KIND, recipient=by).count()

    now = trial_now()
    plan_notices(now, kind=KIND)
    plan_notices(now, kind=KIND)
    assert told(technician) >= 1
    once = told(technician)
    with as_person(technician):
        waiting = list(Notice.objects.filter(kind=KIND, recipient=technician))
        assert planner_of(KIND).still_due(waiting) == {each.pk for each in waiting}
    bench = sign_in(technician)
    for line in lines_of(listed, technician):
        bench.post(
            reverse("samples:explain", args=[line.pk]), {"why": "lost", "explanation": "Searched"}
        )
    bench.post(reverse("samples:close_destruction", args=[listed.pk]))
    with as_person(technician):
        assert planner_of(KIND).still_due(waiting) == set()
    plan_notices(now, kind=KIND)
    assert told(technician) == once


def test_the_dataset_says_what_became_of_each(cast, listed, technician):
    bench = sign_in(technician)
    line = lines_of(listed, technician)[0]
    bench.post(
        reverse("samples:explain", args=[line.pk]), {"why": "lost", "explanation": "Searched"}
    )
    answer = sign_in(cast.data_manager).get("/api/v1/datasets/samples_destruction/")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert sorted(each["OUTCOME"] for each in rows) == ["", "", "lost"]
    assert {each["REASON"] for each in rows} == {"", "Searched"}
