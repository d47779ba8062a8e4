"""What may go abroad, and what for: consents of the participant and export permissions."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from samples.models import (
    Shipment,
    ShipmentLine,
)
from samples.selectors.shipping import permission_lines
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import (
    hand_over,
    name_permission,
    pack,
    revoke_permission,
)
from screening.models import ConsentDocument
from screening.models.consent import ConsentKind
from tests.factories import as_person
from tests.samples.bench import stored
from tests.samples.shipping import drafted, packed, permitted, states
from tests.screening.consenting import sign
from trialsite.core.clock import TrialNow
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.crf.violations import ImpossibleError


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
