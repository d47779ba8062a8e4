"""The Standard PREanalytical Code is computed from what was recorded, and typed by nobody."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
from typing import Any

import pytest

from samples.models import Aliquot, Freezer
from samples.selectors.sprec import sprecs_of
from samples.services.facts import SpecimenFacts
from samples.services.specimens import describe_specimen
from samples.services.storage import add_box, add_freezer, move_box
from samples.sprec import Handling, sprec
from tests.factories import as_person, sign_in
from tests.samples.bench import stored
from trialsite.protocol.samples import AliquotTube

_NINE = dt.datetime(2026, 3, 5, 9, tzinfo=dt.UTC)


def after(minutes: float) -> dt.datetime:
    return _NINE + dt.timedelta(minutes=minutes)


#: EDTA blood on ice, spun after half an hour cool with brake, frozen within the hour.
WELL = Handling(
    matrix="blood",
    tube_type="PED",
    collected_at=_NINE,
    processed_at=after(30),
    spun=True,
    on_ice=True,
    g=2000,
    minutes=10,
    celsius=4,
    brake=True,
    kept_cool=True,
    frozen_at=after(60),
    container=AliquotTube.CRYOTUBE,
    stored_celsius=-80,
)


def code(**said: Any) -> str:
    return str(sprec(dataclasses.replace(WELL, **said)))


def test_the_code_of_a_tube_handled_as_planned():
    assert code() == "PL1-PED-B-D-N-A-D"
    assert sprec(WELL).is_complete


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [
        ({}, "PL1", "PED"),
        ({"tube_type": "SST"}, "SER", "SST"),
        ({"spun": False}, "BLD", "PED"),
        ({"matrix": "urine", "tube_type": "", "spun": False}, "URN", "XXX"),
        ({"matrix": "faeces", "tube_type": "", "spun": False}, "STL", "XXX"),
        ({"matrix": "effluent", "tube_type": "", "spun": False}, "ZZZ", "XXX"),
    ],
)
def test_sample_and_container(said, first, second):
    assert code(**said).split("-")[:2] == [first, second]


@pytest.mark.parametrize(
    ("minutes", "warm", "cool"),
    [
        (0, "A", "B"),
        (119, "A", "B"),
        (120, "C", "D"),
        (239, "C", "D"),
        (240, "E", "F"),
        (480, "G", "H"),
        (720, "I", "J"),
        (1440, "K", "L"),
        (2879, "K", "L"),
        (2880, "M", "N"),
    ],
)
def test_the_delay_before_processing(minutes, warm, cool):
    assert code(processed_at=after(minutes), on_ice=False).split("-")[2] == warm
    assert code(processed_at=after(minutes), on_ice=True).split("-")[2] == cool
    assert code(processed_at=after(minutes), on_ice=None).split("-")[2] == "X"


@pytest.mark.parametrize(
    ("g", "minutes", "celsius", "brake", "letter"),
    [
        (2999, 10, 20, False, "A"),
        (2999, 15, 20, True, "B"),
        (2999, 10, 10, False, "C"),
        (2999, 10, 2, True, "D"),
        (3000, 10, 20, True, "E"),
        (6000, 10, 4, True, "F"),
        (6001, 10, 20, True, "G"),
        (10_000, 10, 4, True, "H"),
        (10_001, 10, 20, True, "I"),
        (10_001, 10, 4, True, "J"),
        (999, 30, 20, False, "M"),
        (1000, 30, 20, False, "Z"),
        (3000, 10, 20, False, "Z"),
        (2000, 9, 20, True, "Z"),
        (2000, 16, 20, True, "Z"),
        (2000, 10, 14, True, "Z"),
        (2000, 10, 4, None, "X"),
        (None, 10, 4, True, "X"),
        (2000, None, 4, True, "X"),
        (2000, 10, None, True, "X"),
    ],
)
def test_centrifuging(g, minutes, celsius, brake, letter):
    said = code(g=g, minutes=minutes, celsius=celsius, brake=brake)
    assert said.split("-")[3:5] == [letter, "N"]


def test_what_was_not_centrifuged_has_neither_spin_nor_a_delay_after_it():
    assert code(spun=False).split("-")[3:6] == ["N", "N", "N"]


@pytest.mark.parametrize(
    ("minutes", "warm", "cool"),
    [(59, "B", "A"), (60, "D", "C"), (120, "F", "E"), (480, "H", "G"), (1440, "J", "I")],
)
def test_the_delay_until_it_is_frozen(minutes, warm, cool):
    frozen = {"processed_at": _NINE, "frozen_at": after(minutes)}
    assert code(**frozen, kept_cool=False).split("-")[5] == warm
    assert code(**frozen, kept_cool=True).split("-")[5] == cool
    assert code(**frozen, kept_cool=None).split("-")[5] == "X"


@pytest.mark.parametrize(
    ("container", "celsius", "letter"),
    [
        (AliquotTube.CRYOTUBE, -60, "D"),
        (AliquotTube.CRYOTUBE, -85, "D"),
        (AliquotTube.CRYOTUBE, -86, "Z"),
        (AliquotTube.CRYOTUBE, -20, "Z"),
        (AliquotTube.CRYOTUBE, -190, "C"),
        (AliquotTube.PP, -80, "A"),
        (AliquotTube.PP, -20, "B"),
        (AliquotTube.PP, -136, "V"),
        (AliquotTube.PP, -135, "Z"),
        (AliquotTube.PP_SMALL, -80, "S"),
        (AliquotTube.PP_LARGE, -80, "J"),
        (AliquotTube.PP_LARGE, -190, "Z"),
        (None, -80, "X"),
        (AliquotTube.PP, None, "X"),
    ],
)
def test_storage(container, celsius, letter):
    assert code(container=container, stored_celsius=celsius).split("-")[6] == letter


def test_nothing_recorded_is_nothing_known():
    nothing: dict[str, Any] = dict.fromkeys(
        ("on_ice", "g", "minutes", "celsius", "brake", "kept_cool", "frozen_at", "stored_celsius")
    )
    assert code(**nothing, tube_type="") == "PL1-XXX-X-X-N-X-X"
    assert not sprec(dataclasses.replace(WELL, **nothing)).is_complete


@pytest.mark.django_db
def test_the_page_and_the_dataset_say_the_same_code(cast, visit, technician, box):
    tube = stored(visit, technician, box)
    client = sign_in(technician)
    assert "PL1-PED-X-X-N-X-D" in client.get(f"/samples/one/{tube.code}/").content.decode()
    with as_person(technician):
        described = tube.specimen
        described.refresh_from_db()
        describe_specimen(
            specimen=described,
            facts=SpecimenFacts(on_ice=True, centrifuge_brake=True, kept_cool=False),
            reason="From the bench sheet",
            by=technician,
            base_version=described.version,
        )
    assert "PL1-PED-B-D-N-B-D" in client.get(f"/samples/one/{tube.code}/").content.decode()
    text = b"".join(sign_in(cast.data_manager).get("/api/v1/datasets/samples_sprec/"))
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert [row["SPREC"] for row in rows if row["BSREFID"] == tube.code] == ["PL1-PED-B-D-N-B-D"]
    assert all(row["SPREC"].endswith(row["SPREC7"]) for row in rows)


@pytest.mark.django_db
def test_a_box_put_into_nitrogen_takes_its_aliquots_along(cast, visit, technician, box):
    stored(visit, technician, box)
    with as_person(technician):
        tank = add_freezer(site=cast.site, name="N2", celsius=-190, racks=1, by=technician)
        move_box(box=box, rack=tank.racks.get(), by=technician)
        rows = Aliquot.objects.select_related("specimen__visit").exclude(box=None)
        (found,) = sprecs_of(list(rows)).values()
    assert found.storage == "C"


@pytest.mark.django_db
def test_more_aliquots_cost_no_more_queries(
    cast, visit, technician, box, django_assert_num_queries
):
    for _number in range(2):
        stored(visit, technician, box)
    with as_person(technician):
        add_box(site=cast.site, by=technician, rack=box.rack)
        rows = list(Aliquot.objects.select_related("specimen__visit__protocol_version"))
        assert Freezer.objects.count() == 1
        sprecs_of(rows[:1])
        with django_assert_num_queries(2):
            sprecs_of(rows[:1])
        with django_assert_num_queries(2):
            sprecs_of(rows)
