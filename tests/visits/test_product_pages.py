"""The pages of the cell product, as the people at work use them; and its API."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import api
from tests.exports.test_datasets import content, read
from tests.factories import as_person, make_user, sign_in
from tests.signing import factors_of
from tests.visits.products import (
    examined,
    facts_of_test,
    here,
    load,
    lot_facts,
    make_treated,
    received,
    registered,
    released,
)
from trialsite.access.capabilities import Role
from visits.models import LoadedProduct, LotMovement, LotState, ProductLot
from visits.selectors.products import units_left
from visits.services.products import quarantine_lot, record_test

__all__ = ["api"]


@pytest.fixture
def lot(cast):
    lot = released(cast, "MSC-2026-07")
    received(cast, lot)
    return lot


def page_of(client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    text: str = answer.content.decode()
    return text


LOT = {
    "code": "msc-2026-09",
    "product": "UC-MSC",
    "source": "UC",
    "donor_code": "D-1",
    "donor_screening": "cleared",
    "passage": "4",
    "manufactured_on": "2026-01-05",
    "expires_at": "2036-01-05T12:00",
    "units_made": "20",
    "cells_per_unit": "50",
    "viability": "91.5",
    "certificate": "CoA 9",
}


def test_a_lot_goes_from_the_register_to_its_release_on_pages(cast):
    nurse, chief = sign_in(cast.nurse), sign_in(cast.investigator)
    made = nurse.post("/products/new/", LOT)
    assert made["Location"] == "/products/MSC-2026-09/"
    lot = ProductLot.objects.get()
    assert f"{lot.expires_at:%Y-%m-%d %H:%M}" == "2036-01-05 04:00"
    assert "Not yet ready for release" in page_of(nurse, "/products/MSC-2026-09/")
    test = {"kind": "sterility", "stage": "preliminary", "result": "no growth", "verdict": "pass",
            "resulted_on": "2026-01-09"}  # fmt: skip
    assert nurse.post("/products/MSC-2026-09/tests/", test).status_code == 302
    examined(cast, lot)
    page = page_of(chief, "/products/MSC-2026-09/")
    assert "Not yet ready" not in page
    assert "/products/MSC-2026-09/release/" in page
    sent = {"reason": "complete", **factors_of(cast.investigator)}
    assert chief.post("/products/MSC-2026-09/release/", sent).status_code == 302
    lot.refresh_from_db()
    assert lot.state == LotState.RELEASED
    assert cast.investigator.full_name in page_of(nurse, "/products/MSC-2026-09/")


def test_a_refused_lot_keeps_what_was_typed_and_says_where(cast):
    answer = sign_in(cast.nurse).post("/products/new/", LOT | {"donor_code": "Wang Li"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "never a donor’s name" in page
    assert 'value="msc-2026-09"' in page
    assert not ProductLot.objects.exists()


def test_a_nurse_is_offered_no_release_and_no_quarantine(cast, lot):
    nurse = sign_in(cast.nurse)
    page = page_of(nurse, f"/products/{lot.code}/")
    for act in ("release", "quarantine", "recall/act", "close"):
        path = f"/products/{lot.code}/{act}/"
        assert path not in page
        assert nurse.post(path, {"reason": "x"}).status_code == 403
    lot.refresh_from_db()
    assert lot.state == LotState.RELEASED


def test_quarantine_and_recall_are_one_page_with_a_reason_each(cast, lot):
    chief = sign_in(cast.investigator)
    assert chief.post(f"/products/{lot.code}/quarantine/", {"reason": ""}).status_code == 422
    assert chief.post(f"/products/{lot.code}/quarantine/", {"reason": "alarm"}).status_code == 302
    assert "In quarantine" in page_of(sign_in(cast.stranger), "/products/")
    assert "not undone" in page_of(chief, f"/products/{lot.code}/recall/act/")
    sent = chief.post(f"/products/{lot.code}/recall/act/", {"reason": "letter"})
    assert sent["Location"] == f"/products/{lot.code}/recall/"
    lot.refresh_from_db()
    assert lot.state == LotState.RECALLED


def test_movements_are_entered_and_voided_on_pages(cast, lot):
    nurse, now = sign_in(cast.nurse), f"{here():%Y-%m-%dT%H:%M}"
    common = {"site": str(cast.site.pk), "units": "1", "happened_at": now}
    path = f"/products/{lot.code}/movements/"
    refused = nurse.post(f"{path}destroyed/", common | {"reason": "broken", "witness": ""})
    assert refused.status_code == 422
    witness = str(cast.second_nurse.pk)
    sent = nurse.post(f"{path}destroyed/", common | {"reason": "broken", "witness": witness})
    assert sent["Location"] == f"/products/{lot.code}/"
    with as_person(cast.nurse):
        movement = LotMovement.objects.get(kind="destroyed")
        assert units_left(lot, cast.site.pk) == 4
    page = page_of(nurse, f"/products/{lot.code}/")
    assert "broken" in page
    assert "witness: Nico Nurse" in page
    too_many = nurse.post(f"{path}returned/", common | {"units": "9", "reason": "all"})
    assert too_many.status_code == 422
    assert "does not have so many units" in too_many.content.decode()
    nurse.post(f"/products/movements/{movement.pk}/void/", {"reason": "it was not broken"})
    assert "it was not broken" in page_of(nurse, f"/products/{lot.code}/")
    assert sign_in(cast.stranger).get(f"/products/movements/{movement.pk}/void/").status_code == 404
    assert nurse.get(f"{path}loaded/").status_code == 404


def test_the_accountability_page_shows_the_persons_sites(cast, lot):
    received(cast, lot, 3, site=cast.other_site)
    mine = page_of(sign_in(cast.nurse), "/products/accountability/")
    assert cast.site.name in mine
    assert cast.other_site.name not in mine
    everything = page_of(sign_in(make_user(Role.MONITOR)), "/products/accountability/")
    assert cast.other_site.name in everything


LOAD = {
    "units": "1",
    "viable_cells": "45",
    "prescribed_cells": "50",
    "viability_thawed": "88",
    "viability_loaded": "65",
    "reactor_serial": "r-1",
}


def load_form(cast, lot, **changes) -> dict[str, str]:
    times = dict.fromkeys(
        ("thaw_started_at", "thaw_ended_at", "loaded_at"), f"{here():%Y-%m-%dT%H:%M}"
    )
    people = {"loaded_by": str(cast.nurse.pk), "checked_by": str(cast.second_nurse.pk)}
    return LOAD | times | people | {"lot_code": lot.code} | changes


def test_one_scanned_field_tells_at_once_whether_the_lot_may_be_used(cast, lot):
    nurse, session = sign_in(cast.nurse), make_treated(cast.site)
    path = f"/sessions/{session.pk}/product/"
    assert 'id="scan-lot"' in page_of(nurse, path)
    good = page_of(nurse, f"{path}?lot=%20msc-2026-07")
    assert "5 units here" in good
    assert "Enter the loaded cells" in good
    with as_person(cast.investigator):
        quarantine_lot(lot=lot, reason="alarm", by=cast.investigator)
    for code, said in ((lot.code, "in quarantine"), ("MSC-NONE", "No lot of this number")):
        refused = page_of(nurse, f"{path}?lot={code}")
        assert f"Do not use {code}." in refused
        assert said in refused
        assert 'role="alert"' in refused
        assert "Enter the loaded cells" not in refused
    sent = nurse.post(path, load_form(cast, lot))
    assert sent.status_code == 422
    assert "This lot is in quarantine." in sent.content.decode()


def test_cells_are_loaded_confirmed_and_voided_on_pages(cast, lot):
    nurse, session = sign_in(cast.nurse), make_treated(cast.site)
    path = f"/sessions/{session.pk}/product/"
    refused = nurse.post(path, load_form(cast, lot, checked_by=str(cast.nurse.pk)))
    assert refused.status_code == 422
    assert "A second person checks" in refused.content.decode()
    assert nurse.post(path, load_form(cast, lot))["Location"] == path
    with as_person(cast.nurse):
        loaded = LoadedProduct.objects.get()
    page = page_of(nurse, path)
    assert "R-1" in page
    assert "To be confirmed" in page
    assert "65 % lies outside 70–100 %" in page
    nurse.post(f"/sessions/products/{loaded.pk}/confirm/", {"comment": "counted twice"})
    assert "counted twice" in page_of(nurse, path)
    nurse.post(f"/sessions/products/{loaded.pk}/void/", {"reason": "wrong lot"})
    with as_person(cast.nurse):
        assert units_left(lot, cast.site.pk) == 5
    for who in (cast.stranger, cast.monitor):
        assert sign_in(who).post(path, load_form(cast, lot)).status_code in {403, 404}
    assert sign_in(cast.stranger).get(path).status_code == 404
    assert 'id="scan-lot"' not in page_of(sign_in(cast.monitor), path)


def test_the_register_costs_no_more_queries_with_more_lots(cast):
    nurse = sign_in(cast.nurse)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(nurse, "/products/")
        return len(captured)

    def add(lots: int) -> None:
        for _ in range(lots):
            received(cast, registered(cast), 2)

    add(2)
    cost()
    few = cost()
    add(8)
    assert cost() == few


@pytest.mark.parametrize("who", ["nurse", "investigator", "data_manager", "monitor", "auditor"])
def test_everybody_at_work_reads_the_register_in_their_language(cast, lot, who):
    client = sign_in(getattr(cast, who))
    for path in ("/products/", f"/products/{lot.code}/", "/products/accountability/"):
        assert lot.code in page_of(client, path)
    assert client.get("/products/MSC-NONE/").status_code == 404


def test_the_api_registers_tests_receives_and_loads(cast, api):
    nurse, chief = api("nurse"), api("investigator")
    session = make_treated(cast.site)
    body: dict[str, object] = {
        **LOT,
        "expires_at": "2036-01-05T12:00:00+08:00",
        "passage": 4,
        "units_made": 20,
    }
    assert nurse.post("product-lots/", body).status_code == 201
    lot = examined(cast, ProductLot.objects.get())
    path = f"product-lots/{lot.code}/"
    moved = nurse.post(
        "product-movements/",
        {"lot": lot.code, "site": "001", "kind": "received", "units": 2,
         "happened_at": f"{here():%Y-%m-%dT%H:%M}"},
    )  # fmt: skip
    assert moved.status_code == 201
    times = dict.fromkeys(
        ("thaw_started_at", "thaw_ended_at", "loaded_at"), f"{here():%Y-%m-%dT%H:%M}"
    )
    load_body = {
        "session": str(session.pk), "lot": lot.code.lower(), "reactor_serial": "R-1",
        "viable_cells": "45", **times, "loaded_by": cast.nurse.email,
        "checked_by": cast.investigator.email,
    }  # fmt: skip
    refused = nurse.post("loaded-products/", load_body)
    assert refused.json()["errors"] == {"lot_code": ["This lot is not released."]}
    release = {"reason": "complete", **factors_of(cast.investigator)}
    assert chief.post(f"{path}release/", release).json()["state"] == "released"
    loaded = nurse.post("loaded-products/", load_body)
    assert loaded.status_code == 201, loaded.content
    found = chief.get(f"{path}recall/").json()
    assert [each["id"] for each in found["loaded"]] == [loaded.json()["id"]]
    assert found["accounts"] == [
        {"SITEID": "001", "received": 2, "loaded": 1, "returned": 0, "destroyed": 0, "left": 1}
    ]
    assert api("stranger").get(f"{path}recall/").json()["loaded"] == []
    assert chief.post(f"{path}quarantine/", {"reason": "alarm"}).json()["state"] == "quarantined"
    again = nurse.post("loaded-products/", load_body | {"reactor_serial": "R-2"})
    assert again.status_code == 400
    voided = nurse.post(f"loaded-products/{loaded.json()['id']}/void/", {"reason": "wrong lot"})
    assert voided.json()["void_reason"] == "wrong lot"
    assert nurse.get(path).json()["decisions"][0]["signature"]["printed_name"] == "Petra Principal"


def test_the_api_turns_away_whom_the_pages_turn_away(cast, api, lot):
    for path, body in (
        (f"product-lots/{lot.code}/quarantine/", {"reason": "x"}),
        (f"product-lots/{lot.code}/recall/", {"reason": "x"}),
        (f"product-lots/{lot.code}/close/", {"reason": "x"}),
    ):
        assert api("nurse").post(path, body).status_code == 403
    assert api("monitor").post("product-lots/", {}).status_code == 403
    body = {"lot": lot.code, "site": "002", "kind": "received", "units": 1,
            "happened_at": f"{here():%Y-%m-%dT%H:%M}"}  # fmt: skip
    assert "site" in api("nurse").post("product-movements/", body).json()["errors"]


def test_the_account_is_a_dataset_that_sums_up(cast, api, lot):
    session = make_treated(cast.site)
    load(cast, session, lot, units=2)
    rows = read(api("data_manager").get("datasets/accountability/", format="csv"))
    assert [(row["DATESTCD"], row["DASTRESN"]) for row in rows] == [("received", "5"),
                                                                    ("loaded", "2")]  # fmt: skip
    assert rows[1]["SCRNID"] == session.subject.screening_number
    (given_row,) = read(api("data_manager").get("datasets/loaded_product/", format="csv"))
    assert (given_row["EXLOT"], given_row["EXDOSE"]) == (lot.code, "45")
    for name in ("product_lots", "product_tests", "product_decisions"):
        answer = api("data_manager").get(f"datasets/{name}/", format="csv")
        assert lot.code.encode() in content(answer)


def test_a_failed_result_typed_on_the_page_stops_the_lot(cast, lot):
    with as_person(cast.nurse):
        record_test(lot=lot, facts=facts_of_test("potency"), by=cast.nurse)
    test = {"kind": "sterility", "stage": "final", "result": "growth", "verdict": "fail",
            "resulted_on": "2026-01-19"}  # fmt: skip
    nurse = sign_in(cast.nurse)
    nurse.post(f"/products/{lot.code}/tests/", test)
    assert "by the failed result itself" in page_of(nurse, f"/products/{lot.code}/")
    assert lot_facts().units_made == lot.units_made
