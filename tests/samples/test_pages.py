"""The pages of samples, as a technician meets them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from samples.models import Aliquot, CustodyEvent, NotCollected, Specimen
from samples.services.specimens import collect_specimen
from screening.models.consent import Scope
from tests.factories import as_person, sign_in
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
from tests.screening.consenting import wall, withdraw
from tests.visits.treating import treatable
from trialsite.casebook.models import VisitMode
from trialsite.casebook.services.visits import attend_visit
from trialsite.conduct.models import Deviation


@pytest.fixture
def bench(technician):
    """The technician's browser."""
    return sign_in(technician)


def scan(client, step, code, **said):
    return client.post(reverse("samples:scan", args=[step]), {"code": code, **said})


def text(answer):
    return answer.content.decode()


def test_a_visit_shows_each_kind_of_the_plan_with_what_there_is(bench, visit, technician):
    collected(visit, technician)
    page = text(bench.get(reverse("samples:visit", args=[visit.pk])))
    for said in ("EDTA plasma", "Serum", "Urine", "Faeces", "collected 1 of 2–4"):
        assert said in page


def test_all_planned_tubes_get_their_numbers_at_once(bench, visit, technician):
    for _again in range(2):
        bench.post(reverse("samples:prepare_all", args=[visit.pk]))
    with as_person(technician):
        kinds = sorted(Specimen.objects.values_list("kind", flat=True))
    assert kinds == ["EDTA"] * 4 + ["FAECES"] * 2 + ["SERUM"] * 2 + ["URINE"]


def test_beyond_the_plan_is_refused_beside_the_field_and_nothing_typed_is_lost(
    bench, visit, technician
):
    labelled(visit, technician, "URINE")
    answer = bench.post(
        reverse("samples:prepare", args=[visit.pk]), {"kind": "URINE", "count": "3"}
    )
    assert answer.status_code == 422
    assert "say why" in text(answer)
    assert 'value="3"' in text(answer)


def test_what_was_not_collected_is_stated_with_its_reason(bench, visit, technician):
    address = reverse("samples:not_collected", args=[visit.pk])
    assert bench.post(address, {"kind": "FAECES", "reason": ""}).status_code == 422
    assert bench.post(address, {"kind": "FAECES", "reason": "other"}).status_code == 422
    assert bench.post(address, {"kind": "FAECES", "reason": "none_passed"}).status_code == 302
    with as_person(technician):
        assert NotCollected.objects.get().reason == "none_passed"
        assert Deviation.objects.get().kind == "sample_not_collected"
    page = text(bench.get(reverse("samples:visit", args=[visit.pk])))
    assert "not collected: Nothing passed" in page


def test_collecting_after_all_takes_the_statement_back(bench, visit, technician):
    bench.post(
        reverse("samples:not_collected", args=[visit.pk]),
        {"kind": "URINE", "reason": "none_passed"},
    )
    (tube,) = labelled(visit, technician, "URINE")
    with as_person(technician):
        collect_specimen(specimen=tube, by=technician)
        assert NotCollected.objects.get().void_reason


def test_each_scan_says_clearly_what_was_done(bench, visit, technician, box):
    (tube,) = labelled(visit, technician)
    said = [
        text(scan(bench, "collect", tube.code, visit=visit.pk)),
        text(scan(bench, "receive", tube.code)),
        text(scan(bench, "spin", tube.code, centrifuge_g="2000", centrifuge_minutes="10")),
        text(scan(bench, "aliquot", tube.code, volume="0.5")),
    ]
    for page, words in zip(
        said, ("Collected", "Received at the laboratory", "Centrifuged", "2 aliquots"), strict=True
    ):
        assert f"<strong>{words}</strong>" in page
        assert "scan-done" in page
    with as_person(technician):
        codes = list(Aliquot.objects.values_list("code", flat=True))
        assert Specimen.objects.get().centrifuge_g == 2000
    chosen = text(scan(bench, "freeze", box.code))
    assert "scan-chosen" in chosen
    assert str(box.pk) in chosen
    for place, code in zip(("A1", "A2"), codes, strict=True):
        page = text(scan(bench, "freeze", code, box=box.pk))
        assert f"<strong>{box.code} {place}</strong>" in page


@pytest.mark.parametrize("step", ["collect", "receive", "spin", "aliquot"])
def test_the_same_scan_again_says_so_and_changes_nothing(bench, visit, technician, step):
    (tube,) = labelled(visit, technician)
    for each in ("collect", "receive", "spin", "aliquot"):
        scan(bench, each, tube.code)
        if each == step:
            break
    with as_person(technician):
        before = CustodyEvent.objects.count()
    again = scan(bench, step, tube.code)
    assert again.status_code == 200
    assert "scan-already" in text(again)
    with as_person(technician):
        assert CustodyEvent.objects.count() == before


