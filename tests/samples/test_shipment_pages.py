"""The pages of shipments, as a technician at the parcel meets them."""

from __future__ import annotations

import csv
import io
import re

import pypdfium2
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from samples.models import ExportPermission, Shipment, ShipmentLine
from screening.models.consent import Scope
from tests.factories import as_person, sign_in
from tests.samples.bench import box_at, technician_at
from tests.samples.shipping import drafted, frozen, packed, permitted, sent, states
from tests.screening.consenting import wall, withdraw


@pytest.fixture
def bench(technician):
    """The technician's browser."""
    return sign_in(technician)


def scan(client, parcel, step, code, **said):
    if step == "receive":
        said = {"condition": "intact"} | said
    address = reverse("samples:shipment_scan", args=[parcel.code, step])
    return client.post(address, {"code": code, **said})


def do(client, parcel, act, **said):
    return client.post(reverse("samples:shipment_act", args=[parcel.code, act]), said)


def page_of(client, parcel):
    return text(client.get(reverse("samples:shipment", args=[parcel.code])))


def text(answer):
    return answer.content.decode()


def refused(answer):
    assert answer.status_code == 422
    assert "scan-refused" in text(answer)
    assert 'role="alert"' in text(answer)
    return text(answer)


def lines_of(client, parcel):
    answer = client.get(reverse("samples:manifest", args=[parcel.code, "csv"]))
    return list(csv.DictReader(io.StringIO(text(answer))))


def test_a_shipment_from_the_freezer_to_the_receipt_with_one_missing(
    bench, cast, technician, tubes, box
):
    begun = bench.post(
        reverse("samples:new_shipment"),
        {
            "site": cast.site.pk,
            "destination": "Central laboratory",
            "purpose": "IL-6",
            "cooling": "dry_ice",
            "carrier": "Cold Express",
        },
    )
    with as_person(technician):
        parcel = Shipment.objects.get()
    assert begun["Location"] == reverse("samples:shipment_scan", args=[parcel.code, "pack"])
    for number, tube in enumerate(tubes, 1):
        page = text(scan(bench, parcel, "pack", tube.code))
        assert f"<strong>Packed: line {number}</strong>" in page
        assert "autofocus" in page
    assert "0/81" in text(bench.get(reverse("samples:box", args=[box.code])))
    assert do(bench, parcel, "hand_over", packages="1", dry_ice="5").status_code == 302
    for tube in tubes[:2]:
        assert "<strong>Received</strong>" in text(scan(bench, parcel, "receive", tube.code))
    assert "1 line is neither received nor explained" in page_of(bench, parcel)
    early = do(bench, parcel, "close")
    assert early.status_code == 422
    assert "1 line is neither" in text(early)
    with as_person(technician):
        rest = ShipmentLine.objects.get(code=tubes[2].code)
    address = reverse("samples:shipment_line", args=[rest.pk])
    assert bench.post(address, {"reason": ""}).status_code == 422
    assert bench.post(address, {"reason": "Not in the box"}).status_code == 302
    assert do(bench, parcel, "close").status_code == 302
    page = page_of(bench, parcel)
    assert "Not in the box" in page
    assert "Closed" in page
    assert states(*tubes) == ["away", "away", "lost"]
    listed = lines_of(bench, parcel)
    assert [each["CODE"] for each in listed] == [each.code for each in tubes]
    assert [each["POSITION"] for each in listed] == ["A1", "A2", "A3"]
    for tube, said in zip(tubes, ("Received", "Received", "Lost"), strict=True):
        assert said in text(bench.get(reverse("samples:sample", args=[tube.code])))


def test_a_blocked_export_says_so_before_and_at_the_scan_and_packs_nothing(
    bench, cast, technician, tubes
):
    abroad = drafted(cast.site, technician, abroad=True)
    address = reverse("samples:shipment_scan", args=[abroad.code, "pack"])
    assert "Export not permitted" in text(bench.get(address))
    assert "none is named" in refused(scan(bench, abroad, "pack", tubes[0].code))
    assert states(*tubes) == ["stored"] * 3
    permission = permitted(cast)
    assert do(bench, abroad, "permission", permission=permission.pk).status_code == 302
    assert "scan-done" in text(scan(bench, abroad, "pack", tubes[0].code))


