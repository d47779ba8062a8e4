"""Signing in as people do it: in a browser, under the strict content policy, at both widths."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.stack import (
    assert_accessible,
    assert_no_sideways_scroll,
    fresh_totp,
    onward,
    screenshot,
)
from tests.factories import PASSWORD, make_user
from trialsite.access.capabilities import Role

NEW = "a pass phrase of my own"


def _confirm(page: Page) -> None:
    """Give the password once more where it is asked for."""
    page.fill("input[name=password]", PASSWORD)
    with onward(page):
        page.press("input[name=password]", "Enter")


def _enrol(page: Page) -> str:
    """Set up the authenticator app on the page that shows the key; the key."""
    page.wait_for_selector("#totp-key")
    secret = page.inner_text("#totp-key")
    page.fill("input[name=code]", fresh_totp(secret))
    page.press("input[name=code]", "Enter")
    return secret


@pytest.mark.requirement("SA1", "SA7", "TH2")
@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_invitation_to_the_study(visit, cast, javascript):
    admin = visit(cast.administrator, "/people/invite/", javascript=javascript)
    address = f"nadia{javascript:d}@example.org"
    admin.fill("input[name=full_name]", "Nadia New")
    admin.fill("input[name=email]", address)
    admin.select_option("#id_role", "research_nurse")
    admin.select_option("#id_site", str(cast.site.pk))
    admin.click("main form button")
    link = admin.input_value("#invitation-link")
    page = visit(None, link, javascript=javascript)
    page.fill("input[name=password1]", NEW)
    page.fill("input[name=password2]", NEW)
    page.press("input[name=password2]", "Enter")
    _enrol(page)
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    with page.expect_download() as download:
        page.click("a[download]")
    assert len(download.value.path().read_text().split()) == 10
    page.click(".actions .btn-primary")
    expect(page.locator("h1")).to_contain_text("Today")


@pytest.mark.requirement("SA1", "TH2")
def test_a_passkey_is_added_and_used_instead_of_a_code(visit, cast):
    user = make_user(Role.STUDY_ADMINISTRATOR, full_name="Paula Passkey")
    page = visit(user, "/account/passkeys/add/")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    _confirm(page)
    page.fill("input[name=name]", "Ward tablet")
    with onward(page):
        page.click("#mfa_webauthn_add")
    expect(page).to_have_url(re.compile("recovery|second-factor"))
    page.context.clear_cookies(name="sessionid")
    page.goto("/account/login/")
    page.fill("input[name=login]", user.email)
    _confirm(page)
    page.click("#mfa_webauthn_authenticate")
    expect(page.locator(".topbar")).to_be_visible()
    page.goto("/account/passkeys/")
    expect(page.locator("tbody th")).to_have_text("Ward tablet")


OUTSIDE = ["/account/login/", "/account/reset/", "/account/reset/sent/", "/account/invitation/x/"]
INSIDE = [
    "/account/profile/",
    "/account/second-factor/",
    "/account/passkeys/",
    "/account/password/",
    "/account/logout/",
    "/account/reauthenticate/",
    "/people/",
    "/people/invite/",
    "/people/{nurse}/",
    "/people/{nurse}/grant/",
    "/people/{nurse}/deactivate/",
    "/sites/",
    "/sites/add/",
    "/access-report/",
    "/access-report/delegation/",
    "/access-report/training/",
]


@pytest.mark.requirement("TH2")
@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1440, "en", "light"), (820, "zh-hans", "dark")]
)
def test_every_page_is_accessible_and_fits(visit, cast, width, language, theme):
    look = {"width": width, "language": language, "theme": theme}
    outside = visit(None, "/account/login/", **look)
    inside = visit(cast.administrator, "/account/profile/", **look)
    pages = [(outside, path) for path in OUTSIDE] + [(inside, path) for path in INSIDE]
    for page, template in pages:
        path = template.format(nurse=cast.nurse.pk)
        page.goto(path)
        name = re.sub(r"\W+", "-", template).strip("-")
        screenshot(page, f"access-{name}-{width}", full_page=True)
        assert_accessible(page)
        assert_no_sideways_scroll(page)


@pytest.mark.parametrize("width", [820])
def test_targets_are_large_enough_for_a_finger(visit, cast, width):
    page = visit(None, "/account/login/", width=width, touch=True, is_mobile=True)
    for selector in ("input[name=login]", "input[name=password]"):
        box = page.locator(selector).bounding_box()
        assert box
        assert box["height"] >= 44, selector
