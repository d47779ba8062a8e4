"""What people do at the pages of screening, for the tests that go through them in Chinese on a
tablet: from the log to the signed decision."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from screening.models import ConsentDocument, ScreeningEntry
from screening.models.log import Source
from tests.e2e.stack import (
    Visitors,
    assert_accessible,
    assert_no_sideways_scroll,
    chinese,
    fresh_totp,
    onward,
    screenshot,
)
from tests.factories import PASSWORD, Cast, as_person, given, totp_secret
from tests.screening.consenting import paper_in_force, wall
from tests.screening.deciding import confirm_all, make_laboratory_of
from trialsite.access.models import User
from trialsite.casebook.protocols import version_in_force
from trialsite.review.assumptions import confirmed_protocol


def recruiting(cast: Cast) -> ConsentDocument:
    """The study as it recruits: a consent form in force, a laboratory, nothing left assumed."""
    make_laboratory_of(cast)
    with as_person(cast.investigator):
        version = version_in_force(cast.site)
        assumed = confirmed_protocol(version.pk).assumptions()
    if assumed:
        confirm_all(cast)
    return paper_in_force(cast)


def button(page: Page, text: str) -> None:
    with onward(page):
        page.get_by_role("button", name=chinese(text), exact=True).click()


def link(page: Page, text: str) -> None:
    with onward(page):
        page.get_by_role("main").get_by_role("link", name=chinese(text), exact=True).first.click()


def looks_right(page: Page, name: str = "") -> None:
    """In Chinese, accessible, and no wider than the tablet."""
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    if name:
        screenshot(page, f"screening-{name}-zh-820", full_page=True)


def log_the_person(page: Page, cast: Cast) -> ScreeningEntry:
    """A new entry, typed by the nurse."""
    page.locator("#id_first_contact_on").fill(wall(cast.site, days=-2).date().isoformat())
    page.locator("#id_source").select_option(Source.WARD)
    looks_right(page, "new")
    button(page, "Give the next screening number")
    expect(page).to_have_url(re.compile(r"/screening/[0-9a-f-]{36}/$"))
    looks_right(page)
    key = page.url.rstrip("/").rpartition("/")[2]
    entry = given(ScreeningEntry.objects.get)(pk=key)
    expect(page.locator("h1")).to_contain_text(entry.number)
    return entry


def record_consent(page: Page, cast: Cast, document: ConsentDocument) -> None:
    """The first consent, as it lies on the desk."""
    link(page, "Record consent")
    page.locator("#id_document").select_option(str(document.pk))
    signed = wall(cast.site, hours=-5).isoformat(timespec="minutes")
    page.locator("#id_signed_at").fill(signed)
    page.locator("#id_signer").select_option("participant")
    page.locator("#id_explained_by").select_option(str(cast.investigator.pk))
    page.locator("#id_copy_given").check()
    for option in ("future_use", "genetic_analysis", "later_contact", "data_sharing"):
        page.locator(f"#id_{option}").select_option("yes")
    looks_right(page, "consent")
    button(page, "Record consent")
    expect(page).to_have_url(re.compile(r"/subjects/[0-9a-f-]{36}/consent/$"))
    looks_right(page)


def answer_and_sign(visit: Visitors, user: User, address: str, answers: dict[str, str]) -> None:
    """The investigator's own browser: every criterion answered, both factors given."""
    page = visit(user, address)
    for criterion, answer in answers.items():
        page.locator(f"#answer-{criterion}-{answer}").check()
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=code]", fresh_totp(totp_secret(user)))
    with onward(page):
        page.get_by_role("button", name="Sign the decision").click()
    expect(page.locator("#decision-title")).to_be_visible()
    expect(page.locator("body")).to_contain_text("Signed: Eligible.")
    assert_accessible(page)