def test_an_investigator_records_the_permission_and_a_technician_cannot(
    cast, visit, technician, bench
):
    address = reverse("samples:record_permission")
    said = {
        "site": cast.site.pk,
        "number": "HGR-7",
        "recipient": "Reference laboratory",
        "valid_from": "2026-01-01",
        "valid_until": "2026-12-31",
        "kinds": ["URINE"],
    }
    assert bench.post(address, said).status_code == 403
    investigator = sign_in(cast.investigator)
    wrong = investigator.post(address, said | {"valid_until": "2025-12-31"})
    assert wrong.status_code == 422
    assert "It ends before it begins" in text(wrong)
    assert investigator.post(address, said).status_code == 302
    again = investigator.post(address, said)
    assert "A permission with this number is recorded" in text(again)
    with as_person(technician):
        permission = ExportPermission.objects.get()
    assert "HGR-7" in text(bench.get(reverse("samples:permissions")))
    revoke = reverse("samples:revoke_permission", args=[permission.pk])
    assert bench.post(revoke, {"reason": "x"}).status_code == 403
    assert investigator.post(revoke, {"reason": "Suspended"}).status_code == 302
    assert "Suspended" in text(bench.get(reverse("samples:permissions")))


@pytest.mark.parametrize(
    ("purpose", "headline"),
    [({"genetic": True}, "Not consented to"), ({}, "Consent withdrawn")],
)
def test_consent_refuses_at_the_scan_field(
    bench, cast, visit, technician, tubes, purpose, headline
):
    parcel = drafted(cast.site, technician, **purpose)
    if headline == "Consent withdrawn":
        withdraw(cast, visit.subject, Scope.SAMPLES)
    page = refused(scan(bench, parcel, "pack", tubes[0].code))
    assert f"<strong>{headline}</strong>" in page
    assert "In the parcel" in page
    assert states(*tubes) == ["stored"] * 3


@pytest.mark.parametrize(
    ("code", "headline"),
    [("garbage", "Misread"), ("-", "Nothing was read"), ("S001-999999-01-0", "Misread")],
)
def test_what_is_no_code_is_refused(bench, parcel, code, headline):
    assert headline in refused(scan(bench, parcel, "pack", code))


def test_what_was_said_of_a_refused_scan_stays_and_of_a_good_one_is_said_anew(
    bench, parcel, technician, tubes
):
    parcel = sent(parcel, technician, *tubes[:2])
    said = {"condition": "damaged", "note": "Cap open"}
    page = refused(scan(bench, parcel, "receive", tubes[2].code, **said))
    assert "Not on the manifest" in page
    assert "Cap open" in page
    assert re.search(r'value="damaged"\s+selected', page)
    page = text(scan(bench, parcel, "receive", tubes[0].code, **said))
    assert "Damaged or leaking" in page
    assert "Cap open" not in page.split("</form>")[-2]
    assert not re.search(r'value="damaged"\s+selected', page)


def test_what_stands_on_no_line_is_taken_in_as_unexpected(bench, parcel, technician, tubes):
    parcel = sent(parcel, technician, tubes[0])
    page = refused(scan(bench, parcel, "receive", tubes[1].code))
    assert "tick" in page
    scan(bench, parcel, "receive", tubes[1].code, unexpected="on")
    scan(bench, parcel, "receive", tubes[0].code)
    page = page_of(bench, parcel)
    assert "Not on the manifest" in page
    assert "1 line is neither" in page
    assert len(lines_of(bench, parcel)) == 1


def test_what_was_scanned_by_mistake_is_said_not_to_have_come(bench, parcel, technician, tubes):
    parcel = sent(parcel, technician, *tubes[:2])
    scan(bench, parcel, "receive", tubes[0].code)
    (address,) = re.findall(r'href="([^"]+missing=1)"', page_of(bench, parcel))
    assert "It is missing" in text(bench.get(address))
    assert bench.post(address, {"reason": ""}).status_code == 422
    assert bench.post(address, {"reason": "The wrong paper"}).status_code == 302
    assert "The wrong paper" in page_of(bench, parcel)
    assert states(tubes[0]) == ["lost"]


def test_the_rest_is_missing_at_once_and_one_is_found_after_all(bench, parcel, technician, tubes):
    parcel = sent(parcel, technician, *tubes)
    assert do(bench, parcel, "arrived", receiver="Dr Li").status_code == 302
    assert do(bench, parcel, "rest_missing", reason="Empty box").status_code == 302
    assert do(bench, parcel, "close").status_code == 302
    page = text(scan(bench, parcel, "receive", tubes[1].code, note="In the other bag"))
    assert "<strong>Found again</strong>" in page
    assert states(*tubes) == ["lost", "away", "lost"]


def test_a_parcel_said_to_arrive_before_it_left_is_refused_beside_its_field(
    bench, parcel, technician, tubes
):
    parcel = sent(parcel, technician, *tubes)
    at = wall(parcel.site, hours=-5).isoformat(timespec="minutes")
    answer = do(bench, parcel, "arrived", receiver="Dr Li", at=at)
    assert answer.status_code == 422
    assert "received after it was handed over" in text(answer)
    assert "Dr Li" in text(answer)


