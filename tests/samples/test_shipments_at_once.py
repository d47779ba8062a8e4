"""Two people at the same parcel or the same aliquot at the same moment; everything commits."""

from __future__ import annotations

from functools import partial

import pytest

from samples.models import Aliquot, CustodyEvent, Shipment, ShipmentLine
from samples.services.aliquots import thaw_aliquot
from samples.services.shipments import Scanned, close_shipment, hand_over, pack, receive, unpack
from tests.factories import as_person, given, make_cast
from tests.samples.bench import box_at, sampled, technician_at
from tests.samples.shipping import drafted, frozen, packed, permitted, sent, states
from tests.samples.test_at_once import tried
from tests.screening.test_enrolment import at_once

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def scene(committed):
    cast = make_cast()
    one, other = technician_at(cast.site), technician_at(cast.site)
    tubes = frozen(sampled(cast), one, box_at(cast.site, one), 4)
    return cast, one, other, tubes


@given
def agree() -> None:
    """Each aliquot is where its last custody and its open line say."""
    for aliquot in Aliquot.objects.all():
        kinds = CustodyEvent.objects.filter(aliquot=aliquot).order_by("number")
        lines = ShipmentLine.objects.filter(aliquot=aliquot, state="packed")
        if aliquot.state in ("packed", "shipped"):
            assert list(kinds)[-1].kind == aliquot.state
            assert aliquot.box_id is None
            assert [each.shipment_id for each in lines] == [aliquot.shipment_id]
        else:
            assert not lines


def test_one_aliquot_goes_into_one_parcel(scene):
    cast, one, other, tubes = scene
    parcels = [drafted(cast.site, one), drafted(cast.site, other)]
    for tube in tubes:
        results = at_once(
            *(
                partial(tried, by, partial(pack, by=by, shipment=parcel, code=tube.code))
                for by, parcel in zip((one, other), parcels, strict=True)
            )
        )
        assert sum(isinstance(each, Scanned) for each in results) == 1
    agree()


def test_two_scanners_at_one_parcel_number_their_lines_without_gap(scene):
    cast, one, other, tubes = scene
    parcel = drafted(cast.site, one)
    at_once(
        *(
            partial(tried, by, partial(pack, by=by, shipment=parcel, code=tube.code))
            for by, tube in zip((one, other) * 2, tubes, strict=True)
        )
    )
    with as_person(one):
        numbers = ShipmentLine.objects.values_list("number", flat=True)
        assert sorted(numbers) == [1, 2, 3, 4]
    agree()


@pytest.mark.parametrize("_round", range(3))
def test_what_is_scanned_while_the_parcel_leaves_is_in_it_or_is_not(scene, _round):
    cast, one, other, tubes = scene
    parcel = drafted(cast.site, one)
    packed(parcel, one, tubes[0])
    at_once(
        partial(tried, one, partial(hand_over, by=one, shipment=parcel)),
        partial(tried, other, partial(pack, by=other, shipment=parcel, code=tubes[1].code)),
    )
    with as_person(one):
        assert Shipment.objects.get().state == "sent"
        states = set(Aliquot.objects.filter(shipment=parcel).values_list("state", flat=True))
        assert states == {"shipped"}
    agree()


def test_one_tube_is_taken_out_or_leaves(scene):
    cast, one, other, tubes = scene
    parcel = drafted(cast.site, one)
    packed(parcel, one, *tubes[:2])
    at_once(
        partial(tried, one, partial(hand_over, by=one, shipment=parcel)),
        partial(tried, other, partial(unpack, by=other, shipment=parcel, code=tubes[0].code)),
    )
    # Whoever came first: the other is in the parcel that left, and this one is in it or out.
    with as_person(one):
        assert Shipment.objects.get().state == "sent"
        line = ShipmentLine.objects.get(aliquot=tubes[0])
    expected = {"packed": ["shipped", "shipped"], "unpacked": ["held", "shipped"]}
    assert states(*tubes[:2]) == expected[line.state]
    agree()


def test_it_is_packed_or_thawed(scene):
    cast, one, other, tubes = scene
    parcel = drafted(cast.site, one)
    at_once(
        partial(tried, one, partial(pack, by=one, shipment=parcel, code=tubes[0].code)),
        partial(tried, other, partial(thaw_aliquot, aliquot=tubes[0], reason="x", by=other)),
    )
    agree()


def test_a_tube_received_by_two_is_received_once_and_closing_waits(scene):
    cast, one, other, tubes = scene
    parcel = sent(drafted(cast.site, one), one, *tubes)
    at_once(
        *(
            partial(tried, by, partial(receive, by=by, shipment=parcel, code=tube.code))
            for tube in tubes[:3]
            for by in (one, other)
        )
    )
    at_once(
        partial(tried, one, partial(close_shipment, by=one, shipment=parcel)),
        partial(tried, other, partial(receive, by=other, shipment=parcel, code=tubes[3].code)),
    )
    with as_person(one):
        # Closed before the last was received, it would have an open line.
        assert Shipment.objects.get().state in {"received", "closed"}
        assert not ShipmentLine.objects.exclude(state="received").exists()
        for tube in tubes:
            assert CustodyEvent.objects.filter(aliquot=tube, kind="arrived").count() == 1


def test_a_permission_for_two_is_not_used_for_three(scene):
    cast, one, other, tubes = scene
    permission = permitted(cast, aliquots_at_most=2)
    parcels = [drafted(cast.site, by, abroad=True, permission=permission) for by in (one, other)]
    at_once(
        *(
            partial(tried, by, partial(pack, by=by, shipment=parcel, code=tube.code))
            for by, parcel, tube in zip((one, other) * 2, parcels * 2, tubes, strict=True)
        )
    )
    with as_person(one):
        assert ShipmentLine.objects.count() == 2
    agree()
