"""One real form goes the whole way: the nurse's journey, in Chinese, on a tablet."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.stack import (
    assert_accessible,
    assert_no_sideways_scroll,
    chinese,
    onward,
    screenshot,
)
from tests.factories import as_person, make_record, make_subject, make_user, make_visit
from tests.waiting import until
from trialsite.access.capabilities import Role
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.crf.models import Draft
from visits.models import VitalSigns

VALUES = {
    "systolic": "118",
    "diastolic": "70",
    "heart_rate": "80",
    "respiratory_rate": "16",
    "oxygen_saturation": "98",
    "temperature": "36.8",
}


@pytest.fixture
def record(cast):
    subject = make_subject(cast.site)
    return make_record(subject, visit=make_visit(subject, visit_number=100))


def type_values(page: Page, values: dict[str, str]) -> None:
    for name, text in values.items():
        page.locator(f"#{name}").fill(text)


def press(page: Page, name: str) -> None:
    """Send the form; what is looked at next is the answer."""
    with onward(page):
        page.get_by_role("button", name=name, exact=True).click()


def row_of(cast, record) -> VitalSigns:
    with as_person(cast.nurse):
        return VitalSigns.objects.get(pk=record.pk)


@pytest.mark.requirement("AT5")
def test_a_nurse_enters_leaves_returns_completes_and_changes_in_chinese(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/", width=820, language="zh-hans")
    visit.expect("422")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("h1")).to_contain_text(chinese("Vital signs"))
    page.locator("#assessed_at").fill("2026-03-05T14:30")
    page.locator("#systolic").press_sequentially("１１８")
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()
    page.goto("about:blank")

    page = visit(cast.nurse, f"/records/{record.pk}/", width=820, language="zh-hans")
    expect(page.locator("#systolic")).to_have_value("１１８")
    with as_person(cast.nurse):
        assert not VitalSigns.objects.filter(pk=record.pk).exists()
    type_values(page, {k: v for k, v in VALUES.items() if k != "systolic"})
    screenshot(page, "vital-signs-entry-zh-820")
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    press(page, chinese("Complete and next"))
    expect(page.locator(".state-complete").first).to_be_visible()
    assert row_of(cast, record).systolic == 118

    page.locator("#heart_rate").fill("84")
    press(page, chinese("Save the change"))
    expect(page.locator("#problems")).to_contain_text(chinese("Say why you change completed data."))
    assert row_of(cast, record).heart_rate == 80
    expect(page.locator("#heart_rate")).to_have_value("84")
    page.locator("[name=reason_code]").select_option("transcription")
    page.locator("[name=reason_text]").fill("看错监护仪")
    press(page, chinese("Save the change"))
    expect(page.locator(".state-complete").first).to_be_visible()
    assert row_of(cast, record).heart_rate == 84

    page.locator("#item-heart_rate details summary").click()
    page.locator("#item-heart_rate").get_by_role("link", name=chinese("History")).click()
    drawer = page.locator("#drawer")
    expect(drawer).to_contain_text("80")
    expect(drawer).to_contain_text("84")
    expect(drawer).to_contain_text("看错监护仪")
    expect(drawer).to_contain_text(cast.nurse.full_name)
    screenshot(page, "vital-signs-history-zh-820")
    assert_accessible(page)


@pytest.mark.requirement("DI1")
@pytest.mark.fault(
    "two people at one form",
    promised="the second is shown both values; neither is overwritten unseen",
)
def test_a_second_nurses_conflicting_save_shows_both_values(visit, cast, record):
    first = visit(cast.nurse, f"/records/{record.pk}/")
    second = visit(cast.second_nurse, f"/records/{record.pk}/")
    for page, systolic in ((first, "118"), (second, "140")):
        page.locator("#assessed_at").fill("2026-03-05T14:30")
        type_values(page, VALUES | {"systolic": systolic})
    press(first, "Save")
    expect(first.locator(".state-in_progress").first).to_be_visible()
    visit.expect("409")
    press(second, "Save")
    conflict = second.locator("#item-systolic .item-conflict")
    expect(conflict).to_contain_text("118")
    expect(conflict).to_contain_text("140")
    expect(second.locator("#item-diastolic .item-conflict")).to_have_count(0)
    screenshot(second, "vital-signs-conflict-1440")
    assert_accessible(second)
    conflict.get_by_label("118").check()
    press(second, "Save")
    expect(second.locator(".item-conflict")).to_have_count(0)
    assert row_of(cast, record).systolic == 118


def test_another_sites_nurse_finds_nothing(visit, cast, record):
    visit.expect("404")
    page = visit(cast.stranger, f"/records/{record.pk}/")
    assert page.locator("#entry").count() == 0
    assert cast.site.name not in page.content()


def test_the_monitor_reads_and_cannot_write(visit, cast, record):
    page = visit(cast.monitor, f"/records/{record.pk}/")
    expect(page.locator("#systolic")).to_be_disabled()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    assert_accessible(page)


def test_an_arrest_is_entered_as_it_was(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/")
    page.locator("#assessed_at").fill("2026-03-05T14:30")
    type_values(page, VALUES | {"systolic": "0", "diastolic": "0", "heart_rate": "0"})
    for name in ("systolic", "diastolic", "heart_rate"):
        page.locator(f"#{name}").focus()
        page.locator(f"#{name}").blur()
        page.locator(f"[id='{name}.confirm']").fill("cardiac arrest")
    press(page, "Complete and next")
    expect(page.locator(".state-complete").first).to_be_visible()
    assert row_of(cast, record).heart_rate == 0


def test_the_form_works_without_javascript(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/", javascript=False)
    page.locator("#assessed_at").fill("2026-03-05T14:30")
    type_values(page, VALUES)
    press(page, "Complete and next")
    with as_person(cast.nurse):
        assert CrfRecord.objects.get(pk=record.pk).status == RecordStatus.COMPLETE


def test_the_keyboard_alone_fills_the_form_in_paper_order(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/")
    page.locator("#assessed_at").fill("2026-03-05T14:30")
    page.locator("#systolic").focus()
    for text in ("118", "70", "80", "16", "98"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    expect(page.locator("#oxygen_support")).to_be_focused()
    assert page.locator("#oxygen_saturation").input_value() == "98"


@pytest.mark.requirement("DI10")
@pytest.mark.fault(
    "tablet offline while somebody types",
    promised="the page says that it is not kept; it is sent again and stands there",
)
def test_a_lost_connection_keeps_the_typing_and_sends_it_again(visit, cast, record):
    visit.expect("ERR_INTERNET_DISCONNECTED")
    visit.expect("failed .*draft")
    page = visit(cast.nurse, f"/records/{record.pk}/")
    page.context.set_offline(True)
    page.locator("#comment").fill("断网时输入")
    page.locator("#comment").blur()
    expect(page.locator("[data-saved-time][data-state=failed]")).to_be_visible()
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()
    again = visit(cast.nurse, f"/records/{record.pk}/")
    expect(again.locator("#comment")).to_have_value("断网时输入")


@pytest.mark.requirement("DI10")
def test_what_is_typed_never_stands_under_saved_before_it_is_kept(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/")
    page.locator("#comment").fill("kept")
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()
    state = page.evaluate(
        """() => {
          const comment = document.getElementById("comment");
          comment.value = "kept, and more";
          comment.dispatchEvent(new Event("input", { bubbles: true }));
          return document.querySelector("[data-saved-time]").dataset.state;
        }"""
    )
    assert state == "typing"
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()


@pytest.mark.requirement("DI10")
def test_a_draft_on_its_way_is_sent_again_when_the_page_goes(visit, cast, record):
    visit.expect("draft")
    page = visit(cast.nurse, f"/records/{record.pk}/")
    held: list[Route] = []

    def lose_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/draft/", lose_the_first)
    with page.expect_request("**/draft/"):
        page.locator("#comment").fill("just before leaving")
        page.locator("#comment").blur()
    page.goto("about:blank")
    with as_person(cast.nurse):
        drafts = Draft.objects.filter(record=record, fields__comment="just before leaving")
        until(drafts.exists, what="the draft, sent again on leaving")


def test_a_draft_belongs_to_its_author_alone(visit, cast, record):
    page = visit(cast.nurse, f"/records/{record.pk}/")
    page.locator("#comment").fill("mine")
    expect(page.locator("[data-saved-time][data-state=saved]")).to_be_visible()
    other = visit(cast.second_nurse, f"/records/{record.pk}/")
    expect(other.locator("#comment")).to_have_value("")
    third = visit(make_user(Role.MONITOR, cast.site), f"/records/{record.pk}/")
    expect(third.locator("#comment")).to_have_value("")


@pytest.mark.parametrize("width", [1440, 820])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_form_is_legible_everywhere(visit, cast, record, width, theme, language):
    page = visit(cast.nurse, f"/records/{record.pk}/", width=width, theme=theme, language=language)
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    screenshot(page, f"vital-signs-{language}-{width}-{theme}")
