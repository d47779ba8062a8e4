"""Manifest and custody say the same: PostgreSQL holds either to the other, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from samples.models import Aliquot, Shipment, ShipmentLine
from samples.services.aliquots import find_aliquot
from samples.services.shipments import receive, report_missing
from tests.factories import as_person
from tests.samples.shipping import packed, sent, states
from tests.screening.consenting import wall
from trialsite.core.clock import trial_now

pytestmark = pytest.mark.django_db


def refused_at_the_end(person: Any, write: Callable[[], Any]) -> bool:
    """Whether PostgreSQL takes the change and then refuses the end of the transaction."""

    def all_of_it() -> None:
        with transaction.atomic():
            assert write()
            connection.check_constraints()

    with as_person(person):
        with pytest.raises(DatabaseError) as refused:
            all_of_it()
        return getattr(refused.value.__cause__, "sqlstate", "") == "TS060"


def test_a_line_whose_aliquot_was_never_packed_is_refused(technician, parcel, tubes):
    def write() -> ShipmentLine:
        return ShipmentLine.objects.create(
            site=parcel.site,
            subject_id=tubes[0].subject_id,
            shipment=parcel,
            number=1,
            aliquot=tubes[0],
            code=tubes[0].code,
            added_by=technician,
            added_at=trial_now(),
        )

    assert refused_at_the_end(technician, write)


def test_a_line_that_is_taken_out_alone_is_refused(technician, parcel, tubes):
    packed(parcel, technician, tubes[0])
    lines = ShipmentLine.objects.filter(shipment=parcel)
    assert refused_at_the_end(technician, lambda: lines.update(state="unpacked"))


def test_a_parcel_is_not_sent_while_its_aliquots_stay_packed(technician, parcel, tubes):
    packed(parcel, technician, *tubes)
    assert refused_at_the_end(
        technician,
        lambda: Shipment.objects.filter(pk=parcel.pk).update(
            state="sent", sent_at=wall(parcel.site), sent_by=technician, packages=1
        ),
    )


@pytest.mark.parametrize("condition", ["intact", "damaged"])
def test_a_line_that_is_received_alone_is_refused(technician, parcel, tubes, condition):
    parcel = sent(parcel, technician, *tubes)
    lines = ShipmentLine.objects.filter(shipment=parcel)
    assert refused_at_the_end(
        technician,
        lambda: lines.update(
            state="received",
            received_at=wall(parcel.site),
            received_by=technician,
            condition=condition,
        ),
    )


def test_a_line_that_is_missing_alone_is_refused(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    lines = ShipmentLine.objects.filter(shipment=parcel)
    assert refused_at_the_end(
        technician,
        lambda: lines.update(
            state="missing",
            explanation="Not in the box",
            explained_by=technician,
            explained_at=trial_now(),
        ),
    )


def test_the_agreement_is_asked_of_every_site_whoever_writes(cast, technician, parcel, tubes):
    """Nobody's context, as at the end of a request that has put its own back."""
    with transaction.atomic():
        packed(parcel, technician, tubes[0])
        with as_person(technician):
            ShipmentLine.objects.filter(shipment=parcel).update(state="unpacked")
        with pytest.raises(DatabaseError, match="custody log says otherwise"):
            connection.check_constraints()
        transaction.set_rollback(True)


def test_what_was_received_by_mistake_is_found_at_the_site_that_sent_it(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code)
        line = ShipmentLine.objects.get(shipment=parcel, aliquot=tubes[0])
        report_missing(by=technician, line=line, reason="Scanned by mistake")
        lost = Aliquot.objects.select_related("site", "specimen").get(pk=tubes[0].pk)
        find_aliquot(aliquot=lost, reason="Under the rack", by=technician)
        connection.check_constraints()
        assert states(tubes[0]) == ["held"]
