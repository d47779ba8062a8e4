"""Samples over the API: by the same services, with the same refusals, at the same rights."""

from __future__ import annotations

import io
from base64 import b64decode
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from samples.models import Aliquot, CustodyEvent, LabelPrint, Specimen
from samples.services.expectations import state_not_collected
from tests.api.conftest import ApiClient
from tests.factories import as_person
from tests.samples.bench import (
    aliquoted,
    box_at,
    collected,
    labelled,
    sampled,
    stored,
    technician_at,
    visit_of,
)
from tests.screening.consenting import make_document, wall
from tests.visits.treating import treatable
from trialsite.conduct.models import Deviation


@pytest.fixture
def tara(technician) -> ApiClient:
    return ApiClient(technician)


def clock(visit, hours: float) -> str:
    return wall(visit.site, hours=hours).isoformat(timespec="minutes")


def sent(client: ApiClient, path: str, body: dict[str, Any] | None = None, **said: Any) -> Any:
    """What a write answers; it must be accepted."""
    answer = client.post(path, body or {}, **said)
    assert answer.status_code in {200, 201}, answer.content
    return answer.json()


def listed(client: ApiClient, path: str, **said: Any) -> list[Any]:
    results: list[Any] = client.get(path, **said).json()["results"]
    return results


def test_a_tube_goes_from_its_label_into_the_box_over_the_api(tara, visit, box):
    (tube,) = sent(tara, "samples/", {"visit": str(visit.pk), "kind": "EDTA"})
    assert (tube["state"], tube["possible"]) == ("prepared", ["collected"])
    one = f"samples/{tube['id']}/"
    drawn = {"happened_at": clock(visit, -1), "draw_site": "VENOUS", "amount": "6.00"}
    assert sent(tara, f"{one}collect/", drawn)["amount"] == "6.00"
    sent(tara, f"{one}receive/", {"happened_at": clock(visit, -0.9)})
    spun = {"centrifuge_g": 2000, "centrifuge_minutes": 10, "centrifuge_celsius": 4}
    spun = sent(tara, f"{one}centrifuge/", {"happened_at": clock(visit, -0.8), **spun})
    assert (spun["state"], spun["centrifuge_g"]) == ("processed", 2000)
    made = sent(tara, "aliquots/", {"specimen": tube["id"], "volume": "0.50"})
    assert [each["number"] for each in made] == [1, 2]
    path = f"aliquots/{made[0]['id']}/"
    kept = sent(tara, f"{path}store/", {"box": str(box.pk)})
    assert (kept["state"], kept["box"], kept["position_name"]) == ("stored", box.code, "A1")
    assert (kept["volume"], kept["frozen_late"]) == ("0.50", False)
    moved = sent(tara, f"{path}move/", {"box": str(box.pk), "position": 81})
    assert moved["position_name"] == "I9"
    sent(tara, f"{path}thaw/", {"reason": "IL-6"})
    left = sent(tara, f"{path}analyse/", {"reason": "IL-6", "amount": "0.20"})
    assert (left["volume"], left["thaws"]) == ("0.30", 1)
    events = listed(tara, "custody-events/", aliquot=made[0]["id"])
    assert [each["kind"] for each in events] == ["stored", "moved", "thawed", "analysed"]
    assert [each["number"] for each in events] == [1, 2, 3, 4]
    assert {each["entered_by"] for each in events} == {"Tara Technician"}


def test_the_same_step_again_changes_nothing(tara, visit, technician):
    tube = labelled(visit, technician)[0]
    path = f"samples/{tube.pk}/collect/"
    first, again = sent(tara, path), sent(tara, path)
    assert first == again
    with as_person(technician):
        assert CustodyEvent.objects.count() == 1


def test_a_refusal_stands_at_its_field_and_a_state_is_a_conflict(tara, visit, technician, box):
    tube = labelled(visit, technician)[0]
    early = tara.post(f"samples/{tube.pk}/collect/", {"happened_at": "2020-01-01T08:00"})
    assert (early.status_code, list(early.json()["errors"])) == (400, ["happened_at"])
    strange = tara.post(f"samples/{tube.pk}/collect/", {"happened_at": "yesterday"})
    assert list(strange.json()["errors"]) == ["happened_at"]
    assert tara.post(f"samples/{tube.pk}/receive/").status_code == 409
    aliquot = stored(visit, technician, box)
    path = f"aliquots/{aliquot.pk}/"
    taken = {"box": str(box.pk), "position": 82}
    assert list(tara.post(f"{path}move/", taken).json()["errors"]) == ["position"]
    much = {"reason": "IL-6", "amount": "9.00"}
    sent(tara, f"{path}thaw/", {"reason": "IL-6"})
    assert list(tara.post(f"{path}analyse/", much).json()["errors"]) == ["amount"]
    found = tara.post(f"{path}found/", {"reason": "behind the rack"})
    assert (found.status_code, list(found.json())) == (409, ["type", "title", "status", "detail"])


