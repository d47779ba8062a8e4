"""A technician's whole day with the keyboard only: what a scanner types, Tab and Enter.

Twenty-four tubes of one visit are collected, spun and divided into forty-eight aliquots,
frozen into a box in the order of the scans, sent, and received with one missing. The map of
the box, the custody and the manifest on paper and as a file say the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from playwright.sync_api import Page, expect
from pypdf import PdfReader

from samples.models import Aliquot, Box, CustodyEvent, ShipmentLine, Specimen
from samples.services.specimens import prepare_specimens
from tests.e2e.stack import Visitors
from tests.factories import Cast, as_person
from tests.samples.bench import box_at, technician_at, visit_of
from tests.samples.replaying import assert_custody_is_true
from tests.screening.consenting import paper_in_force
from tests.visits.treating import treatable
from trialsite.access.models import User
from trialsite.casebook.models import Visit

_FOCUSED = "document.activeElement.textContent.trim() || document.activeElement.name || ''"


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, name: str) -> None:
        """Tab until the focus is on what has this name."""
        for _press in range(150):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(_FOCUSED) == name:
                return
        raise AssertionError(f"the keyboard does not come to “{name}”")

    def open(self, name: str, heading: str) -> None:
        self.to(name)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(heading)

    def fill(self, heading: str, *, send: str = "", **texts: str) -> None:
        """Type into fields on the way down the form, and send it; then it is this page."""
        for name, text in texts.items():
            self.to(name)
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.type(text)
        if send:
            self.to(send)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(heading)

    def scan(self, code: str, expected: str) -> None:
        """What a keyboard-wedge scanner does: it types the code, and Enter."""
        expect(self.page.locator("input[name=code]")).to_be_focused()
        self.page.keyboard.type(code)
        self.page.keyboard.press("Enter")
        answer = self.page.locator(".scan-answer")
        expect(answer).to_contain_text(code)
        expect(answer.locator("strong")).to_have_text(expected)


def at_the_bench(keys: Keyboard, tubes: Sequence[Specimen], of: Visit, box: Box, by: User):
    """From the bed to the freezer; the codes of the aliquots in the order of the scans."""
    for tube in tubes:
        keys.scan(tube.code, "Collected")
    for step, done in (("Centrifuge", "Centrifuged"), ("Aliquot", "2 aliquots")):
        keys.open(step, step)
        for tube in tubes:
            keys.scan(tube.code, done)
    keys.open("Freeze", "Freeze")
    keys.scan(box.code, f"Box {box.code}")
    with as_person(by):
        made = Aliquot.objects.filter(specimen__visit=of).order_by("-code")
        codes = list(made.values_list("code", flat=True))
    assert len(codes) == 48
    for place, code in enumerate(codes, start=1):
        keys.scan(code, f"{box.code} {box.position_name(place)}")
    return codes


def test_a_technicians_day_with_the_keyboard_only(visit: Visitors, cast: Cast):
    technician = technician_at(cast.site, full_name="Tara Technician")
    of = visit_of(treatable(cast, document=paper_in_force(cast)))
    box = box_at(cast.site, technician, n="day")
    with as_person(technician):
        tubes = prepare_specimens(
            visit=of, kind="EDTA", count=24, by=technician, extra_reason="Sub-study of kinetics"
        )
    page = visit(technician, f"/samples/scan/collect/?visit={of.pk}", width=1440)
    keys = Keyboard(page)
    codes = at_the_bench(keys, tubes, of, box, technician)

    keys.open("Freezers and boxes", "Freezers and boxes")
    keys.open(f"{box.code} 48/{box.capacity}", box.code)
    titles = page.locator(".box-full a").evaluate_all("all => all.map(each => each.title)")
    assert titles == codes

    keys.open("Freezers and boxes", "Freezers and boxes")
    keys.open("Shipments", "Shipments")
    keys.open("New shipment", "New shipment")
    keys.fill("Pack", destination="Central laboratory", purpose="Kinetics")
    expect(page.locator("input[name=code]")).to_be_focused()
    page.keyboard.type(box.code)
    page.keyboard.press("Enter")
    expect(page.locator(".scan-answer strong")).to_have_text("48 aliquots packed")
    keys.open("Hand over to the carrier", "Hand over to the carrier")
    keys.fill("T001-", carrier="Cold Courier")
    keys.open("Receive by scan", "Receive")
    lost = codes[30]
    for code in (each for each in codes if each != lost):
        keys.scan(code, "Received")
    keys.open("The rest is missing", "The rest is missing")
    keys.fill("T001-", reason="Not in the parcel", send="The rest is missing")
    keys.open("Close the shipment", "Close the shipment")
    keys.open("Close the shipment", "Central laboratory")
    all_agree(page, codes, lost, box, technician)


def all_agree(page: Page, codes: list[str], lost: str, box: Box, by: User) -> None:
    """The page, the paper, the file, the custody and the box."""
    expect(page.locator(".tag-success").first).to_have_text("Closed")
    rows = page.locator("table.data tbody tr")
    assert rows.locator("th").all_inner_texts() == codes
    expect(rows.filter(has_text="Missing")).to_have_count(1)
    expect(rows.filter(has_text="Missing")).to_contain_text(lost)
    places = [f"{box.code} {box.position_name(place)}" for place in range(1, 49)]
    paper = PdfReader(io.BytesIO(page.request.get(f"{page.url}manifest.pdf").body()))
    words = "".join("".join(each.extract_text().split()) for each in paper.pages)
    places_on_paper = [words.find(f"{code}EDTA") for code in codes]
    assert places_on_paper == sorted(places_on_paper)
    assert min(places_on_paper) > 0
    text = page.request.get(f"{page.url}manifest.csv").text()
    listed = list(csv.DictReader(io.StringIO(text)))
    assert [each["CODE"] for each in listed] == codes
    assert [f"{each['BOX']} {each['POSITION']}" for each in listed] == places
    with as_person(by):
        lines = ShipmentLine.objects.order_by("number").filter(code__in=codes)
        assert [each.place_name for each in lines.select_related("box")] == places
        aliquots = Aliquot.objects.filter(code__in=codes)
        assert {each.code: each.state for each in aliquots} == {
            code: "lost" if code == lost else "away" for code in codes
        }
        events = CustodyEvent.objects.filter(aliquot__code__in=codes)
        told: dict[str, list[str]] = {code: [] for code in codes}
        for code, kind in events.order_by("number").values_list("aliquot__code", "kind"):
            told[code].append(kind)
        came = ["stored", "packed", "shipped", "arrived"]
        assert all(told[code] == came for code in codes if code != lost)
        assert told[lost] == [*came[:3], "lost"]
        assert not box.aliquots.exists()
        assert_custody_is_true(aliquots.values_list("pk", flat=True), None)