def refused(client, step, code, **said):
    answer = scan(client, step, code, **said)
    assert answer.status_code == 422
    assert "scan-refused" in text(answer)
    return text(answer)


def test_a_tube_of_another_participant_or_visit_is_stopped(cast, bench, visit, technician):
    other_visit = visit_of(visit.subject, "SE.D14")
    (tube,) = labelled(other_visit, technician)
    assert "Wrong visit" in refused(bench, "collect", tube.code, visit=visit.pk)
    with as_person(technician):
        assert Specimen.objects.get().state == "prepared"


def test_a_tube_of_another_person_is_stopped_and_names_both(cast, bench, visit, technician):
    other = visit_of(make_second(cast, visit))
    (tube,) = labelled(other, technician)
    page = refused(bench, "collect", tube.code, visit=visit.pk)
    assert "Wrong participant" in page
    assert other.subject.label in page
    assert visit.subject.label in page


def make_second(cast, visit):
    from screening.models import ConsentDocument

    with as_person(cast.investigator):
        paper = ConsentDocument.objects.get()
    return treatable(cast, document=paper)


@pytest.mark.parametrize(
    ("code", "headline"),
    [("S001-000999-X", "Misread"), ("garbage", "Misread"), ("-", "Nothing was read")],
)
def test_what_is_no_code_is_refused(bench, code, headline):
    assert headline in refused(bench, "collect", code)


def test_a_code_of_another_site_is_as_unknown_as_one_of_nobody(cast, visit, technician):
    (tube,) = labelled(visit, technician)
    stranger = sign_in(technician_at(cast.other_site))
    theirs = refused(stranger, "collect", tube.code)
    assert "Unknown" in theirs
    assert visit.subject.label not in theirs


def test_a_label_whose_aliquot_was_not_made_says_so(bench, visit, technician):
    from samples.services.specimens import aliquot_code

    specimen = collected(visit, technician)
    assert "Not made yet" in refused(bench, "freeze", aliquot_code(specimen, 1))


def test_what_was_destroyed_or_voided_is_refused(bench, visit, technician, box, cast):
    from samples.models import CustodyKind
    from samples.services.aliquots import end_aliquot
    from samples.services.specimen_ends import void_specimen

    aliquot = stored(visit, technician, box)
    tube = collected(visit, technician, "SERUM")
    with as_person(technician):
        end_aliquot(
            aliquot=aliquot,
            kind=CustodyKind.DESTROYED,
            reason="x",
            by=technician,
            witness=cast.nurse,
        )
        void_specimen(specimen=tube, reason="Wrong label", by=technician)
    refused(bench, "freeze", aliquot.code, box=box.pk)
    assert "Wrong label" in refused(bench, "receive", tube.code)


def test_an_aliquot_is_not_collected_and_a_tube_is_not_frozen(bench, visit, technician, box):
    aliquot = aliquoted(visit, technician)[0]
    assert "An aliquot" in refused(bench, "collect", aliquot.code)
    assert "A specimen" in refused(bench, "freeze", aliquot.specimen.code, box=box.pk)
    assert "No box" in refused(bench, "freeze", aliquot.code)


def test_codes_come_as_chinese_keyboards_send_them(bench, visit, technician):
    (tube,) = labelled(visit, technician)
    wide = tube.code.lower().translate({ord("-"): "－", ord("s"): "ｓ"})
    assert "scan-done" in text(scan(bench, "collect", f" {wide} "))


def test_an_attempt_after_a_withdrawal_is_refused_and_remembered(cast, bench, visit, technician):
    (tube,) = labelled(visit, technician)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    assert "withdrawn" in refused(bench, "collect", tube.code)
    with as_person(technician):
        assert Deviation.objects.filter(kind="procedure_without_consent").count() == 1
        assert Specimen.objects.get().state == "prepared"


def test_a_code_scanned_on_any_page_leads_to_what_it_names(bench, visit, technician, box):
    (tube,) = labelled(visit, technician)
    for code, address in (
        (tube.code, reverse("samples:sample", args=[tube.code])),
        (box.code, reverse("samples:box", args=[box.code])),
    ):
        answer = bench.get(reverse("samples:look_up"), {"code": code.lower()})
        assert answer["Location"] == address
    assert bench.get(reverse("samples:look_up"), {"code": "S1"}).status_code == 422


def test_the_page_of_a_sample_tells_its_whole_custody(bench, visit, technician, box):
    aliquot = stored(visit, technician, box)
    page = text(bench.get(reverse("samples:sample", args=[aliquot.code])))
    for said in ("Collected", "Centrifuged", "Aliquoted", "Frozen and stored", f"{box.code} A1"):
        assert said in page