def test_what_is_said_of_a_tube_changes_only_from_the_version_that_was_read(
    tara, visit, technician
):
    path = f"samples/{collected(visit, technician, 'FAECES').pk}/"
    body = {"bristol": 6, "blood_seen": False, "reason": "read from the sheet"}
    assert tara.post(f"{path}describe/", body).status_code == 428
    said = tara.post(f"{path}describe/", body, version=1)
    assert (said.json()["bristol"], said.headers["ETag"]) == (6, '"2"')
    stale = tara.post(f"{path}describe/", body | {"bristol": 2}, version=1)
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"2"')
    assert tara.post(f"{path}void/", {"reason": "wrong tube"}, version=1).status_code == 412
    voided = tara.post(f"{path}void/", {"reason": "wrong tube"}, version=2)
    assert (voided.json()["void_reason"], voided.json()["possible"]) == ("wrong tube", [])
    assert listed(tara, "samples/") == []


def test_a_destruction_needs_a_second_person_of_the_site(cast, tara, visit, technician, box):
    aliquot = stored(visit, technician, box)
    path, body = f"aliquots/{aliquot.pk}/end/", {"kind": "destroyed", "reason": "Withdrawn"}
    for witness in (None, technician.email, cast.monitor.email, "nobody@example.org"):
        refused = tara.post(path, body | {"witness": witness})
        assert list(refused.json()["errors"]) == ["witness"], witness
    other = technician_at(cast.site, full_name="Wu Witness")
    gone = sent(tara, path, body | {"witness": other.email})
    assert (gone["state"], gone["possible"], gone["box"]) == ("destroyed", [], None)
    (event,) = listed(tara, "custody-events/", kind="destroyed")
    assert event["witness"] == "Wu Witness"


def test_a_lost_aliquot_is_found_and_frozen_again(tara, visit, technician, box):
    path = f"aliquots/{stored(visit, technician, box).pk}/"
    sent(tara, f"{path}end/", {"kind": "lost", "reason": "not in its place"})
    sent(tara, f"{path}found/", {"reason": "behind the rack"})
    warm = {"celsius": "-12.5", "reason": "lay outside"}
    sent(tara, f"{path}excursion/", warm)
    assert sent(tara, f"{path}store/", {"box": str(box.pk)})["state"] == "stored"
    (event,) = listed(tara, "custody-events/", kind="excursion")
    assert event["celsius"] == "-12.5"


@pytest.mark.parametrize(
    ("kind", "names", "following"),
    [("EDTA", "specimen", "collect"), ("aliquot", "aliquot", "freeze"), ("box", "box", None)],
)
def test_a_scanned_code_says_what_it_is_and_what_is_next(
    tara, visit, technician, box, kind, names, following
):
    row: Any = {
        "EDTA": lambda: labelled(visit, technician)[0],
        "aliquot": lambda: aliquoted(visit, technician)[0],
        "box": lambda: box,
    }[kind]()
    answer = tara.get("scan/", code=f" {row.code.lower()} ").json()
    assert (answer["names"], answer["next"]) == (names, following)
    assert answer[names]["id"] == str(row.pk)
    assert [answer[each] for each in ("specimen", "aliquot", "box") if each != names] == [None] * 2


def test_a_scan_does_the_step_and_stops_a_foreign_tube(cast, tara, visit, technician, box):
    tube = labelled(visit, technician)[0]
    body = {"step": "collect", "visit": str(visit.pk)}
    for tone in ("done", "already"):
        assert sent(tara, "scan/", body | {"code": tube.code})["tone"] == tone
    other = visit_of(treatable(cast, document=make_document(cast, cast.site, version="b")))
    stranger = labelled(other, technician)[0]
    refused = tara.post("scan/", body | {"code": stranger.code})
    assert refused.status_code == 400
    assert refused.json()["errors"]["code"][0].startswith("Wrong participant")
    for code, said in ((tube.code[:-1], "Misread"), ("S001-999999-X", "Misread"), ("", None)):
        errors = tara.post("scan/", body | {"code": code}).json()["errors"]
        assert said is None or errors["code"][0].startswith(said)
    chosen = sent(tara, "scan/", {"step": "freeze", "code": box.code})
    assert (chosen["tone"], chosen["names"]) == ("chosen", "box")
    with as_person(technician):
        assert Specimen.objects.get(pk=stranger.pk).state == "prepared"


