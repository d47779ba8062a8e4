"""Packing by scan: what goes into a parcel, what stays, and what comes out again."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from samples.models import (
    Aliquot,
    Box,
    CustodyKind,
    Shipment,
    ShipmentLine,
)
from samples.services.aliquots import (
    move_aliquots,
    store_aliquot,
)
from samples.services.log import Happening, enter
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import (
    cancel_shipment,
    hand_over,
    pack,
    receive,
    unpack,
)
from samples.services.storage import add_box, close_box, move_box
from screening.models.consent import Scope
from tests.factories import as_person
from tests.samples.bench import aliquoted, box_at, stored
from tests.samples.shipping import drafted, kinds_of, packed, states
from tests.screening.consenting import wall, withdraw
from trialsite.casebook.services.closings import record_death
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError


def test_what_is_packed_leaves_its_position_and_stands_on_the_manifest(technician, parcel, tubes):
    (line,) = packed(parcel, technician, tubes[1])
    assert (line.number, line.position, line.code) == (1, 2, tubes[1].code)
    with as_person(technician):
        held = Aliquot.objects.get(pk=tubes[1].pk)
    assert (held.state, held.box_id, held.shipment_id) == ("packed", None, parcel.pk)
    assert kinds_of(tubes[1])[-1] == "packed"


def test_the_same_scan_again_packs_nothing_twice(technician, parcel, tubes):
    packed(parcel, technician, tubes[0])
    with as_person(technician):
        again = pack(by=technician, shipment=parcel, code=tubes[0].code.lower())
        assert again.tone == "already"
        assert ShipmentLine.objects.count() == 1


def test_the_tube_itself_is_known_although_only_its_aliquots_are_packed(technician, parcel, tubes):
    with as_person(technician):
        code = tubes[0].specimen.code
    with (
        pytest.raises(ScanRefusedError, match="is the tube itself") as refused,
        as_person(technician),
    ):
        pack(by=technician, shipment=parcel, code=code)
    assert refused.value.headline == "A specimen"


def test_what_is_packed_elsewhere_is_refused_and_the_other_parcel_is_named(
    cast, technician, parcel, tubes
):
    packed(parcel, technician, tubes[0])
    other = drafted(cast.site, technician)
    with as_person(technician), pytest.raises(ScanRefusedError, match=parcel.code) as refused:
        pack(by=technician, shipment=other, code=tubes[0].code)
    assert refused.value.headline == "In another shipment"


def test_a_whole_box_is_packed_all_or_nothing(cast, technician, parcel, tubes, box):
    with as_person(technician):
        done = pack(by=technician, shipment=parcel, code=box.code)
        assert [each.code for each in done.lines] == [each.code for each in tubes]
        assert all(each.in_box for each in done.lines)
        box.refresh_from_db()
        assert box.rack is None
        assert pack(by=technician, shipment=parcel, code=box.code).tone == "already"
    assert states(*tubes) == ["packed"] * 3


def test_one_tube_without_consent_keeps_the_whole_box(cast, technician, tubes, box):
    genetic = drafted(cast.site, technician, genetic=True)
    with as_person(technician), pytest.raises(ScanRefusedError, match=tubes[0].code):
        pack(by=technician, shipment=genetic, code=box.code)
    assert states(*tubes) == ["stored"] * 3
    with as_person(technician):
        assert not ShipmentLine.objects.exists()


@pytest.mark.parametrize("by_box", [False, True])
def test_what_is_unpacked_waits_for_a_position_or_is_back_in_its_box(
    technician, parcel, tubes, box, by_box
):
    code = box.code if by_box else tubes[0].code
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=code)
        unpack(by=technician, shipment=parcel, code=code)
        found = Aliquot.objects.get(pk=tubes[0].pk)
        assert found.shipment is None
        assert (found.state, found.position) == (("stored", 1) if by_box else ("held", None))
        with pytest.raises(ScanRefusedError):
            unpack(by=technician, shipment=parcel, code=code)
        pack(by=technician, shipment=parcel, code=tubes[0].code)
        assert ShipmentLine.objects.standing().filter(code=tubes[0].code).count() == 1


def test_withdrawn_samples_are_not_packed(cast, visit, technician, parcel, tubes):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician), pytest.raises(ScanRefusedError, match="withdrawn") as refused:
        pack(by=technician, shipment=parcel, code=tubes[0].code)
    assert refused.value.headline == "Consent withdrawn"


def test_a_withdrawal_of_treatment_or_a_death_stops_no_shipment(
    cast, visit, technician, parcel, tubes
):
    withdraw(cast, visit.subject, Scope.TREATMENT)
    with as_person(cast.investigator):
        record_death(
            subject=visit.subject, died_on=wall(visit.site).date().isoformat(), by=cast.investigator
        )
    packed(parcel, technician, tubes[0])


def test_what_was_withdrawn_after_packing_is_not_handed_over(
    cast, visit, technician, parcel, tubes
):
    packed(parcel, technician, *tubes)
    withdraw(cast, visit.subject, Scope.ALL_DATA)
    with as_person(technician), pytest.raises(TransitionError, match=tubes[0].code):
        hand_over(by=technician, shipment=parcel)
    assert states(*tubes) == ["packed"] * 3


def test_a_cancelled_parcel_gives_everything_back(technician, parcel, tubes, box):
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        cancel_shipment(by=technician, shipment=parcel, reason="No courier")
        assert Shipment.objects.get().state == "cancelled"
        assert list(Aliquot.objects.order_by("position").values_list("state", "position")) == [
            ("stored", 1),
            ("stored", 2),
            ("stored", 3),
        ]


def test_nothing_goes_into_a_box_that_is_in_a_parcel_or_has_left(
    visit, technician, parcel, tubes, box
):
    fresh = aliquoted(visit, technician, "SERUM")[0]
    other = box_at(visit.site, technician, n=2)
    elsewhere = stored(visit, technician, other)
    rack = box.rack
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        for _where in ("packed", "sent"):
            for attempt in (
                lambda: store_aliquot(aliquot=fresh, box=box, by=technician),
                lambda: move_aliquots(aliquots=[elsewhere], box=box, by=technician),
                lambda: move_box(box=box, rack=rack, by=technician),
            ):
                with pytest.raises(TransitionError, match=parcel.code):
                    attempt()
            # PostgreSQL itself lets nothing in.
            said = Happening(box=box, position=9)
            with pytest.raises(ImpossibleError) as refused:
                enter(fresh, CustodyKind.STORED, technician, said)
            assert list(refused.value.errors) == ["position"]
            if _where == "packed":
                hand_over(by=technician, shipment=parcel)
        with pytest.raises(DatabaseError, match="has left"), transaction.atomic():
            Box.objects.filter(pk=box.pk).update(shipment=None)
        receive(by=technician, shipment=parcel, code=box.code, counted=True)
        # It comes back empty, and takes something again.
        assert move_box(box=box, rack=rack, by=technician).shipment is None
        assert store_aliquot(aliquot=fresh, box=box, by=technician).position == 1


@pytest.mark.parametrize("by_cancelling", [False, True])
def test_a_box_that_is_taken_out_stands_at_its_place_again(
    technician, parcel, tubes, box, by_cancelling
):
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        if by_cancelling:
            cancel_shipment(by=technician, shipment=parcel, reason="No courier")
        else:
            unpack(by=technician, shipment=parcel, code=box.code)
        back = Box.objects.get(pk=box.pk)
    assert (back.shipment_id, back.rack_id, back.place) == (None, box.rack_id, box.place)
    assert states(*tubes) == ["stored"] * 3


@pytest.mark.parametrize("by_cancelling", [False, True])
def test_what_does_not_fit_back_is_out_of_its_box_and_the_parcel_is_emptied_all_the_same(
    cast, technician, parcel, tubes, box, by_cancelling
):
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        close_box(box=box, closed=True, by=technician)
        add_box(site=cast.site, by=technician, rack=box.rack, place=box.place)
        if by_cancelling:
            cancel_shipment(by=technician, shipment=parcel, reason="No courier")
        else:
            unpack(by=technician, shipment=parcel, code=box.code)
        back = Box.objects.get(pk=box.pk)
    assert (back.shipment_id, back.rack_id) == (None, None)
    assert states(*tubes) == ["held"] * 3


def test_a_box_stays_in_the_parcel_until_the_last_of_it_is_taken_out(
    technician, parcel, tubes, box
):
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        for each in tubes:
            assert Box.objects.get(pk=box.pk).shipment_id == parcel.pk
            unpack(by=technician, shipment=parcel, code=each.code)
        assert Box.objects.get(pk=box.pk).rack_id == box.rack_id
    assert states(*tubes) == ["held"] * 3
