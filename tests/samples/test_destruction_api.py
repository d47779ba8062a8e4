"""Destruction lists and excursions over the API: by the same services, at the same rights."""

from __future__ import annotations

from typing import Any

import pytest

from samples.models import Destruction, Specimen
from screening.models.consent import Scope
from tests.api.conftest import ApiClient
from tests.factories import as_person
from tests.samples.bench import collected, stored, technician_at
from tests.samples.test_api import listed, sent
from tests.screening.consenting import wall, withdraw

pytestmark = pytest.mark.django_db


@pytest.fixture
def tara(technician) -> ApiClient:
    return ApiClient(technician)


def test_a_list_is_worked_through_and_closed_over_the_api(cast, visit, technician, box, tara):
    stored(visit, technician, box)
    other = technician_at(visit.site, full_name="Wilma Witness")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    (found,) = listed(tara, "sample-destructions/")
    assert (found["state"], found["settled"]) == ("open", 0)
    one = f"sample-destructions/{found['id']}/"
    lines = tara.get(one).json()["lines"]
    assert {line["here"] for line in lines} == {True}
    assert tara.post(f"{one}close/", {}).status_code == 409
    said = {"lines": [lines[0]["id"]], "how": "Autoclaved", "witness": other.email}
    told = sent(tara, f"{one}destroy/", said)
    assert told["settled"] == 1
    missing = f"sample-destruction-lines/{lines[1]['id']}/explain/"
    sent(tara, missing, {"why": "lost", "explanation": "Searched for twice"})
    assert sent(tara, f"{one}close/", {})["state"] == "closed"
    outcomes = [line["outcome"] for line in tara.get(one).json()["lines"]]
    assert sorted(outcomes) == ["destroyed", "lost"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"witness": "nobody@example.org"}, "witness"),
        ({"lines": ["00000000-0000-4000-8000-000000000000"]}, "lines"),
    ],
)
def test_what_is_not_there_is_refused_at_its_field(cast, visit, technician, box, tara, said, field):
    stored(visit, technician, box)
    other = technician_at(visit.site)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = Destruction.objects.get()
        line = str(found.lines.all()[0].pk)
    body: dict[str, Any] = {"lines": [line], "how": "Autoclaved", "witness": other.email} | said
    answer = tara.post(f"sample-destructions/{found.pk}/destroy/", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_another_sites_list_is_unknown_and_who_only_sees_changes_nothing(
    cast, visit, technician, box
):
    stored(visit, technician, box)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = Destruction.objects.get()
    path = f"sample-destructions/{found.pk}/"
    assert ApiClient(cast.stranger).get(path).status_code == 404
    assert ApiClient(cast.monitor).get(path).status_code == 200
    assert ApiClient(cast.monitor).post(f"{path}close/", {}).status_code == 403


def test_an_excursion_is_told_ended_and_voided_over_the_api(visit, technician, box, tara):
    tube = stored(visit, technician, box)
    clock = wall(visit.site, hours=-0.01).isoformat(timespec="minutes")
    body = {"box": str(box.pk), "began_at": clock, "celsius": "-40.5", "what": "Door open"}
    both = tara.post("storage-excursions/", body | {"rack": str(box.rack_id)})
    assert both.status_code == 400
    made = sent(tara, "storage-excursions/", body)
    assert [line["code"] for line in made["lines"]] == [tube.code]
    assert (made["listed"], made["ended_at"]) == (1, None)
    one = f"storage-excursions/{made['id']}/"
    now = wall(visit.site).isoformat(timespec="minutes")
    ended = sent(tara, f"{one}end/", {"ended_at": now, "celsius": "-39.0"}, version=1)
    assert (ended["celsius"], ended["version"]) == ("-39.0", 2)
    stale = tara.post(f"{one}void/", {"reason": "Sensor failed"}, version=1)
    assert stale.status_code == 412
    assert sent(tara, f"{one}void/", {"reason": "Sensor failed"}, version=2)["voided_at"]
    (seen,) = listed(tara, "storage-excursions/", site=visit.site.code)
    assert seen["void_reason"] == "Sensor failed"


def test_what_was_said_in_error_is_left_open_again_with_the_reason(visit, technician, tara):
    tube = collected(visit, technician)
    path = f"samples/{tube.pk}/describe/"
    said = {"on_ice": True, "amount": "4.00", "reason": "From the sheet"}
    assert sent(tara, path, said, version=tube.version)["on_ice"] is True
    both = {"on_ice": False, "unsaid": ["on_ice"], "reason": "x"}
    refused = tara.post(path, both, version=tube.version + 1)
    assert refused.status_code == 400
    assert "unsaid" in refused.json()["errors"]
    again = {"unsaid": ["on_ice", "amount", "draw_site"], "reason": "Another tube's sheet"}
    assert tara.post(path, again | {"reason": ""}, version=tube.version + 1).status_code == 400
    open_again = sent(tara, path, again, version=tube.version + 1)
    assert (open_again["on_ice"], open_again["amount"], open_again["draw_site"]) == (None, None, "")
    with as_person(technician):
        assert Specimen.objects.get(pk=tube.pk).on_ice is None


def test_a_tube_is_destroyed_before_a_witness_and_a_lost_one_is_found(visit, technician, tara):
    other = technician_at(visit.site, full_name="Wilma Witness")
    tube = collected(visit, technician)
    one = f"samples/{tube.pk}/"
    ended = {"kind": "destroyed", "reason": "Haemolysed"}
    assert tara.post(f"{one}end/", ended).status_code == 400
    sent(tara, f"{one}end/", {"kind": "lost", "reason": "Not in the rack"})
    assert sent(tara, f"{one}found/", {"reason": "Under it"})["state"] == "collected"
    assert sent(tara, f"{one}end/", ended | {"witness": other.email})["state"] == "destroyed"


def test_a_wrong_volume_is_put_right_or_taken_back_with_the_reason(visit, technician, box, tara):
    tube = stored(visit, technician, box)
    one = f"aliquots/{tube.pk}/"
    right = sent(tara, f"{one}volume/", {"volume": "0.40", "reason": "Wrong pipette"})
    assert right["volume"] == "0.40"
    unknown = sent(tara, f"{one}volume/", {"volume": None, "reason": "Nobody measured it"})
    assert unknown["volume"] is None
    assert tara.post(f"{one}volume/", {"volume": "0.00", "reason": "x"}).status_code == 400
    assert tara.post(f"{one}volume/", {"volume": "0.40", "reason": ""}).status_code == 400
    with as_person(technician):
        described = Specimen.objects.get(pk=tube.specimen_id)
    said = {"amount": "1.00", "reason": "From the sheet"}
    sent(tara, f"samples/{described.pk}/describe/", said, version=described.version)
    too_much = tara.post(f"{one}volume/", {"volume": "1.01", "reason": "x"})
    assert "volume" in too_much.json()["errors"]
    assert sent(tara, f"{one}use-up/", {"reason": "Assay"})["state"] == "used"
    kinds = [each["kind"] for each in listed(tara, "custody-events/", aliquot=str(tube.pk))]
    assert kinds == ["stored", "measured", "measured", "used_up"]
