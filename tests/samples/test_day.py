"""A technician's day by scanner: 24 tubes of one visit, 48 aliquots, one box."""

from __future__ import annotations

from django.urls import reverse

from samples.models import Aliquot, CustodyEvent
from samples.services.specimens import prepare_specimens
from tests.factories import as_person, sign_in

STEPS = ("collect", "receive", "spin", "aliquot")


def test_24_tubes_become_48_aliquots_in_the_order_of_the_scans(visit, technician, box):
    with as_person(technician):
        tubes = prepare_specimens(
            visit=visit, kind="EDTA", count=24, by=technician, extra_reason="Sub-study of kinetics"
        )
    client = sign_in(technician)

    def scan(step, code, **said):
        answer = client.post(reverse("samples:scan", args=[step]), {"code": code, **said})
        assert answer.status_code == 200
        assert "scan-done" in answer.content.decode()

    for step in STEPS:
        for tube in tubes:
            scan(step, tube.code, visit=visit.pk)
    with as_person(technician):
        codes = list(Aliquot.objects.order_by("code").values_list("code", flat=True))
    assert len(codes) == 48
    order = codes[::-1]
    client.post(reverse("samples:scan", args=["freeze"]), {"code": box.code})
    for code in order:
        scan("freeze", code, box=box.pk)
    with as_person(technician):
        by_place = Aliquot.objects.order_by("position").values_list("code", flat=True)
        assert list(by_place) == order
        events = CustodyEvent.objects.filter(kind="stored").order_by("position")
        assert list(events.values_list("aliquot__code", flat=True)) == order
    page = client.get(reverse("samples:box", args=[box.code])).content.decode()
    assert "48/81" in page
    assert page.index(order[0]) < page.index(order[1]) < page.index(order[47])
