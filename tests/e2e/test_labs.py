"""The lab panel in a browser: what it says on leaving a field, the keyboard, drafts, pasting."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.stack import Visitors, assert_accessible, assert_no_sideways_scroll, screenshot
from tests.factories import Cast, as_person, given, make_record, make_subject, make_visit
from tests.labs.conftest import make_range
from tests.screening.deciding import make_laboratory_of
from trialsite.casebook.models import CrfRecord
from trialsite.labs.models import LabResult, ReferenceRange

DRAWN = "2026-03-05T07:30"
#: As a spreadsheet gives it; creatinine is printed in another unit than its heading says.
BLOCK = """\
项目\t结果\t单位
总胆红素\t18.5\tmg/dL
肌酐\t1.1\tumol/L
INR\t1.7\t
钠\t134\tmmol/L
"""


@pytest.fixture
def record(cast: Cast) -> CrfRecord:
    """The first draw of a visit; the laboratory has a range for bilirubin."""
    laboratory = make_laboratory_of(cast)
    known = given(ReferenceRange.objects.filter(laboratory=laboratory, analyte="BILI").exists)
    if not known():
        make_range(laboratory, "BILI", "3", "23", "umol/L")
    subject = make_subject(cast.site)
    found: CrfRecord = make_record(subject, form_oid="F.LB", visit=make_visit(subject))
    return found


def panel(visit: Visitors, cast: Cast, record: CrfRecord, **options: Any) -> Page:
    """The panel with its draw described, as the nurse begins it."""
    page = visit(cast.nurse, f"/labs/panels/{record.pk}/", **options)
    page.locator("#f-collected_at").fill(DRAWN)
    page.locator("#f-laboratory").select_option("CENTRAL")
    page.locator("#f-specimen").select_option("SERUM")
    return page


def saved(page: Page) -> None:
    """The page has said that the draft arrived."""
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()


def results(cast: Cast, record: CrfRecord) -> dict[str, tuple[str, str]]:
    with as_person(cast.nurse):
        rows = LabResult.objects.filter(panel_id=record.pk, voided_at=None)
        return {row.analyte: (row.text, row.unit) for row in rows}


def test_on_leaving_a_result_the_row_says_how_it_is_read(visit, cast, record):
    page = panel(visit, cast, record, width=820)
    row = page.locator("#item-BILI")
    page.locator("[name='BILI.unit']").select_option("mg/dL")
    page.locator("#f-BILI").fill("12.5")
    page.locator("#f-BILI").blur()
    expect(row.locator("[data-canonical]")).to_contain_text("213.8")
    expect(row.locator("[data-flag]")).to_contain_text("High")
    expect(row.locator("[data-range]")).to_contain_text("23")
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    page.locator("[name='BILI.unit']").select_option("umol/L")
    page.locator("#f-BILI").fill("2")
    page.locator("#f-BILI").blur()
    expect(row.locator("[data-flag]")).to_contain_text("Low")
    page.locator("#f-BILI").fill("a lot")
    page.locator("#f-BILI").blur()
    expect(row.locator("[data-question]")).to_be_visible()
    expect(row.locator("[data-flag]")).to_be_empty()


@pytest.mark.parametrize("width", [820, 1440])
def test_the_specimen_of_a_result_is_named_where_the_result_stands(visit, cast, record, width):
    page = panel(visit, cast, record, width=width)
    row = page.locator("#item-BILI")
    page.locator("#f-BILI").fill("12.5")
    page.locator("[name='BILI.unit']").select_option("mg/dL")
    row.locator(".labs-ref summary").click()
    page.locator("#r-BILI").fill("20261123-0045")
    page.locator("#f-rest-ref").fill("H-77")
    page.locator("#f-INR").fill("1.1")
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    screenshot(page, f"labs-specimen-{width}", full_page=True)
    page.locator("button[value=save]").click()
    expect(row.locator(".labs-ref summary")).to_contain_text("20261123-0045")
    expect(page.locator("#item-INR .labs-ref summary")).to_contain_text("H-77")


def test_a_likely_slip_of_the_unit_is_asked_about_and_mended_by_one_touch(visit, cast, record):
    page = panel(visit, cast, record)
    row, unit = page.locator("#item-CREAT"), page.locator("[name='CREAT.unit']")
    unit.select_option("umol/L")
    page.locator("#f-CREAT").fill("1.1")
    page.locator("#f-CREAT").blur()
    question = row.locator("[data-question] button")
    expect(question).to_contain_text("97.24")
    expect(unit).to_have_value("umol/L")
    assert_accessible(page)
    question.click()
    expect(unit).to_have_value("mg/dL")
    expect(row.locator("[data-canonical]")).to_contain_text("97.24")
    expect(question).to_have_count(0)
    expect(page.locator("#f-CREAT")).to_be_focused()


def test_enter_goes_down_the_column_and_the_draft_waits_for_its_author(visit, cast, record):
    page = panel(visit, cast, record)
    column = page.locator("input.labs-result:visible")
    names = [column.nth(n).get_attribute("id") for n in range(4)]
    column.first.focus()
    for text in ("120", "60", "80"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    expect(page.locator(f"#{names[3]}")).to_be_focused()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(f"#{names[2]}")).to_be_focused()
    page.keyboard.type("81")
    page.keyboard.press("Enter")
    saved(page)
    page.goto("about:blank")

    again = visit(cast.nurse, f"/labs/panels/{record.pk}/")
    for name, text in zip(names, ("120", "60", "81"), strict=False):
        expect(again.locator(f"#{name}")).to_have_value(text)
    expect(again.locator("#f-collected_at")).to_have_value(DRAWN)
    assert results(cast, record) == {}
    other = visit(cast.second_nurse, f"/labs/panels/{record.pk}/")
    expect(other.locator(f"#{names[0]}")).to_have_value("")


@pytest.mark.requirement("DI10")
@pytest.mark.fault(
    "tablet offline while somebody types",
    promised="the page says that it is not kept; it is sent again and stands there",
)
def test_a_lost_connection_keeps_what_was_typed_and_sends_it_again(visit, cast, record):
    visit.expect("ERR_INTERNET_DISCONNECTED")
    page = panel(visit, cast, record)
    saved(page)
    page.context.set_offline(True)
    page.locator("#f-BILI").fill("12.5")
    page.locator("#f-BILI").blur()
    expect(page.locator("[data-saved-time][data-state=failed]")).to_be_visible()
    expect(page.locator("#f-BILI")).to_have_value("12.5")
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    saved(page)
    again = visit(cast.nurse, f"/labs/panels/{record.pk}/")
    expect(again.locator("#f-BILI")).to_have_value("12.5")


def test_a_pasted_block_is_looked_at_accepted_and_fills_the_grid(visit, cast, record):
    page = panel(visit, cast, record, width=820)
    visit.expect("422")
    page.locator("#f-SODIUM").fill("133")
    page.locator("#f-SODIUM").blur()
    saved(page)
    page.locator("summary", has_text="Paste a block").click()
    page.locator("#block").fill(BLOCK)
    page.get_by_role("button", name="Look at it").click()
    lines = page.locator("tr[id^='line-']")
    expect(lines).to_have_count(4)
    creatinine = lines.filter(has_text="肌酐 · 1.1")
    expect(creatinine.get_by_role("group", name="Which unit?")).to_be_visible()
    expect(lines.filter(has_text="钠 · 134")).to_contain_text("133")
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    screenshot(page, "labs-paste-820", full_page=True)
    lines.filter(has_text="钠 · 134").get_by_role("checkbox").check()
    creatinine.get_by_role("checkbox").check()
    page.get_by_role("button", name="Fill into the panel").click()
    expect(creatinine.get_by_role("alert")).to_be_visible()
    creatinine.get_by_role("radio").first.check()
    page.get_by_role("button", name="Fill into the panel").click()
    expect(page.locator("#f-CREAT")).to_have_value("1.1")
    expect(page.locator("[name='CREAT.unit']")).to_have_value("mg/dL")
    expect(page.locator("#f-BILI")).to_have_value("18.5")
    expect(page.locator("#item-BILI .labs-flag-high")).to_be_visible()
    expect(page.locator("#f-SODIUM")).to_have_value("134")
    expect(page.locator("#f-laboratory")).to_have_value("CENTRAL")
    assert results(cast, record) == {}
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("Saved. The form is not complete yet.")
    kept = results(cast, record)
    assert kept["CREAT"] == ("1.1", "mg/dL")
    assert kept["SODIUM"] == ("134", "mmol/L")


def test_the_panel_works_without_javascript(visit, cast, record):
    page = panel(visit, cast, record, javascript=False)
    page.locator("#f-BILI").fill("12.5")
    page.locator("[name='BILI.unit']").select_option("mg/dL")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#item-BILI .labs-flag-high")).to_be_visible()
    assert results(cast, record) == {"BILI": ("12.5", "mg/dL")}
