"""Samples at the bench: a scanner types, the keyboard is enough, a tablet shows it all."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from samples.models import Aliquot, Destruction
from screening.models.consent import Scope
from tests.e2e.stack import Visitors, assert_accessible, assert_no_sideways_scroll, screenshot
from tests.factories import Cast, as_person
from tests.samples.bench import (
    aliquoted,
    box_at,
    collected,
    labelled,
    stored,
    technician_at,
    visit_of,
)
from tests.screening.consenting import paper_in_force, withdraw
from tests.visits.treating import treatable
from trialsite.access.models import User
from trialsite.casebook.models import Visit

#: A page has the same parts at any width; axe reads it once narrow and once wide.
LOOKED_INTO = {("en", 1440), ("zh-hans", 820)}


def destroying(cast: Cast, of: Visit, technician: User) -> uuid.UUID:
    """The destruction list of a participant who withdraws."""
    withdraw(cast, of.subject, Scope.SAMPLES)
    with as_person(technician):
        return Destruction.objects.get(subject=of.subject).pk


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("width", [820, 1440])
def test_the_pages_fit_and_are_accessible(visit: Visitors, cast: Cast, language, width):
    technician = technician_at(cast.site)
    of = visit_of(treatable(cast, document=paper_in_force(cast)))
    box = box_at(cast.site, technician, n=f"{language}{width}")
    kept = stored(of, technician, box)
    collected(of, technician, "SERUM", hours=-3)
    tube = labelled(of, technician, "FAECES")[0]
    for name, path in (
        ("overview", "/samples/"),
        ("visit", f"/samples/visits/{of.pk}/"),
        ("labels", f"/samples/visits/{of.pk}/labels/"),
        ("collect", f"/samples/scan/collect/?visit={of.pk}"),
        ("spin", f"/samples/scan/spin/?visit={of.pk}"),
        ("freeze", f"/samples/scan/freeze/?visit={of.pk}&box={box.pk}"),
        ("aliquot", f"/samples/one/{kept.code}/"),
        ("tube", f"/samples/one/{tube.code}/"),
        ("freezers", "/samples/freezers/"),
        ("box", f"/samples/boxes/{box.code}/"),
        ("new_box", "/samples/boxes/new/"),
        ("reconciliation", "/samples/reconciliation/"),
        ("destructions", "/samples/destruction/"),
        ("destruction", f"/samples/destruction/{destroying(cast, of, technician)}/"),
        ("today", "/"),
    ):
        page = visit(technician, path, width=width, language=language)
        screenshot(page, f"samples-{name}-{language}-{width}")
        assert_no_sideways_scroll(page)
        if (language, width) in LOOKED_INTO:
            assert_accessible(page)


def test_the_keyboard_alone_brings_tubes_from_the_bed_to_the_freezer(visit: Visitors, cast: Cast):
    technician = technician_at(cast.site)
    of = visit_of(treatable(cast, document=paper_in_force(cast)))
    box = box_at(cast.site, technician, n="keys")
    tubes = labelled(of, technician, "EDTA", 2)
    stranger = labelled(visit_of(treatable(cast, document=paper_in_force(cast))), technician)[0]
    page = visit(technician, f"/samples/scan/collect/?visit={of.pk}", width=820)

    def scan(code: str, expected: str) -> None:
        expect(page.get_by_label("Scan a code")).to_be_focused()
        page.keyboard.type(code)
        page.keyboard.press("Enter")
        expect(page.locator(".scan-answer strong")).to_have_text(expected)
        expect(page.get_by_label("Scan a code")).to_have_value("")

    for tube in tubes:
        scan(tube.code, "Collected")
        expect(page.locator(".scan-answer")).to_contain_text(tube.code)
    scan(tubes[0].code, "Already: Collected")
    visit.expect("422")
    scan(stranger.code, "Wrong participant")
    for step, words in (("Centrifuge", "Centrifuged"), ("Aliquot", "2 aliquots")):
        page.get_by_role("link", name=step, exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(step)
        for tube in tubes:
            scan(tube.code, words)
            expect(page.locator(".scan-answer")).to_contain_text(tube.code)
    page.get_by_role("link", name="Freeze", exact=True).focus()
    page.keyboard.press("Enter")
    scan(box.code, f"Box {box.code}")
    with as_person(technician):
        codes = list(Aliquot.objects.filter(specimen__visit=of).values_list("code", flat=True))
    for place, code in enumerate(codes, start=1):
        scan(code, f"{box.code} A{place}")
    page.goto(f"{page.url.split('/samples/')[0]}/samples/boxes/{box.code}/")
    expect(page.locator(".box-full")).to_have_count(4)


def test_a_scan_on_any_page_goes_into_its_field(visit: Visitors, cast: Cast):
    technician = technician_at(cast.site)
    aliquot = aliquoted(visit_of(treatable(cast, document=paper_in_force(cast))), technician)[0]
    page = visit(technician, "/samples/", width=820)
    page.keyboard.type(aliquot.code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(aliquot.code)