def test_a_scan_freezes_in_the_order_of_the_scans(tara, visit, technician, box):
    first, second = aliquoted(visit, technician)
    body = {"step": "freeze", "box": str(box.pk)}
    for each, place in ((second, "A1"), (first, "A2")):
        answer = sent(tara, "scan/", body | {"code": each.code})
        assert answer["aliquot"]["position_name"] == place


def test_a_box_shows_every_position_and_which_are_free(tara, visit, technician, box):
    aliquot = stored(visit, technician, box)
    grid = tara.get(f"boxes/{box.pk}/").json()
    assert len(grid["positions"]) == 81
    assert grid["positions"][0] == {
        "position": 1, "name": "A1", "taken": True, "aliquot": aliquot.code,
    }  # fmt: skip
    assert grid["free"][:2] == [2, 3]
    closed = sent(tara, f"boxes/{box.pk}/close/", {"closed": True})
    assert closed["closed"] is True
    late = aliquoted(visit, technician, "URINE")[0]
    refused = tara.post(f"aliquots/{late.pk}/store/", {"box": str(box.pk)})
    assert refused.status_code == 409


def test_a_box_of_two_sites_shows_whats_anothers_as_taken_only(cast, technician):
    central = technician_at(None)
    box = box_at(cast.other_site, central)
    paper = make_document(cast, cast.site, cast.other_site)
    stored(sampled(cast, document=paper), central, box)
    local = ApiClient(technician_at(cast.other_site))
    first = local.get(f"boxes/{box.pk}/").json()["positions"][0]
    assert (first["taken"], first["aliquot"]) == (True, None)


def test_a_freezer_is_entered_filled_with_boxes_emptied_and_retired(tara, visit):
    body = {"site": "001", "name": "North", "celsius": -80, "racks": 2, "places": 3}
    freezer = sent(tara, "freezers/", body)
    racks = [each["id"] for each in listed(tara, "racks/", freezer=freezer["id"])]
    one = sent(tara, "boxes/", {"rack": racks[0]})
    assert (one["place"], one["rows"], one["columns"]) == (1, 9, 9)
    assert list(tara.post("freezers/", body).json()["errors"]) == ["name"]
    retire = f"freezers/{freezer['id']}/retire/"
    assert tara.post(retire, {"reason": "broken"}).status_code == 409
    moved = sent(tara, f"boxes/{one['id']}/move/", {"rack": racks[1], "place": 3})
    assert (moved["place"], len(moved["moves"])) == (3, 2)
    sent(tara, f"boxes/{one['id']}/move/", {"reason": "carried"})
    assert sent(tara, retire, {"reason": "broken"})["retire_reason"] == "broken"
    added = sent(tara, "racks/", {"freezer": listed_freezer(tara), "name": "9", "places": 2})
    assert added["places"] == 2


def listed_freezer(client: ApiClient) -> str:
    found = sent(client, "freezers/", {"site": "001", "name": "South", "celsius": -20})
    return str(found["id"])


def test_labels_are_printed_once_for_one_key_and_again_with_a_reason(tara, visit, technician):
    tube = labelled(visit, technician)[0]
    body = {"codes": [tube.code], "aliquots": True, "layout": "single"}
    first, again = (sent(tara, "labels/", body, key="k") for _ in range(2))
    assert first == again
    text = "".join(
        page.extract_text() for page in PdfReader(io.BytesIO(b64decode(first["pdf"]))).pages
    )
    assert [each["copy"] for each in first["labels"]] == [1, 1, 1]
    for label in first["labels"]:
        assert label["code"] in text.replace("\n", "")
    assert list(tara.post("labels/", body).json()["errors"]) == ["reason"]
    part = first["labels"][-1]["code"]
    one = sent(tara, "labels/", {"codes": [part], "layout": "single", "reason": "smeared"})
    assert [(each["code"], each["copy"]) for each in one["labels"]] == [(part, 2)]
    unknown = tara.post("labels/", {"codes": ["S001-999999-09-X"], "layout": "single"})
    assert list(unknown.json()["errors"]) == ["codes"]
    with as_person(technician):
        assert LabelPrint.objects.count() == 4


def test_a_wrong_time_is_put_right_and_both_stay(tara, visit, technician):
    collected(visit, technician)
    (event,) = listed(tara, "custody-events/")
    body = {"happened_at": clock(visit, -2), "reason": "typed wrongly"}
    right = sent(tara, f"custody-events/{event['id']}/correct/", body)
    assert (right["kind"], right["corrects"]) == ("corrected", 1)
    assert len(listed(tara, "custody-events/")) == 2
    assert tara.post(f"custody-events/{right['id']}/correct/", body).status_code == 404


