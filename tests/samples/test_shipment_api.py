"""Shipments over the API: packed, sent, received with one missing, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from samples.models import Shipment
from tests.api.conftest import ApiClient
from tests.factories import as_person
from tests.samples.shipping import drafted, frozen, packed, permitted, sent, states
from tests.samples.test_api import listed
from tests.samples.test_api import sent as said
from trialsite.core.clock import trial_today

DRAFT = {"site": "001", "destination": "Central laboratory", "purpose": "IL-6"}


@pytest.fixture
def tara(technician) -> ApiClient:
    return ApiClient(technician)


@pytest.fixture
def aliquots(visit, technician, box):
    return frozen(visit, technician, box, 3)


def test_a_parcel_goes_and_comes_with_one_missing(tara, aliquots):
    parcel = said(tara, "shipments/", DRAFT | {"carrier": "SF"})
    path = f"shipments/{parcel['id']}/"
    for each in aliquots:
        assert said(tara, f"{path}pack/", {"code": each.code})["tone"] == "done"
    assert said(tara, f"{path}pack/", {"code": aliquots[0].code})["tone"] == "already"
    version = tara.get(path).json()["version"]
    left = said(tara, f"{path}hand-over/", {"packages": 2, "dry_ice": "5.0"}, version=version)
    assert (left["state"], left["packed"], left["dry_ice"]) == ("sent", 3, "5.0")
    for each in aliquots[:2]:
        assert said(tara, f"{path}receive/", {"code": each.code})["tone"] == "done"
    manifest = tara.get(path)
    assert manifest.headers["ETag"] == f'"{manifest.json()["version"]}"'
    version = manifest.json()["version"]
    refused = tara.post(f"{path}close/", version=version)
    assert (refused.status_code, "1 line" in refused.json()["detail"]) == (409, True)
    open_line = next(each for each in manifest.json()["lines"] if each["state"] == "packed")
    body = {"reason": "not in the parcel"}
    missing = said(tara, f"shipment-lines/{open_line['id']}/missing/", body)
    assert (missing["received"], missing["missing"]) == (2, 1)
    closed = said(tara, f"{path}close/", version=missing["version"])
    assert closed["state"] == "closed"
    assert states(*aliquots) == ["away", "away", "lost"]
    kinds = [each["kind"] for each in listed(tara, "custody-events/", shipment=parcel["code"])]
    assert sorted(kinds) == ["arrived"] * 2 + ["packed"] * 3 + ["shipped"] * 3


def test_what_nobody_permitted_does_not_leave_the_country(cast, tara, aliquots):
    parcel = said(tara, "shipments/", DRAFT | {"abroad": True})
    path = f"shipments/{parcel['id']}/"
    refused = tara.post(f"{path}pack/", {"code": aliquots[0].code})
    assert refused.status_code == 400
    assert refused.json()["errors"]["code"][0].startswith("Export not permitted")
    permission = permitted(cast)
    named = {"permission": str(permission.pk)}
    assert tara.post(f"{path}permission/", named).status_code == 428
    said(tara, f"{path}permission/", named, version=parcel["version"])
    investigator = ApiClient(cast.investigator)
    revoke = f"export-permissions/{permission.pk}/revoke/"
    assert tara.post(revoke, {"reason": "x"}).status_code == 403
    said(investigator, revoke, {"reason": "withdrawn"})
    refused = tara.post(f"{path}pack/", {"code": aliquots[0].code})
    assert refused.json()["errors"]["code"][0].startswith("Export not permitted")
    assert states(*aliquots) == ["stored"] * 3


@pytest.mark.usefixtures("visit")
def test_a_permission_is_recorded_by_an_investigator(cast, tara):
    today = trial_today(cast.site.time_zone).isoformat()
    body: dict[str, Any] = {"site": "001", "number": "HGR-1", "recipient": "X"}
    body |= {"valid_from": today, "valid_until": today, "kinds": ["URINE"]}
    assert tara.post("export-permissions/", body).status_code == 403
    made = said(ApiClient(cast.investigator), "export-permissions/", body)
    assert listed(tara, "export-permissions/") == [made]


def test_what_was_not_packed_is_taken_only_when_said_so(tara, technician, aliquots, cast):
    parcel = sent(drafted(cast.site, technician), technician, *aliquots[:2])
    path = f"shipments/{parcel.pk}/"
    body = {"code": aliquots[2].code}
    refused = tara.post(f"{path}receive/", body)
    assert refused.json()["errors"]["code"][0].startswith("Not on the manifest")
    (line,) = said(tara, f"{path}receive/", body | {"unexpected": True})["lines"]
    assert (line["unexpected"], line["settled"]) == (True, False)
    explained = said(tara, f"shipment-lines/{line['id']}/explain/", {"reason": "put in by hand"})
    assert [each["settled"] for each in explained["lines"]] == [False, False, True]
    rest = said(tara, f"{path}missing/", {"reason": "the parcel broke open"})
    assert rest["missing"] == 2


def test_a_parcel_is_emptied_changed_and_cancelled(tara, technician, aliquots, cast):
    parcel = drafted(cast.site, technician)
    packed(parcel, technician, *aliquots)
    path = f"shipments/{parcel.pk}/"
    assert said(tara, f"{path}unpack/", {"code": aliquots[0].code})["tone"] == "done"
    version = tara.get(path).json()["version"]
    changed = said(tara, f"{path}route/", {"carrier": "DHL", "cooling": "frozen"}, version=version)
    assert (changed["carrier"], changed["cooling"]) == ("DHL", "frozen")
    assert tara.post(f"{path}route/", {"carrier": "X"}, version=version).status_code == 412
    body = {"reason": "no flight"}
    gone = said(tara, f"{path}cancel/", body, version=changed["version"])
    assert (gone["state"], gone["cancel_reason"], gone["packed"]) == ("cancelled", "no flight", 0)
    assert states(*aliquots) == ["held"] * 3


def test_it_is_said_who_took_the_parcel_over_and_how_warm_it_was(tara, technician, aliquots, cast):
    parcel = sent(drafted(cast.site, technician), technician, *aliquots)
    path = f"shipments/{parcel.pk}/"
    version = tara.get(path).json()["version"]
    body = {"receiver": "L. Lab", "logger_celsius": "-61.5"}
    there = said(tara, f"{path}arrive/", body, version=version)
    assert (there["received_by_name"], there["logger_celsius"]) == ("L. Lab", "-61.5")


@pytest.mark.parametrize("who", ["monitor", "nurse", "data_manager"])
def test_who_does_not_ship_reads_and_packs_nothing(cast, technician, aliquots, who):
    parcel = drafted(cast.site, technician)
    client = ApiClient(getattr(cast, who))
    assert client.get(f"shipments/{parcel.pk}/").status_code == 200
    body = {"code": aliquots[0].code}
    assert client.post(f"shipments/{parcel.pk}/pack/", body).status_code == 403
    assert client.post("shipments/", DRAFT).status_code == 403


@pytest.mark.parametrize("one", [False, True])
def test_a_longer_list_or_manifest_costs_no_more_queries(cast, tara, technician, aliquots, one):
    parcel = drafted(cast.site, technician)
    packed(parcel, technician, aliquots[0])
    path = f"shipments/{parcel.pk}/" if one else "shipments/"

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert tara.get(path).status_code == 200
        return len(captured)

    cost()
    few = cost()
    packed(parcel, technician, *aliquots[1:])
    for _number in range(3):
        drafted(cast.site, technician)
    assert cost() == few
    with as_person(technician):
        assert Shipment.objects.count() == 4
