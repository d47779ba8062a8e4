"""Labels: read back by an independent reader, printed again only with the reason."""

from __future__ import annotations

import pypdfium2
import pytest
import zxingcpp
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from samples.labels import LAYOUTS, Label, label_sheet
from samples.models import LabelPrint
from samples.selectors.plan import samples_of_visit
from samples.services.labels import labels_of, print_labels
from tests.factories import as_person, sign_in
from tests.samples.bench import aliquoted, labelled
from trialsite.core.clock import trial_now


def read(document: bytes) -> list[str]:
    """Every DataMatrix on the pages, as another program reads them at 300 dpi."""
    found = []
    for page in pypdfium2.PdfDocument(document):
        picture = page.render(scale=300 / 72).to_pil().convert("L")
        symbols = zxingcpp.read_barcodes(
            picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)
        )
        found += [symbol.text for symbol in symbols]
    return found


def words(document: bytes) -> str:
    pages = pypdfium2.PdfDocument(document)
    return "\n".join(page.get_textpage().get_text_range() for page in pages)


@pytest.mark.parametrize("key", sorted(LAYOUTS))
def test_every_layout_is_read_back_by_an_independent_reader(db, key):
    codes = [f"S001-{number:06d}-0{number % 4 + 1}-K" for number in range(1, 8)]
    document = label_sheet(
        [Label(code, ("NCT06904755 · 001-001", "Day 7")) for code in codes],
        LAYOUTS[key],
        at=trial_now(),
    )
    assert sorted(read(document)) == codes


def test_a_begun_sheet_goes_on_where_it_was_left(db):
    layout = LAYOUTS["a4-5x13"]
    label = [Label("S001-000001-K", ("x",))]
    one = label_sheet(label, layout, at=trial_now())
    begun = label_sheet(label, layout, at=trial_now(), skip=64)
    assert read(one) == read(begun) == ["S001-000001-K"]
    assert len(pypdfium2.PdfDocument(begun)) == 1


def test_a_visits_labels_hold_its_tubes_and_planned_aliquots_and_no_name(visit, technician):
    tubes = labelled(visit, technician, "EDTA", 2) + labelled(visit, technician, "URINE")
    answer = sign_in(technician).post(
        reverse("samples:visit_labels", args=[visit.pk]),
        {"layout": "a4-5x13", "skip": "0", "aliquots": "on"},
    )
    assert answer["Content-Type"] == "application/pdf"
    codes = read(answer.content)
    assert len(codes) == 9
    assert {each.code for each in tubes} <= set(codes)
    said = words(answer.content)
    for known in (visit.subject.label, "Day 7", "EDTA plasma", "NCT06904755"):
        assert known in said
    with as_person(technician):
        assert LabelPrint.objects.count() == 9


def test_the_label_of_an_aliquot_is_the_one_that_was_planned(visit, technician):
    made = aliquoted(visit, technician)
    answer = sign_in(technician).post(
        reverse("samples:sample_label", args=[made[1].code]), {"layout": "single", "skip": "0"}
    )
    assert read(answer.content) == [made[1].code]


def test_a_label_is_printed_again_only_with_the_reason(visit, technician):
    (tube,) = labelled(visit, technician)
    client, address = sign_in(technician), reverse("samples:sample_label", args=[tube.code])
    asked = {"layout": "single", "skip": "0"}
    assert client.post(address, asked).status_code == 200
    refused = client.post(address, asked)
    assert refused.status_code == 422
    assert "printed before" in refused.content.decode()
    assert client.post(address, asked | {"reason": "Smeared"}).status_code == 200
    with as_person(technician):
        prints = LabelPrint.objects.order_by("copy").values_list("copy", "reason")
        assert list(prints) == [(1, ""), (2, "Smeared")]


def test_what_was_printed_is_left_out_unless_asked_for(visit, technician):
    labelled(visit, technician, "URINE")
    client, address = sign_in(technician), reverse("samples:visit_labels", args=[visit.pk])
    asked = {"layout": "a4-5x13", "skip": "0"}
    client.post(address, asked)
    nothing = client.post(address, asked)
    assert nothing.status_code == 422
    assert "no label to print" in nothing.content.decode()
    (later,) = labelled(visit, technician, "SERUM")
    assert read(client.post(address, asked).content) == [later.code]


@pytest.mark.parametrize("made", [False, True])
def test_labels_cost_the_same_queries_however_many_tubes(visit, technician, made):
    def wanted(count):
        specimens = samples_of_visit(visit).specimens[:count]
        with CaptureQueriesContext(connection) as queries:
            found = labels_of(specimens)
            document = print_labels(
                wanted=found, layout="a4-5x13", by=technician, reason=f"Sheet of {count}"
            )
        assert document
        return len(queries), len(found)

    for kind in ("EDTA", "SERUM", "URINE"):
        if made:
            aliquoted(visit, technician, kind)
        else:
            labelled(visit, technician, kind)
    with as_person(technician):
        assert wanted(1)[1] == 3
        few, _labels = wanted(1)
        many, labels = wanted(3)
    assert labels == 9
    assert many == few
