"""What a tube is like: completed, put right, emptied, held against the protocol."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from samples.models import CustodyKind, Specimen
from samples.selectors.completing import outside_protocol, to_complete
from samples.services.facts import SpecimenFacts
from samples.services.specimen_ends import end_specimen
from samples.services.specimens import (
    centrifuge_specimen,
    collect_specimen,
    prepare_specimens,
)
from tests.factories import as_person, sign_in
from tests.samples.bench import collected
from tests.screening.consenting import wall
from trialsite.casebook.models import VisitMode
from trialsite.casebook.services.visits import attend_visit


@pytest.fixture
def bench(technician):
    """The technician's browser."""
    return sign_in(technician)


def text(answer):
    return answer.content.decode()


def facts(client, tube, **said):
    """The form as it stands, with these fields typed over."""
    address = reverse("samples:act", args=[tube.code, "describe"])
    form = client.get(address).context["form"]
    typed = {name: form[name].value() for name in form.fields}
    known = {key: value for key, value in typed.items() if value is not None}
    return client.post(address, known | {"reason": "Mistyped"} | said)


def test_what_was_said_in_error_is_left_open_again(bench, visit, technician):
    said = SpecimenFacts(bristol=6, antibiotics=True, remark="Watery", amount=Decimal("1.5"))
    tube = collected(visit, technician, "FAECES", facts=said)
    emptied = {"bristol": "", "antibiotics": "", "remark": ""}
    assert facts(bench, tube, **emptied).status_code == 302
    with as_person(technician):
        after = Specimen.objects.get()
        assert (after.bristol, after.antibiotics, after.remark) == (None, None, "")
        assert after.amount == Decimal("1.5")
        assert after.version == tube.version + 1


def gaps_of(client, visit):
    return text(client.get(reverse("samples:visit", args=[visit.pk])))


@pytest.mark.parametrize(
    ("kind", "said", "open_items"),
    [
        ("FAECES", {}, ["Bristol stool form", "Antibiotics within 7 days"]),
        ("FAECES", {"bristol": 4}, ["Antibiotics within 7 days"]),
        ("FAECES", {"bristol": 4, "antibiotics": False}, []),
        ("URINE", {}, ["How urine was collected"]),
        ("URINE", {"urine_method": "CATHETER"}, []),
        ("SERUM", {}, []),
    ],
)
def test_what_is_still_to_be_said_of_a_tube_stands_with_its_visit(
    bench, visit, technician, kind, said, open_items
):
    tube = collected(visit, technician, kind, facts=SpecimenFacts(**said))
    page = gaps_of(bench, visit)
    assert ("To be completed:" in page) == bool(open_items)
    assert all(each in page for each in open_items)
    with as_person(technician):
        end_specimen(specimen=tube, kind=CustodyKind.LOST, reason="x", by=technician)
    assert "To be completed:" not in gaps_of(bench, visit)


@pytest.mark.parametrize(
    ("on_ice", "said"), [(None, "Brought on ice"), (False, "Not brought on ice"), (True, "")]
)
def test_what_must_come_on_ice_is_asked_and_flagged(visit, technician, on_ice, said):
    with as_person(technician):
        (tube,) = prepare_specimens(
            visit=visit, kind="AMMONIA", count=1, by=technician, extra_reason="Ammonia asked for"
        )
        tube = collect_specimen(specimen=tube, by=technician, facts=SpecimenFacts(on_ice=on_ice))
        assert to_complete(tube) + outside_protocol(tube) == ([said] if said else [])


@pytest.mark.parametrize(
    ("g", "minutes", "flagged"),
    [
        (1000, 5, []),
        (3000, 20, []),
        (999, 10, ["Centrifuge, g: 999 (protocol: 1000–3000)"]),
        (3001, 21, ["Centrifuge, g: 3001 (protocol: 1000–3000)"]),
        (2000, 21, ["Centrifuge, minutes: 21 (protocol: 5–20)"]),
    ],
)
def test_how_it_was_centrifuged_is_held_against_the_protocol(
    bench, cast, visit, technician, g, minutes, flagged
):
    tube = collected(visit, technician)
    with as_person(technician):
        spun = SpecimenFacts(centrifuge_g=g, centrifuge_minutes=minutes)
        centrifuge_specimen(specimen=tube, by=technician, facts=spun)
    page = gaps_of(bench, visit)
    assert all(each in page for each in flagged)
    assert ("Not as the protocol has it" in page) == bool(flagged)
    with as_person(cast.nurse):
        attend_visit(visit=visit, on=wall(visit.site).date(), mode=VisitMode.ON_SITE, by=cast.nurse)
    listed = text(bench.get(reverse("samples:reconciliation")))
    assert all(each in listed for each in flagged)
    file = text(bench.get(reverse("samples:reconciliation_csv", args=[visit.site.code])))
    assert all(each in file for each in flagged)


def test_a_tube_spun_without_its_numbers_is_to_be_completed_on_its_page(bench, visit, technician):
    tube = collected(visit, technician)
    with as_person(technician):
        tube = centrifuge_specimen(specimen=tube, by=technician, facts=SpecimenFacts())
    assert "Centrifuge, g, Centrifuge, minutes" in gaps_of(bench, visit)
    answer = facts(bench, tube, centrifuge_g="2000", centrifuge_minutes="10")
    assert answer.status_code == 302
    assert "To be completed:" not in gaps_of(bench, visit)
