"""Parcels that are not received in time: on Today, on the list, and by reminder."""

from __future__ import annotations

import csv
import datetime as dt
import io
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from samples.reminders import KIND
from samples.services.shipments import arrive, receive
from tests.factories import as_person, given, sign_in
from tests.samples.bench import technician_at
from tests.samples.shipping import drafted, frozen, sent
from tests.visits.clock import Clock
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, planner_of


@pytest.fixture
def clock(db):
    one = Clock()
    yield one
    one.stop()


@pytest.fixture
def parcel(cast, visit, technician, box):
    tubes = frozen(visit, technician, box, 2)
    return sent(drafted(cast.site, technician), technician, *tubes)


@given
def told() -> list[int | None]:
    shown = Notice.objects.filter(kind=KIND, shown=True)
    return list(shown.order_by("recipient").values_list("recipient", flat=True))


def _pass(clock, parcel, days):
    """So many days after it was due, in the afternoon."""
    day = parcel.due_on + dt.timedelta(days=days)
    clock.put(dt.datetime.combine(day, dt.time(15), tzinfo=ZoneInfo(parcel.time_zone)))


def page(client, name):
    return client.get(reverse(name)).content.decode()


@pytest.mark.parametrize(("days", "late"), [(0, False), (1, True), (3, True)])
def test_a_parcel_is_late_from_the_day_after_it_was_expected(clock, parcel, technician, days, late):
    _pass(clock, parcel, days)
    client = sign_in(technician)
    for name in ("dashboard:today", "samples:overview"):
        assert ("Shipments not received in time" in page(client, name)) is late
    words = "1 day late" if days == 1 else f"{days} days late"
    assert (words in page(client, "samples:shipments")) is late


def test_who_ships_there_is_told_once_until_all_of_it_is_settled(
    clock, cast, parcel, technician, box
):
    technician_at(cast.other_site)
    wide = technician_at(None)
    _pass(clock, parcel, 0)
    plan_notices(trial_now(), kind=KIND)
    assert told() == []
    _pass(clock, parcel, 1)
    for _pass_of_beat in range(2):
        plan_notices(trial_now(), kind=KIND)
    assert told() == sorted([technician.pk, wide.pk])
    planner = planner_of(KIND)
    notices = given(lambda: list(Notice.objects.filter(kind=KIND)))()
    assert given(planner.still_due)(notices) == {each.pk for each in notices}
    # That it has arrived, and its first tube was scanned, settles nothing of the other.
    with as_person(technician):
        arrive(by=technician, shipment=parcel, receiver="Dr Li")
        first, second = parcel.lines.order_by("number")
        receive(by=technician, shipment=parcel, code=first.code)
    client = sign_in(technician)
    assert given(planner.still_due)(notices) == {each.pk for each in notices}
    assert "Shipments not received in time" in page(client, "dashboard:today")
    assert "1 day late" in page(client, "samples:shipments")
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=second.code)
    assert given(planner.still_due)(notices) == set()
    assert "Shipments not received in time" not in page(client, "dashboard:today")


@pytest.mark.parametrize(("name", "rows"), [("shipments", 1), ("shipment_lines", 2)])
def test_shipments_are_datasets(cast, parcel, name, rows):
    answer = sign_in(cast.data_manager).get(f"/api/v1/datasets/{name}/")
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert len(lines) == rows
    assert {line["SHIPMENT"] for line in lines} == {parcel.code}


def test_custody_as_a_dataset_names_the_shipment(cast, parcel):
    answer = sign_in(cast.data_manager).get("/api/v1/datasets/be/")
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    shipped = [each for each in lines if each["BETERM"] in {"packed", "shipped"}]
    assert len(shipped) == 4
    assert {each["SHIPMENT"] for each in shipped} == {parcel.code}