@pytest.mark.parametrize("name", ["collect", "void"])
def test_acts_of_a_labelled_tube_are_done_on_their_page(bench, visit, technician, name):
    (tube,) = labelled(visit, technician)
    address = reverse("samples:act", args=[tube.code, name])
    assert bench.get(address).status_code == 200
    assert bench.post(address, {"reason": "Label torn"}).status_code == 302


def test_a_third_thaw_is_refused_on_its_page(bench, visit, technician, box):
    aliquot = stored(visit, technician, box)
    address = reverse("samples:act", args=[aliquot.code, "thaw"])
    for _time in range(2):
        assert bench.post(address, {"reason": "IL-6"}).status_code == 302
        scan(bench, "freeze", aliquot.code, box=box.pk)
    answer = bench.post(address, {"reason": "IL-6"})
    assert answer.status_code == 422
    assert "the protocol allows 2" in text(answer)


def test_the_box_shows_who_is_where_and_what_is_free(bench, visit, technician, box):
    aliquot = stored(visit, technician, box)
    page = text(bench.get(reverse("samples:box", args=[box.code])))
    assert aliquot.code in page
    assert "1/81" in page
    assert "A2 A3 A4 A5 A6" in page


def test_one_aliquot_and_a_whole_box_are_moved(cast, bench, visit, technician, box):
    aliquot = stored(visit, technician, box)
    other = box_at(cast.site, technician, n=2)
    moved = bench.post(
        reverse("samples:move_aliquot", args=[aliquot.code]),
        {"code": other.code, "position": "C7"},
    )
    assert moved.status_code == 302
    wrong = bench.post(
        reverse("samples:move_aliquot", args=[aliquot.code]),
        {"code": other.code, "position": "Z9"},
    )
    assert wrong.status_code == 422
    out = bench.post(
        reverse("samples:move_box", args=[other.code]), {"rack": "", "reason": "Clean"}
    )
    assert out.status_code == 302
    with as_person(technician):
        assert Aliquot.objects.get(pk=aliquot.pk).place_name == f"{other.code} C7"
        other.refresh_from_db()
        assert other.rack is None
        assert other.moves.count() == 2


def test_a_freezer_and_its_boxes_are_entered(bench, cast):
    bench.post(
        reverse("samples:new_freezer"),
        {"site": cast.site.pk, "name": "Minus 80", "celsius": "-80", "racks": "2", "places": "3"},
    )
    page = text(bench.get(reverse("samples:freezers")))
    assert "Minus 80" in page
    assert "0/3" in page


def test_today_counts_down_to_the_freezer(bench, visit, technician):
    collected(visit, technician, hours=-0.5)
    late = collected(visit, technician, "SERUM", hours=-3)
    page = text(bench.get(reverse("samples:overview")))
    assert "90 min left" in page or "89 min left" in page
    assert "60 min late" in page or "61 min late" in page
    assert page.index(late.code) < page.index("min left")


def test_an_attended_visit_owes_what_was_not_collected(cast, bench, technician):
    visit = sampled(cast)
    with as_person(cast.nurse):
        attend_visit(
            visit=visit,
            on=wall(visit.site).date(),
            mode=VisitMode.ON_SITE,
            by=cast.nurse,
        )
    page = text(bench.get(reverse("samples:overview")))
    assert page.count("Samples of this visit</a>") == 4
    collected(visit, technician, "URINE")
    assert text(bench.get(reverse("samples:overview"))).count("Samples of this visit</a>") == 3


def test_the_visits_own_page_shows_its_samples(cast, visit, technician):
    collected(visit, technician)
    page = text(sign_in(cast.nurse).get(reverse("visits:visit", args=[visit.pk])))
    assert "Research samples" in page
    assert "collected 1 of 2–4" in page


@pytest.mark.parametrize("page", ["overview", "box", "visit"])
def test_pages_cost_the_same_queries_however_much_there_is(
    bench, visit, technician, box, page, cast
):
    def read():
        address = {
            "overview": reverse("samples:overview"),
            "box": reverse("samples:box", args=[box.code]),
            "visit": reverse("samples:visit", args=[visit.pk]),
        }[page]
        with CaptureQueriesContext(connection) as queries:
            assert bench.get(address).status_code == 200
        return len(queries)

    stored(visit, technician, box)
    collected(visit, technician)
    read()
    few = read()
    for _more in range(2):
        collected(visit, technician, "SERUM")
    stored(visit, technician, box)
    assert read() == few


def test_a_monitor_sees_and_does_nothing(cast, visit, technician):
    (tube,) = labelled(visit, technician)
    monitor = sign_in(cast.monitor)
    assert monitor.get(reverse("samples:sample", args=[tube.code])).status_code == 200
    assert monitor.get(reverse("samples:scan", args=["collect"])).status_code == 403
    assert monitor.post(reverse("samples:prepare_all", args=[visit.pk])).status_code == 403
