"""A nurse reports a serious adverse event from a session complication: how many acts it takes.

The acts are counted and asserted. The time is printed: a loaded machine is slow and the product
is not (decisions D19). Four acts and nothing to type leave half a minute for each of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Locator, Page, expect

from outcomes.models import SaeCase, SaeDeadline
from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, screenshot
from tests.factories import given, make_subject
from tests.outcomes.conftest import complicated, treated


@dataclass
class Hand:
    """Taps and typed fields, as a hand on the tablet makes them."""

    taps: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)

    def tap(self, target: Locator, what: str) -> None:
        expect(target).to_be_visible()
        target.scroll_into_view_if_needed()
        target.tap()
        self.taps.append(what)

    @property
    def acts(self) -> int:
        return len(self.taps) + len(self.typed)


def asked_for(page: Page) -> list[str]:
    """The fields that the form insists on and nobody has filled in."""
    names: list[str] = page.eval_on_selector_all(
        "form.first-word :is(input, select, textarea)[required]",
        """(all) => [...new Set(all.filter((each) => each.type === "radio"
             ? !document.querySelector(`[name="${each.name}"]:checked`) : !each.value)
             .map((each) => each.name))]""",
    )
    return sorted(names)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_minimum_entry_from_a_complication_takes_four_taps_and_no_typing(visit, cast, language):
    subject = make_subject(cast.site, status="enrolled")
    session = treated(subject, cast.nurse)
    complication = complicated(session, cast.nurse)
    page = visit(
        cast.nurse, f"/records/{session.pk}/", width=820, height=1180, touch=True,
        language=language,
    )  # fmt: skip
    hand, began = Hand(), time.monotonic()

    report = page.locator(f"a[href$='/safety/new/?complication={complication.pk}']")
    hand.tap(report.first, "report as serious")
    expect(page.locator("form.first-word")).to_be_visible()
    # Participant, event, start, the moment of awareness and the reporter are there already.
    assert asked_for(page) == ["criterion", "suspected"]
    screenshot(page, f"first-word-{language}-820", full_page=True)
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    hand.tap(page.locator("label:has([name=criterion][value=life_threatening])"), "criterion")
    hand.tap(page.locator("label:has([name=suspected][value=circuit])"), "suspected cause")
    assert asked_for(page) == []
    hand.tap(page.locator("form.first-word .btn-primary"), "report it")
    page.wait_for_url("**/safety/cases/*/")
    expect(page.locator("#clocks-title")).to_be_visible()

    took = time.monotonic() - began
    print(f"\nminimum entry ({language}): {hand.acts} acts, {took:.1f} s of two minutes")  # noqa: T201
    assert (len(hand.taps), hand.typed) == (4, [])
    case = given(SaeCase.objects.get)(subject=subject)
    assert (case.suspected, case.reporter) == ("circuit", cast.nurse.full_name)
    running = given(SaeDeadline.objects.standing().filter(case=case).count)()
    assert running == 3
