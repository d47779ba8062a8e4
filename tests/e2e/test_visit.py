"""A visit in the browser: attended from its page, at a tablet's width in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, onward, screenshot
from tests.visits.scheduling import consenting, visit_at
from trialsite.casebook.models import Subject, VisitStatus


@pytest.fixture(scope="module")
def made() -> list[Subject]:
    """The one subject of this module's tests; the product's database outlives a test."""
    return []


@pytest.fixture
def subject(cast, made: list[Subject]) -> Subject:
    if not made:
        made.append(consenting(cast, since=7))
    return made[0]


@pytest.mark.parametrize(("language", "width"), [("zh-hans", 820), ("en", 1440)])
@pytest.mark.parametrize("address", ["/visits/{visit}/", "/subjects/{subject}/visits/add/"])
def test_the_pages_are_legible_and_accessible(visit, cast, subject, language, width, address):
    found = visit_at(subject, "SE.D14")
    path = address.format(visit=found.pk, subject=subject.pk)
    page = visit(cast.nurse, path, width=width, language=language)
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    name = "add-visit" if address.endswith("add/") else "visit"
    screenshot(page, f"{name}-{language}-{width}")


def test_a_nurse_attends_a_visit_from_its_page(visit, cast, subject):
    found = visit_at(subject, "SE.D7")
    page = visit(cast.nurse, f"/visits/{found.pk}/", width=820)
    # On a tablet the beginning of a visit comes before what is merely expected of it.
    tops = [
        (page.locator(which).first.bounding_box() or {"y": 0})["y"]
        for which in ("#forms-title", "aside form", "#panels-title")
    ]
    assert tops == sorted(tops)
    with onward(page):
        page.get_by_role("button", name="Start the visit").click()
    page.get_by_label("How", exact=True).select_option("ward")
    with onward(page):
        page.get_by_role("button", name="Attended", exact=True).click()
    expect(page.get_by_text("The visit is recorded as attended.")).to_be_visible()
    assert visit_at(subject, "SE.D7").status == VisitStatus.ATTENDED
