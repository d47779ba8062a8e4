"""Shipments: who may go where, what is in a parcel, what came, and what did not."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from samples.models import (
    Aliquot,
    CustodyEvent,
    CustodyKind,
    Shipment,
    ShipmentLine,
)
from samples.services.aliquots import (
    end_aliquot,
    store_aliquot,
)
from samples.services.log import Happening, enter
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import (
    close_shipment,
    hand_over,
    pack,
    receive,
    unpack,
)
from tests.factories import as_person
from tests.samples.bench import technician_at
from tests.samples.shipping import drafted, kinds_of, packed, sent, states
from tests.screening.consenting import wall
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.core.ids import is_valid
from trialsite.crf.violations import ImpossibleError


def test_a_shipment_gets_a_code_of_its_own_with_its_check_character(cast, technician):
    codes = [drafted(cast.site, technician).code for _each in range(2)]
    assert len(set(codes)) == 2
    assert all(is_valid(each) and each.startswith("T001-") for each in codes)


def test_a_nurse_ships_nothing(cast, parcel, tubes):
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        pack(by=cast.nurse, shipment=parcel, code=tubes[0].code)


@pytest.mark.parametrize("field", ["abroad", "genetic", "future_use", "destination"])
def test_the_database_itself_keeps_what_a_parcel_is_for(technician, parcel, field):
    value = "Elsewhere" if field == "destination" else True
    with as_person(technician), pytest.raises(DatabaseError), transaction.atomic():
        Shipment.objects.filter(pk=parcel.pk).update(**{field: value})


def test_custody_without_a_line_on_the_manifest_is_refused_by_the_database(
    technician, parcel, tubes
):
    with as_person(technician), pytest.raises(ImpossibleError):
        enter(tubes[0], CustodyKind.PACKED, technician, Happening(shipment=parcel))


def test_handing_over_sends_every_aliquot_on_its_way(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes, packages=2, logger="TL-9", dry_ice=5)
    assert states(*tubes) == ["shipped"] * 3
    assert all(kinds_of(each)[-1] == "shipped" for each in tubes)
    assert (parcel.packages, parcel.logger) == (2, "TL-9")
    assert parcel.due_on == parcel.sent_at.date() + dt.timedelta(days=3)


def test_an_empty_parcel_is_not_handed_over(technician, parcel):
    with as_person(technician), pytest.raises(TransitionError, match="Nothing is packed"):
        hand_over(by=technician, shipment=parcel)


def test_it_is_not_handed_over_before_it_was_packed(technician, parcel, tubes):
    packed(parcel, technician, tubes[0])
    with as_person(technician), pytest.raises(ImpossibleError) as refused:
        hand_over(by=technician, shipment=parcel, at=wall(parcel.site, hours=-3))
    assert "happened_at" in refused.value.errors
    with as_person(technician):
        assert Shipment.objects.get().state == "packing"


def test_what_ended_in_the_parcel_is_taken_out_first(technician, parcel, tubes):
    packed(parcel, technician, *tubes)
    with as_person(technician):
        end_aliquot(aliquot=tubes[0], kind=CustodyKind.LOST, reason="Broke", by=technician)
        with pytest.raises(TransitionError, match=tubes[0].code):
            hand_over(by=technician, shipment=parcel)
        unpack(by=technician, shipment=parcel, code=tubes[0].code)
        hand_over(by=technician, shipment=parcel)
    assert states(*tubes) == ["lost", "shipped", "shipped"]


def test_nothing_is_packed_into_what_has_left(technician, parcel, tubes):
    parcel = sent(parcel, technician, tubes[0])
    with as_person(technician), pytest.raises(TransitionError, match="On the way"):
        pack(by=technician, shipment=parcel, code=tubes[1].code)


def test_what_is_at_its_destination_is_analysed_or_sent_on(cast, technician, parcel, tubes, box):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        for each in tubes:
            receive(by=technician, shipment=parcel, code=each.code)
        close_shipment(by=technician, shipment=parcel)
    back = drafted(cast.site, technician, destination="Our own laboratory", purpose="Return")
    packed(back, technician, tubes[0])
    with as_person(technician):
        store_aliquot(aliquot=tubes[1], box=box, by=technician)
    assert states(*tubes) == ["packed", "stored", "away"]


def test_open_lines_are_counted_whoever_asks(cast, technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code, condition="damaged")
    for person in (technician, cast.stranger):
        with as_person(person), connection.cursor() as cursor:
            cursor.execute("SELECT trialsite.open_lines(%s)", [parcel.pk])
            assert cursor.fetchone()[0] == [2, 1]
    with as_person(cast.stranger):
        assert not ShipmentLine.objects.exists()


def test_a_parcel_of_another_site_takes_nothing_of_ours(cast, technician, tubes):
    everywhere = technician_at(None)
    theirs = drafted(cast.other_site, everywhere)
    with as_person(everywhere), pytest.raises(ScanRefusedError, match="another site"):
        pack(by=everywhere, shipment=theirs, code=tubes[0].code)


def test_manifest_custody_and_map_agree(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code)
        by_line = {
            (each.aliquot_id, "arrived" if each.state == "received" else "shipped")
            for each in ShipmentLine.objects.filter(shipment=parcel)
        }
        events = CustodyEvent.objects.filter(shipment=parcel).order_by("number")
        assert {each.aliquot_id: each.kind for each in events}.items() == dict(by_line).items()
        assert not Aliquot.objects.filter(pk__in=[each.pk for each in tubes], box__isnull=False)
