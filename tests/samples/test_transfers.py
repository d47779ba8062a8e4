"""A participant who goes on at another site, and the samples that stay in its freezers."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from samples.models import Aliquot, AliquotState, CustodyKind
from samples.services.aliquots import end_aliquot, free_positions, move_aliquots
from samples.services.scanning import ScanRefusedError
from samples.services.shipments import close_shipment, hand_over, pack, receive
from tests.api.conftest import ApiClient
from tests.factories import as_person, sign_in
from tests.samples.bench import box_at, technician_at
from tests.samples.shipping import packed, sent
from trialsite.access.context import system_context
from trialsite.casebook.models import Subject
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import TransitionError


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


@pytest.fixture
def gone(cast, visit, tubes):
    """Three aliquots in the freezer of the site that the participant has left."""
    assert transfer(visit.subject, cast.other_site) == 1
    return tubes


@pytest.fixture
def there(cast):
    """The technician of the site to which the participant has gone."""
    return technician_at(cast.other_site, full_name="Otto Other")


def test_the_site_that_keeps_them_sees_that_positions_are_taken_and_nothing_else(
    technician, gone, box
):
    client = sign_in(technician)
    page = client.get(f"/samples/boxes/{box.code}/").content.decode()
    assert page.count("taken") >= 3
    assert "3/81" in page
    assert not any(each.code in page for each in gone)
    assert client.get(f"/samples/one/{gone[0].code}/").status_code == 404
    assert ApiClient(technician).get("aliquots/").json()["count"] == 0
    with as_person(technician):
        assert free_positions(box)[0] == 4


def test_the_site_that_keeps_them_moves_packs_and_ends_none(cast, technician, parcel, gone, box):
    for code in (gone[0].code, box.code):
        with as_person(technician), pytest.raises(ScanRefusedError):
            pack(by=technician, shipment=parcel, code=code)
    with as_person(technician), pytest.raises(TransitionError):
        end_aliquot(aliquot=gone[0], kind=CustodyKind.DISCARDED, reason="Not ours", by=technician)


def test_the_participants_site_sees_them_and_that_another_site_keeps_them(there, gone, box):
    client = sign_in(there)
    for path in (f"one/{gone[0].code}/", f"one/{gone[0].code}/move/"):
        page = client.get(f"/samples/{path}")
        assert page.status_code == 200
        assert "in a freezer of another site" in page.content.decode()
        assert box.code not in page.content.decode()
    (first, *_rest) = ApiClient(there).get("aliquots/").json()["results"]
    assert (first["state"], first["box"]) == ("stored", None)
    assert ApiClient(there).get("custody-events/").json()["count"] > 0


def test_brought_over_they_are_put_into_a_box_there_and_their_positions_are_free(
    cast, technician, there, gone, box
):
    own = box_at(cast.other_site, there)
    with as_person(there):
        moved = move_aliquots(aliquots=gone, box=own, by=there)
        assert [each.position for each in moved] == [1, 2, 3]
        assert {each.state for each in moved} == {AliquotState.STORED}
        ended = end_aliquot(aliquot=moved[0], kind=CustodyKind.DISCARDED, reason="Broken", by=there)
        assert ended.state == "discarded"
    with as_person(technician):
        assert free_positions(box)[0] == 1
