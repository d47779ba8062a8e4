"""The cell product at the bedside: a scanner types, a tablet shows, nothing is out of reach."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.stack import Visitors, assert_accessible, assert_no_sideways_scroll
from tests.factories import Cast, as_person
from tests.visits.products import load, make_treated, received, registered, released
from visits.services.products import quarantine_lot


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_fit_a_tablet_and_are_accessible(visit: Visitors, cast: Cast, language):
    lot, session = released(cast), make_treated(cast.site)
    received(cast, lot)
    load(cast, session, lot)
    for path in (
        "/products/",
        "/products/new/",
        "/products/accountability/",
        f"/products/{lot.code}/",
        f"/products/{lot.code}/tests/",
        f"/products/{lot.code}/movements/destroyed/",
        f"/products/{lot.code}/recall/",
        f"/sessions/{session.pk}/product/?lot={lot.code}",
    ):
        page = visit(cast.nurse, path, width=820, language=language)
        assert_no_sideways_scroll(page)
        assert_accessible(page)


def test_a_scanner_that_ends_with_enter_shows_at_once_whether_the_lot_may_be_used(
    visit: Visitors, cast: Cast
):
    good, stopped, session = released(cast), registered(cast), make_treated(cast.site)
    received(cast, good)
    with as_person(cast.investigator):
        quarantine_lot(lot=stopped, reason="alarm", by=cast.investigator)
    page = visit(cast.nurse, f"/sessions/{session.pk}/product/", width=820)
    field = page.get_by_label("Scan the lot")
    field.focus()
    page.keyboard.type(stopped.code.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This lot is in quarantine.")
    expect(page.get_by_role("button", name="Enter the loaded cells")).to_have_count(0)
    field = page.get_by_label("Scan the lot")
    field.fill(good.code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Enter the loaded cells")).to_be_visible()
    expect(page.get_by_label("Lot number")).to_have_value(good.code)
