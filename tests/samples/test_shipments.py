"""Shipments: who may go where, what is in a parcel, what came, and what did not."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from samples.models import (
    Aliquot,
    Box,
    Condition,
    CustodyEvent,
    CustodyKind,
    LineState,
    Shipment,
    ShipmentLine,
)
from samples.selectors.shipping import permission_lines
from samples.services.aliquots import (
    end_aliquot,
    move_aliquots,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.log import Happening, enter
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import (
    arrive,
    cancel_shipment,
    close_shipment,
    explain,
    hand_over,
    name_permission,
    pack,
    receive,
    report_missing,
    report_rest_missing,
    revoke_permission,
    unpack,
)
from samples.services.storage import add_box, close_box, move_box
from screening.models import ConsentDocument
from screening.models.consent import ConsentKind, Scope
from tests.factories import as_person
from tests.samples.bench import aliquoted, box_at, stored, technician_at
from tests.samples.shipping import drafted, frozen, kinds_of, packed, permitted, sent, states
from tests.screening.consenting import sign, wall, withdraw
from trialsite.access.context import system_context
from trialsite.casebook.models import Subject
from trialsite.casebook.services.closings import record_death
from trialsite.core.clock import TrialNow
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.core.ids import is_valid
from trialsite.crf.violations import ImpossibleError


@pytest.fixture
def tubes(visit, technician, box):
    return frozen(visit, technician, box, 3)


@pytest.fixture
def parcel(cast, technician):
    return drafted(cast.site, technician)


def test_a_shipment_gets_a_code_of_its_own_with_its_check_character(cast, technician):
    codes = [drafted(cast.site, technician).code for _each in range(2)]
    assert len(set(codes)) == 2
    assert all(is_valid(each) and each.startswith("T001-") for each in codes)


def test_a_nurse_ships_nothing(cast, parcel, tubes):
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        pack(by=cast.nurse, shipment=parcel, code=tubes[0].code)


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


@pytest.mark.parametrize(
    ("purpose", "answers", "goes"),
    [
        ({"genetic": True}, {"genetic_analysis": True}, True),
        ({"genetic": True}, {"genetic_analysis": False}, False),
        # A question left open leaves the earlier answer standing: no.
        ({"genetic": True}, {"genetic_analysis": None}, False),
        ({"future_use": True}, {"future_use": False}, False),
        ({"future_use": True}, {"future_use": True}, True),
        ({}, {"future_use": False, "genetic_analysis": False, "data_sharing": False}, True),
    ],
)
def test_the_optional_consents_decide_what_goes_where(
    cast, visit, technician, box, tubes, purpose, answers, goes
):
    with as_person(cast.investigator):
        paper = ConsentDocument.objects.get()
    sign(cast, visit.subject, paper, kind=ConsentKind.RECONSENT, **answers)
    parcel = drafted(cast.site, technician, **purpose)
    with as_person(technician):
        if goes:
            assert pack(by=technician, shipment=parcel, code=tubes[0].code).lines
            return
        with pytest.raises(ScanRefusedError) as refused:
            pack(by=technician, shipment=parcel, code=tubes[0].code)
    assert refused.value.headline == "Not consented to"


def test_nothing_is_packed_for_abroad_without_a_permission_in_force(cast, technician, tubes):
    abroad = drafted(cast.site, technician, abroad=True)
    with as_person(technician), pytest.raises(ScanRefusedError, match="none is named") as refused:
        pack(by=technician, shipment=abroad, code=tubes[0].code)
    assert refused.value.headline == "Export not permitted"
    expired = permitted(cast, days=-1)
    with as_person(technician):
        name_permission(by=technician, shipment=abroad, permission=expired)
        with pytest.raises(ScanRefusedError, match="not in force"):
            pack(by=technician, shipment=abroad, code=tubes[0].code)
        good = permitted(cast, days=0, since=0, number="HGR-2")
        name_permission(by=technician, shipment=abroad, permission=good)
        pack(by=technician, shipment=abroad, code=tubes[0].code)
    assert states(*tubes) == ["packed", "stored", "stored"]


def test_a_permission_that_is_revoked_stops_the_parcel_at_the_door(cast, technician, tubes):
    permission = permitted(cast)
    abroad = drafted(cast.site, technician, abroad=True, permission=permission)
    packed(abroad, technician, tubes[0])
    with as_person(cast.investigator):
        revoke_permission(by=cast.investigator, permission=permission, reason="Suspended")
    with as_person(technician), pytest.raises(TransitionError, match="not in force"):
        hand_over(by=technician, shipment=abroad)


def test_a_permission_covers_its_kinds_and_its_number(cast, visit, technician, box, tubes):
    permission = permitted(cast, kinds=["URINE"], aliquots_at_most=2)
    abroad = drafted(cast.site, technician, abroad=True, permission=permission)
    packed(abroad, technician, *tubes[:2])
    with as_person(technician), pytest.raises(ScanRefusedError, match="covers 2"):
        pack(by=technician, shipment=abroad, code=tubes[2].code)
    plasma = stored(visit, technician, box)
    with as_person(technician), pytest.raises(ScanRefusedError, match="kind of specimen"):
        pack(by=technician, shipment=abroad, code=plasma.code)


def test_a_permission_is_for_the_recipient_it_names_and_for_nobody_else(cast, technician, tubes):
    other = permitted(cast, number="HGR-2", recipient="Reference laboratory")
    with pytest.raises(ImpossibleError) as refused:
        drafted(cast.site, technician, abroad=True, permission=other)
    assert list(refused.value.errors) == ["permission"]
    abroad = drafted(cast.site, technician, abroad=True)
    with as_person(technician):
        with pytest.raises(ImpossibleError, match="Reference laboratory"):
            name_permission(by=technician, shipment=abroad, permission=other)
        Shipment.objects.filter(pk=abroad.pk).update(permission=other)
        with pytest.raises(ScanRefusedError, match="Reference laboratory"):
            pack(by=technician, shipment=abroad, code=tubes[0].code)
        # PostgreSQL itself packs nothing under it.
        with pytest.raises(DatabaseError) as denied, transaction.atomic():
            ShipmentLine.objects.create(
                site=cast.site,
                subject_id=tubes[0].subject_id,
                shipment=abroad,
                number=1,
                aliquot=tubes[0],
                code=tubes[0].code,
                added_by=technician,
                added_at=TrialNow(),
            )
        assert getattr(denied.value.__cause__, "sqlstate", "") == "TS065"
    good = permitted(cast, recipient=" central  Laboratory ")
    with as_person(technician):
        name_permission(by=technician, shipment=abroad, permission=good)
        assert pack(by=technician, shipment=abroad, code=tubes[0].code).lines


def test_a_number_recorded_again_covers_no_more(cast, technician, tubes):
    first = permitted(cast, aliquots_at_most=2)
    packed(drafted(cast.site, technician, abroad=True, permission=first), technician, *tubes[:2])
    with as_person(cast.investigator):
        revoke_permission(by=cast.investigator, permission=first, reason="Typed wrongly")
    again = permitted(cast, aliquots_at_most=2)
    parcel = drafted(cast.site, technician, abroad=True, permission=again)
    with as_person(technician):
        with pytest.raises(ScanRefusedError, match="covers 2"):
            pack(by=technician, shipment=parcel, code=tubes[2].code)
        assert {each.packed for each in permission_lines(technician)} == {2}


def test_only_an_investigator_records_a_permission(cast, technician):
    with pytest.raises(NotPermittedError):
        permitted(dataclasses.replace(cast, investigator=technician))


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


def test_the_database_packs_nothing_for_abroad_without_permission(cast, technician, tubes):
    abroad = drafted(cast.site, technician, abroad=True)
    with as_person(technician), pytest.raises(DatabaseError) as refused, transaction.atomic():
        ShipmentLine.objects.create(
            site=cast.site,
            subject_id=tubes[0].subject_id,
            shipment=abroad,
            number=1,
            aliquot=tubes[0],
            code=tubes[0].code,
            added_by=technician,
            added_at=dt.datetime.now(dt.UTC),
        )
    assert getattr(refused.value.__cause__, "sqlstate", "") == "TS065"


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
        last = CustodyEvent.objects.filter(aliquot=tubes[0]).order_by("number").last()
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
        last = CustodyEvent.objects.filter(aliquot=tubes[0]).order_by("number").last()
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


def transfer(subject, site):
    with acting(system_context("tests", Channel.COMMAND, reason="moved house")):
        return Subject.objects.filter(pk=subject.pk).update(site=site)


@pytest.mark.parametrize("how_far", ["packed", "sent", "damaged"])
def test_a_participant_changes_no_site_while_a_line_of_a_parcel_is_open(
    cast, visit, technician, parcel, tubes, how_far
):
    packed(parcel, technician, tubes[0])
    with as_person(technician):
        if how_far != "packed":
            hand_over(by=technician, shipment=parcel)
        if how_far == "damaged":
            receive(by=technician, shipment=parcel, code=tubes[0].code, condition="damaged")
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        transfer(visit.subject, cast.other_site)
    assert getattr(refused.value.__cause__, "sqlstate", "") == "TS070"


def test_a_participant_whose_lines_are_settled_takes_the_samples_along(
    cast, visit, technician, parcel, tubes
):
    parcel = sent(parcel, technician, tubes[0])
    with as_person(technician):
        receive(by=technician, shipment=parcel, code=tubes[0].code)
    assert transfer(visit.subject, cast.other_site) == 1
    with as_person(technician):
        assert not Aliquot.objects.exists()
        assert close_shipment(by=technician, shipment=parcel).state == "closed"


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