def test_a_code_scanned_anywhere_leads_to_the_shipment(bench, parcel):
    found = bench.get(reverse("samples:look_up"), {"code": parcel.code.lower()})
    assert found["Location"] == reverse("samples:shipment", args=[parcel.code])


def test_the_manifest_as_paper_names_codes_and_nobody(bench, parcel, visit, technician, tubes):
    parcel = sent(parcel, technician, *tubes, tracking="AB 12", dry_ice=5)
    address = reverse("samples:manifest", args=[parcel.code, "pdf"])
    first, again = (bench.get(address).content for _time in range(2))
    assert first == again
    document = pypdfium2.PdfDocument(first)
    words = "\n".join(page.get_textpage().get_text_range() for page in document)
    for said in (parcel.code, "Central laboratory", "AB 12", *(each.code for each in tubes)):
        assert said in words
    assert "样本" in words or "尿液" in words
    assert visit.subject.label not in words


def test_a_formula_in_the_manifest_is_harmless(bench, cast, technician, tubes, parcel):
    packed(parcel, technician, tubes[0])
    answer = bench.get(reverse("samples:manifest", args=[parcel.code, "csv"]))
    assert "attachment" in answer["Content-Disposition"]
    assert (
        answer.content == bench.get(reverse("samples:manifest", args=[parcel.code, "csv"])).content
    )
    (row,) = lines_of(bench, parcel)
    assert row["CODE"] == tubes[0].code
    assert not any(value.startswith(("=", "+", "@")) for value in row.values())


def test_the_list_shows_what_is_where(bench, cast, technician, tubes, parcel):
    sent(parcel, technician, *tubes)
    page = text(bench.get(reverse("samples:shipments")))
    assert parcel.code in page
    assert "On the way" in page


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("shipment", ()),
        ("shipment_scan", ("pack",)),
        ("shipment_act", ("cancel",)),
        ("manifest", ("pdf",)),
    ],
)
def test_a_shipment_of_another_site_is_not_found(cast, parcel, name, more):
    stranger = sign_in(technician_at(cast.other_site))
    assert stranger.get(reverse(f"samples:{name}", args=[parcel.code, *more])).status_code == 404
    assert parcel.code not in text(stranger.get(reverse("samples:shipments")))


def test_a_line_and_a_permission_of_another_site_are_not_found(cast, technician, parcel, tubes):
    (line,) = packed(parcel, technician, tubes[0])
    stranger = sign_in(technician_at(cast.other_site))
    address = reverse("samples:shipment_line", args=[line.pk])
    assert stranger.post(address, {"reason": "x"}).status_code == 404
    permitted(cast)
    assert "HGR-2026" not in text(stranger.get(reverse("samples:permissions")))


def test_a_nurse_reads_and_ships_nothing(cast, parcel, technician, tubes):
    packed(parcel, technician, tubes[0])
    nurse = sign_in(cast.nurse)
    page = page_of(nurse, parcel)
    assert tubes[0].code in page
    assert "Pack by scan" not in page
    assert scan(nurse, parcel, "pack", tubes[1].code).status_code == 403
    assert do(nurse, parcel, "hand_over", packages="1").status_code == 403


def test_what_cannot_be_done_now_is_not_offered_and_is_refused(bench, parcel, technician, tubes):
    parcel = sent(parcel, technician, tubes[0])
    page = page_of(bench, parcel)
    assert "Pack by scan" not in page
    assert "Cancel the shipment" not in page
    assert "On the way" in refused(scan(bench, parcel, "pack", tubes[1].code))
    assert do(bench, parcel, "cancel", reason="x").status_code == 422


@pytest.mark.parametrize("page", ["shipments", "shipment", "pack", "receive", "permissions"])
def test_pages_cost_the_same_queries_however_much_is_packed(
    bench, cast, technician, tubes, visit, page
):
    parcel = drafted(cast.site, technician)
    packed(parcel, technician, tubes[0])
    if page == "receive":
        parcel = sent(drafted(cast.site, technician), technician, tubes[1])

    def read():
        address = {
            "shipments": reverse("samples:shipments"),
            "permissions": reverse("samples:permissions"),
            "shipment": reverse("samples:shipment", args=[parcel.code]),
        }.get(page) or reverse("samples:shipment_scan", args=[parcel.code, page])
        with CaptureQueriesContext(connection) as queries:
            assert bench.get(address).status_code == 200
        return len(queries)

    permitted(cast)
    read()
    few = read()
    other = box_at(cast.site, technician, n=2)
    more = frozen(visit, technician, other, 4, "FAECES")
    if page != "receive":
        packed(parcel, technician, *more)
    sent(drafted(cast.site, technician), technician, *tubes[2:])
    permitted(cast, number="HGR-9")
    assert read() == few
