"""A serious adverse event as the nurse, the investigator and the safety officer live it: from a
complication on the run sheet on a Friday night to the receipts, with every clock right."""

from __future__ import annotations

import datetime as dt

from playwright.sync_api import Page, expect

from outcomes.models import SaeDeadline
from tests.e2e.stack import (
    assert_accessible,
    assert_no_sideways_scroll,
    onward,
    screenshot,
)
from tests.factories import given, make_subject, make_user
from tests.outcomes.conftest import complicated, treated
from tests.outcomes.sae.conftest import FRIDAY, first_word, local, received, sent, signed
from tests.outcomes.sae.test_easing import describe
from tests.outcomes.sae.test_sponsor_knew import knew
from tests.signing import factors_of
from trialsite.access.capabilities import Role

HOUR = dt.timedelta(hours=1)


def send(page: Page, to: str, at: str) -> None:
    """Say that the report was sent to one recipient."""
    form = page.locator("form[action$='/send/']")
    form.locator("[name$=recipient]").select_option(to)
    form.locator("[name$=submitted_at]").fill(at)
    with onward(page):
        form.locator("button").click()
    expect(page.locator(".notice-success, .messages").first).to_be_visible()


def test_from_a_complication_on_friday_night_to_every_receipt(visit, cast, clock):
    officer = make_user(Role.SAFETY_OFFICER, full_name="Sana Safety")
    subject = make_subject(cast.site, number="001-077", status="enrolled")
    session = treated(subject, cast.nurse, start="2026-03-06T17:00")
    complicated(session, cast.nurse, onset_at="2026-03-06T22:30")

    # The nurse, on the tablet: from the run sheet, two choices and one button.
    clock(FRIDAY)
    nurse = visit(cast.nurse, f"/records/{session.pk}/", width=820, height=1180,
                  language="zh-hans")  # fmt: skip
    with onward(nurse):
        nurse.locator("a[href*='/safety/new/?complication=']").first.click()
    screenshot(nurse, "sae-new-zh-820")
    assert_no_sideways_scroll(nurse)
    nurse.locator("[name=criterion][value=life_threatening]").check()
    nurse.locator("[name=suspected][value=circuit]").check()
    with onward(nurse):
        nurse.locator("form.first-word .btn-primary").click()
    expect(nurse.locator("body")).to_contain_text("2026-03-07 23:50")
    screenshot(nurse, "sae-case-zh-820")
    assert_no_sideways_scroll(nurse)
    case = nurse.url

    # The investigator, past midnight: reads and signs.
    clock(FRIDAY + HOUR)
    doctor = visit(cast.sub_investigator, case)
    with onward(doctor):
        doctor.locator("a[href$='/sign/initial/']").click()
    for name, value in factors_of(cast.sub_investigator).items():
        doctor.locator(f"[name={name}]").fill(value)
    with onward(doctor):
        doctor.locator("form .btn-primary").click()
    expect(doctor.locator(".report")).to_have_count(1)

    # On Saturday morning it goes to three recipients; one of them gets it a day too late.
    clock(FRIDAY + 10 * HOUR)
    send(doctor, "sponsor", "2026-03-07T09:40")
    send(doctor, "institution", "2026-03-07T09:42")
    clock(FRIDAY + 26 * HOUR)
    send(doctor, "ethics", "2026-03-08T01:20")
    expect(doctor.locator("body")).to_contain_text("Late by 1 h 30 min")

    # The sponsor's receipt starts the sponsor's days; the safety officer sees every clock.
    page = visit(officer, case, width=1440)
    page.locator("details summary", has_text="Enter the receipt").first.click()
    form = page.locator("form[action*='/receipts/']").first
    form.locator("[name=received_at]").fill("2026-03-07T09:45")
    form.locator("[name=receipt_number]").fill("S-77")
    with onward(page):
        form.locator("button").click()
    expect(page.locator("body")).to_contain_text("S-77")
    expect(page.locator("body")).to_contain_text("2026-03-14 23:59")
    screenshot(page, "sae-case-en-1440")
    page.goto(page.url.split("/safety/")[0] + "/safety/")
    expect(page.locator("table.data")).to_contain_text("In time")
    screenshot(page, "sae-board-en-1440")
    due = given(
        lambda: {
            row.rule: local(row.due_at)
            for row in SaeDeadline.objects.standing().filter(subject=subject)
        }
    )()
    assert due == {
        "sponsor": "Sat 2026-03-07 23:50",
        "institution": "Sat 2026-03-07 23:50",
        "ethics": "Sat 2026-03-07 23:50",
        "authority_grave": "Sat 2026-03-14 23:59",
        "authority_grave_follow_up": "Sun 2026-03-22 23:59",
    }
    tablet = visit(officer, "/safety/", width=820, language="zh-hans")
    assert_no_sideways_scroll(tablet)
    screenshot(tablet, "sae-board-zh-820")


def test_a_case_with_all_that_may_wait_on_it_fits_and_is_accessible(visit, cast, clock):
    """A clock that waits for an agreement, what the sponsor knew, receipts, and every form."""
    officer = make_user(Role.SAFETY_OFFICER)
    subject = make_subject(cast.site, status="enrolled")
    clock(FRIDAY)
    case = first_word(subject, cast.nurse)
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    receipts = {
        to: sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse) for to in ("sponsor", "ethics")
    }
    received(receipts["sponsor"], FRIDAY + 1.6 * HOUR, officer)
    received(receipts["ethics"], FRIDAY + 1.7 * HOUR, cast.nurse, "EC-12")
    knew(case, cast.nurse, FRIDAY + HOUR / 2)
    describe(case, cast.nurse, "disease")
    path = f"/safety/cases/{case.pk}/"
    for person, name in ((cast.sub_investigator, "doctor"), (officer, "officer")):
        for width, language in ((1440, "en"), (820, "en"), (1440, "zh-hans"), (820, "zh-hans")):
            page = visit(person, path, width=width, language=language, touch=width == 820)
            for each in page.locator("details > summary").all():
                each.click()
            expect(page.locator(".notice-warning form button")).to_have_count(2)
            screenshot(page, f"sae-waits-{name}-{language}-{width}", full_page=True)
            assert_accessible(page)
            assert_no_sideways_scroll(page)
    void = visit(officer, f"/safety/receipts/{receipts['sponsor'].pk}/void-receipt/", width=820)
    screenshot(void, "sae-void-receipt-820")
    assert_accessible(void)