def test_what_was_not_collected_is_said_and_taken_back(tara, visit, technician):
    body = {"visit": str(visit.pk), "kind": "URINE", "reason": "other"}
    assert list(tara.post("samples-not-collected/", body).json()["errors"]) == ["comment"]
    said = sent(tara, "samples-not-collected/", body | {"comment": "anuria"})
    assert listed(tara, "samples-not-collected/", visit=str(visit.pk)) == [said]
    with as_person(technician):
        assert Deviation.objects.count() == 1
    sent(tara, f"samples-not-collected/{said['id']}/take-back/", {"reason": "it was"})
    assert listed(tara, "samples-not-collected/") == []


def test_the_reconciliation_names_what_is_missing_until_it_is_explained(cast, visit, technician):
    nurse, tara = ApiClient(cast.nurse), ApiClient(technician)
    on = wall(visit.site).date().isoformat()
    version = nurse.get(f"visits/{visit.pk}/").json()["version"]
    body = {"on": on, "mode": "ward", "reason": "x"}
    attended = nurse.post(f"visits/{visit.pk}/attend/", body, version=version)
    assert attended.status_code == 200, attended.content
    kinds = {each["kind"] for each in listed(tara, "sample-reconciliation/", site="001")}
    assert {"EDTA", "URINE"} <= kinds
    with as_person(technician):
        state_not_collected(visit=visit, kind="URINE", reason="refused", by=technician)
    left = {each["kind"] for each in listed(tara, "sample-reconciliation/")}
    assert kinds - left == {"URINE"}
    assert listed(tara, "sample-reconciliation/", site="002") == []
    assert tara.get("sample-reconciliation/", subject="x").status_code == 400


def test_what_waits_for_the_freezer_says_how_long_it_may(tara, visit, technician):
    tube = collected(visit, technician, "SERUM", hours=-1)
    (line,) = listed(tara, "samples-to-freeze/")
    assert (line["code"], line["minutes_left"]) == (tube.code, tube.freeze_within - 60)


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor"])
def test_who_may_only_see_changes_nothing(cast, visit, technician, who):
    tube = labelled(visit, technician)[0]
    client = ApiClient(getattr(cast, who))
    assert client.get(f"samples/{tube.pk}/").status_code == 200
    assert client.post(f"samples/{tube.pk}/collect/").status_code == 403
    assert client.post("scan/", {"step": "collect", "code": tube.code}).status_code == 403
    assert client.post("freezers/", {"site": "001", "name": "x", "celsius": -80}).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["samples/", "aliquots/", "custody-events/", "labels/", "boxes/", "racks/", "freezers/",
     "samples-not-collected/", "samples-to-freeze/", "sample-reconciliation/"],
)  # fmt: skip
def test_a_longer_list_costs_no_more_queries(cast, tara, technician, path):
    paper = make_document(cast, cast.site)

    def more(number: int) -> None:
        visit = sampled(cast, document=paper)
        box = box_at(cast.site, technician, n=number)
        aliquot = stored(visit, technician, box)
        collected(visit, technician, "SERUM")
        body = {"codes": [aliquot.code], "layout": "single"}
        sent(tara, "labels/", body)
        with as_person(technician):
            state_not_collected(visit=visit, kind="URINE", reason="refused", by=technician)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert tara.get(path, page_size=1000).status_code == 200
        return len(captured)

    cost()
    more(1)
    few = cost()
    for number in (2, 3):
        more(number)
    assert cost() == few


def test_a_list_is_narrowed_by_what_it_names(tara, visit, technician, box):
    aliquot = stored(visit, technician, box)
    tube = labelled(visit, technician, "URINE")[0]
    for path, said, expected in (
        ("samples/", {"kind": "URINE"}, [tube.code]),
        ("samples/", {"state": "aliquoted"}, [aliquot.specimen.code]),
        ("samples/", {"site": "002"}, []),
        ("samples/", {"code": tube.code, "visit": str(visit.pk)}, [tube.code]),
        ("aliquots/", {"box": box.code}, [aliquot.code]),
        ("boxes/", {"code": box.code}, [box.code]),
    ):
        assert [each["code"] for each in listed(tara, path, **said)] == expected, said
    assert tara.get("samples/", state="frozen").status_code == 400
    assert tara.get("aliquots/", made_by="x").status_code == 400


def test_what_another_site_has_is_not_there(cast, tara, visit, technician, box):
    stored(visit, technician, box)
    stranger = ApiClient(technician_at(cast.other_site))
    for path in ("samples/", "aliquots/", "custody-events/", "boxes/", "freezers/"):
        assert listed(stranger, path) == [], path
    with as_person(technician):
        aliquot = Aliquot.objects.filter(box=box).get()
    assert list(stranger.get("scan/", code=aliquot.code).json()["errors"]) == ["code"]
    body = {"specimen": str(aliquot.specimen_id)}
    assert list(stranger.post("aliquots/", body).json()["errors"]) == ["specimen"]
