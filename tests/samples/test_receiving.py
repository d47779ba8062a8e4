"""What comes out of a parcel: as it was sent, otherwise, not at all, or unexpected."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from samples.models import (
    Aliquot,
    Condition,
    CustodyEvent,
    CustodyKind,
    LineState,
    Shipment,
    ShipmentLine,
)
from samples.services.aliquots import (
    end_aliquot,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import (
    arrive,
    close_shipment,
    explain,
    hand_over,
    pack,
    receive,
    report_missing,
    report_rest_missing,
)
from tests.factories import as_person
from tests.samples.bench import stored
from tests.samples.shipping import drafted, kinds_of, sent, states
from tests.screening.consenting import wall
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError


def test_received_with_one_missing_which_is_explained_and_found_later(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        arrive(by=technician, shipment=parcel, receiver="Dr Li", logger_celsius=Decimal(-72))
        for each in tubes[:2]:
            assert receive(by=technician, shipment=parcel, code=each.code).tone == "done"
        assert receive(by=technician, shipment=parcel, code=tubes[0].code).tone == "already"
        with pytest.raises(TransitionError, match="1 line is neither"):
            close_shipment(by=technician, shipment=parcel)
        line = ShipmentLine.objects.get(code=tubes[2].code)
        with pytest.raises(ImpossibleError):
            report_missing(by=technician, line=line, reason=" ")
        report_missing(by=technician, line=line, reason="Not in the box")
        closed = close_shipment(by=technician, shipment=parcel)
        assert (closed.state, closed.received_by_name) == ("closed", "Dr Li")
    assert states(*tubes) == ["away", "away", "lost"]
    with as_person(technician):
        found = receive(by=technician, shipment=parcel, code=tubes[2].code, note="Behind the ice")
        assert found.headline == "Found again"
        assert ShipmentLine.objects.get(code=tubes[2].code).state == LineState.RECEIVED
    assert states(tubes[2]) == ["away"]
    assert kinds_of(tubes[2])[-4:] == ["shipped", "lost", "found", "arrived"]


@pytest.mark.parametrize("closed", [False, True])
def test_what_was_missing_and_comes_damaged_is_explained_anew(technician, parcel, tubes, closed):
    parcel = sent(parcel, technician, tubes[0])
    damaged = {"code": tubes[0].code, "condition": Condition.DAMAGED}
    with as_person(technician):
        report_rest_missing(by=technician, shipment=parcel, reason="Not in the box")
        if closed:
            close_shipment(by=technician, shipment=parcel)
        with pytest.raises(ImpossibleError) as refused:
            receive(by=technician, shipment=parcel, **damaged)
        assert list(refused.value.errors) == ["note"]
        line = ShipmentLine.objects.get()
        came = {"state": "received", "condition": "damaged", "received_at": wall(parcel.site)}
        with pytest.raises(DatabaseError), transaction.atomic():
            ShipmentLine.objects.filter(pk=line.pk).update(**came, received_by=technician)
        receive(by=technician, shipment=parcel, note="Under the ice, cracked", **damaged)
        line = ShipmentLine.objects.get()
    assert (line.condition, line.explanation) == ("damaged", "Under the ice, cracked")


def test_the_first_scan_receives_the_parcel_from_whoever_scans(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code)
        found = Shipment.objects.get()
    assert (found.state, found.received_by_name) == ("received", technician.full_name)


@pytest.mark.parametrize("condition", [Condition.DAMAGED, Condition.THAWED, Condition.WRONG_LABEL])
def test_what_came_otherwise_than_sent_is_explained_before_closing(
    technician, parcel, tubes, condition
):
    parcel = sent(parcel, technician, tubes[0])
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code, condition=condition)
        with pytest.raises(TransitionError):
            close_shipment(by=technician, shipment=parcel)
        explain(by=technician, line=ShipmentLine.objects.get(), reason="Dry ice had gone")
        close_shipment(by=technician, shipment=parcel)
        thawed = Aliquot.objects.get(pk=tubes[0].pk)
    expected = ("thawed", 1) if condition == Condition.THAWED else ("away", 0)
    assert (thawed.state, thawed.thaws) == expected
    assert thawed.shipment_id == parcel.pk


@pytest.mark.parametrize(
    ("condition", "event"),
    [
        (Condition.DAMAGED, "condition"),
        (Condition.WRONG_LABEL, "condition"),
        (Condition.THAWED, "thawed"),
    ],
)
def test_a_condition_that_is_seen_after_the_scan_is_in_the_custody_log_too(
    technician, parcel, tubes, condition, event
):
    parcel = sent(parcel, technician, *tubes[:2])
    code = tubes[0].code
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=code)
        receive(by=technician, shipment=parcel, code=code, condition=condition)
        last = CustodyEvent.objects.filter(aliquot=tubes[0]).latest("number")
        assert (last.kind, last.reason) == (event, condition.label)
        # A second reading of the label takes nothing back.
        assert receive(by=technician, shipment=parcel, code=code).tone == "already"
        assert ShipmentLine.objects.get(code=code).condition == condition


def test_a_wrong_condition_is_put_right_with_a_reason(technician, parcel, tubes):
    parcel = sent(parcel, technician, tubes[0])
    said = {"by": technician, "shipment": parcel, "code": tubes[0].code}
    with as_person(technician):
        receive(**said, condition=Condition.DAMAGED, note="Cap open")
        with pytest.raises(ImpossibleError):
            receive(**said, condition=Condition.WRONG_LABEL)
        receive(**said, note="It was frost on the cap")
        line = ShipmentLine.objects.get()
        assert (line.condition, line.explanation) == ("intact", "It was frost on the cap")
        last = CustodyEvent.objects.filter(aliquot=tubes[0]).latest("number")
        assert last.kind == "condition"
        assert last.reason.endswith("It was frost on the cap")
        close_shipment(by=technician, shipment=parcel)
        with pytest.raises(ScanRefusedError, match="closed"):
            receive(**said, condition=Condition.DAMAGED, note="Late")


def test_thawed_beyond_the_limit_is_an_excursion(technician, parcel, visit, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        for _time in range(2):
            thaw_aliquot(aliquot=aliquot, reason="IL-6", by=technician)
            store_aliquot(aliquot=aliquot, box=box, by=technician)
    parcel = sent(parcel, technician, aliquot)
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=aliquot.code, condition=Condition.THAWED)
    assert kinds_of(aliquot)[-2:] == ["arrived", "excursion"]


def test_what_was_not_packed_is_taken_in_only_when_said_to_be_unexpected(technician, parcel, tubes):
    parcel = sent(parcel, technician, tubes[0])
    with as_person(technician):
        for code in (tubes[1].code, "S001-999999-01-X", "garbage"):
            with pytest.raises(ScanRefusedError):
                receive(by=technician, shipment=parcel, code=code)
        assert Shipment.objects.get().state == "sent"
        for code in (tubes[1].code, "LAB-77"):
            done = receive(by=technician, shipment=parcel, code=code, unexpected=True)
            assert done.lines[0].unexpected
        receive(by=technician, shipment=parcel, code=tubes[0].code)
        with pytest.raises(TransitionError, match="2 lines"):
            close_shipment(by=technician, shipment=parcel)
        for line in ShipmentLine.objects.filter(unexpected=True):
            explain(by=technician, line=line, reason="Put in by hand")
        close_shipment(by=technician, shipment=parcel)
    assert states(*tubes) == ["away", "away", "stored"]


@pytest.mark.parametrize("kind", [CustodyKind.DISCARDED, CustodyKind.DESTROYED])
def test_what_has_ended_comes_out_of_no_parcel_unless_it_is_told_why(
    cast, technician, parcel, tubes, kind
):
    parcel = sent(parcel, technician, *tubes[:2])
    said = {"by": technician, "shipment": parcel, "code": tubes[0].code}
    with as_person(technician):
        end_aliquot(aliquot=tubes[0], kind=kind, reason="Broke", by=technician, witness=cast.nurse)
        for more in ({}, {"note": "Here it is"}, {"condition": Condition.WRONG_LABEL}):
            with pytest.raises(ScanRefusedError) as refused:
                receive(**said, **more)
            assert refused.value.headline == "It cannot be here"
        assert ShipmentLine.objects.get(code=tubes[0].code).state == "packed"
        receive(**said, condition=Condition.WRONG_LABEL, note="Another tube bears its label")
        line = ShipmentLine.objects.get(code=tubes[0].code)
    assert (line.is_discrepant, line.explanation) == (True, "Another tube bears its label")
    assert states(tubes[0]) == [kind.value]


def test_what_came_out_of_another_parcel_is_a_discrepancy_here(cast, technician, tubes):
    one, other = (sent(drafted(cast.site, technician), technician, each) for each in tubes[:2])
    code = tubes[0].code
    with as_person(technician):
        receive(by=technician, shipment=other, code=code, unexpected=True)
        with pytest.raises(ScanRefusedError, match="At its destination"):
            receive(by=technician, shipment=one, code=code)
    assert states(*tubes[:2]) == ["away", "shipped"]


def test_what_was_received_by_mistake_is_missing_until_it_is_found(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes[:2])
    code = tubes[0].code
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=code)
        line = ShipmentLine.objects.get(code=code)
        with pytest.raises(ImpossibleError):
            report_missing(by=technician, line=line, reason=" ")
        report_missing(by=technician, line=line, reason="Read from the paper")
        line.refresh_from_db()
        assert (line.state, line.condition, line.received_at) == ("missing", "", None)
        assert Aliquot.objects.get(pk=tubes[0].pk).state == "lost"
        assert receive(by=technician, shipment=parcel, code=code).headline == "Found again"
    assert kinds_of(tubes[0])[-4:] == ["shipped", "arrived", "lost", "found"]
    assert states(tubes[0]) == ["away"]


def test_what_has_gone_on_since_it_was_received_did_come(technician, parcel, tubes, box):
    parcel = sent(parcel, technician, *tubes[:2])
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code)
        store_aliquot(aliquot=tubes[0], box=box, by=technician)
        line = ShipmentLine.objects.get(code=tubes[0].code)
        with pytest.raises(TransitionError, match="gone on"):
            report_missing(by=technician, line=line, reason="Read from the paper")
        assert ShipmentLine.objects.get(code=tubes[0].code).state == "received"
        with pytest.raises(DatabaseError), transaction.atomic():
            ShipmentLine.objects.filter(pk=line.pk).update(
                state="missing", condition="", received_at=None, received_by=None
            )


def test_a_whole_box_is_received_by_its_label(technician, parcel, tubes, box):
    with as_person(technician):
        pack(by=technician, shipment=parcel, code=box.code)
        hand_over(by=technician, shipment=parcel)
        with pytest.raises(ScanRefusedError, match="3 aliquots") as refused:
            receive(by=technician, shipment=parcel, code=box.code)
        assert refused.value.headline == "Count what is in the box"
        assert Shipment.objects.get().state == "sent"
        done = receive(by=technician, shipment=parcel, code=box.code, counted=True)
        assert len(done.lines) == 3
        assert receive(by=technician, shipment=parcel, code=box.code).tone == "already"
    assert states(*tubes) == ["away"] * 3


def test_a_parcel_that_was_lost_whole_is_explained_and_closed(technician, parcel, tubes):
    parcel = sent(parcel, technician, *tubes)
    with as_person(technician):
        assert len(report_rest_missing(by=technician, shipment=parcel, reason="Lost")) == 3
        closed = close_shipment(by=technician, shipment=parcel)
    assert closed.received_at is None
    assert states(*tubes) == ["lost"] * 3
