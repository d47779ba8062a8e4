"""A day of treatment at the bed, for the tests that go through it in Chinese on a tablet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from tests.e2e.stack import Visitors, assert_no_sideways_scroll, chinese, landed, screenshot
from tests.factories import Cast
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.notify.delivery import deliver_due
from trialsite.notify.planning import plan_notices
from visits.models import ProductLot


def submit(page: Page, within: str) -> None:
    page.locator(f"{within} .btn-primary").first.click()


def deliver() -> None:
    """What is due now is planned and sent, as beat and the worker do."""
    plan_notices(trial_now())
    while deliver_due():
        pass


@dataclass(kw_only=True)
class Bedside:
    """One session: whose, who is there, when it began by the clock on the wall."""

    visit: Visitors
    cast: Cast
    subject: Subject
    lot: ProductLot
    began: dt.datetime
    hours: int = 6
    sheet: str = ""
    page: Page = field(init=False)

    def wall(self, minutes: int) -> dt.datetime:
        return self.began + dt.timedelta(minutes=minutes)

    def clock(self, minutes: int) -> str:
        return self.wall(minutes).strftime("%H:%M")

    def planned(self) -> None:
        """Planned: the page says what stands in the way, and the session is prepared."""
        self.page = self.visit(
            self.cast.nurse,
            f"/subjects/{self.subject.pk}/sessions/plan/",
            width=820,
            height=1180,
            language="zh-hans",
        )
        expect(self.page.locator("#readiness")).to_contain_text(chinese("Consent"))
        self.page.locator("[name=planned_minutes]").fill(str(self.hours * 60))
        self.page.locator("[name=modality][value=REACTOR]").check()
        submit(self.page, ".tx-stack form")
        expect(self.page.locator("#checklist")).to_be_visible()
        landed(self.page)
        self.sheet = self.page.url.split("#")[0]

    def prepared(self) -> None:
        """The checklist: one "no", which only a physician lets pass."""
        for radio in self.page.locator("#checklist input[type=radio][value=yes]").all():
            radio.check()
        self.page.locator("#checklist [name='q.bleeding'][value=no]").check()
        self.page.locator("#checklist [name='why.bleeding']").fill("穿刺点渗血")
        submit(self.page, "#checklist .tx-questions")
        expect(self.page.locator("#checklist .tx-override")).to_have_count(0)
        landed(self.page)
        doctor = self.visit(self.cast.sub_investigator, self.sheet, width=820, language="zh-hans")
        doctor.locator("#override-bleeding").fill("已压迫止血")
        doctor.locator("#checklist .tx-override button").click()
        expect(doctor.locator("#checklist")).to_contain_text("已压迫止血")

    def loaded(self) -> None:
        """The lot is scanned, the cells are loaded by two people."""
        self.page.goto(f"{self.sheet}product/?sheet=1")
        self.page.locator("#scan-lot").fill(self.lot.code)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#load .notice-success")).to_contain_text(self.lot.code)
        landed(self.page)
        load = self.page.locator("#load form")
        for name, minutes in (("thaw_started_at", -60), ("thaw_ended_at", -45), ("loaded_at", -20)):
            load.locator(f"[name={name}]").fill(self.wall(minutes).strftime("%Y-%m-%dT%H:%M"))
        load.locator("[name=reactor_serial]").fill(f"RX-{self.subject.number}")
        load.locator("[name=viable_cells]").fill("500")
        load.locator("[name=loaded_by]").select_option(str(self.cast.nurse.pk))
        load.locator("[name=checked_by]").select_option(str(self.cast.second_nurse.pk))
        submit(self.page, "#load form")
        expect(self.page.locator("#product")).to_contain_text(self.lot.code)
        landed(self.page)

    def started(self) -> None:
        """The circuit runs, then the cells."""
        self.page.locator("#start-started_at").fill(self.clock(0))
        self.page.locator("#start-second_checker").select_option(str(self.cast.second_nurse.pk))
        self.page.locator("#start-physician").select_option(str(self.cast.sub_investigator.pk))
        submit(self.page, "#start")
        expect(self.page.locator(".tx-badge-running")).to_be_visible()
        landed(self.page)
        self.page.locator("#start .tx-one input:not([type=hidden])").fill(self.clock(15))
        submit(self.page, "#start .tx-one")
        expect(self.page.locator("#start .tx-one")).to_have_count(0)
        landed(self.page)

    def troubled(self) -> None:
        """It stands still twice, and the pressure falls."""
        for number, (off, on) in enumerate(((60, 72), (200, 218)), start=1):
            self.page.locator("#interruption .tx-add > summary").click()
            self.page.locator("#interruption-off_at").fill(self.clock(off))
            self.page.locator("#interruption-on_at").fill(self.clock(on))
            self.page.locator("#interruption-reason").select_option("HYPOTENSION")
            submit(self.page, "#interruption form")
            expect(self.page.locator("#interruption .tx-number")).to_have_count(number)
            landed(self.page)
        self.page.locator("#complication .tx-add > summary").click()
        self.page.locator("#complication-code").select_option("HYPOTENSION")
        self.page.locator("#complication-onset_at").fill(self.clock(58))
        self.page.locator("#complication-severity").select_option("MODERATE")
        submit(self.page, "#complication form")
        expect(self.page.locator("#complication .tx-number")).to_have_count(1)
        landed(self.page)
        screenshot(self.page, "treatment-day-zh-820", full_page=True)
        assert_no_sideways_scroll(self.page)

    def ended(self) -> None:
        """The cells come off, the session ends."""
        self.page.goto(self.sheet)
        self.page.locator("#end .tx-one input:not([type=hidden])").fill(
            self.clock(self.hours * 60 - 10)
        )
        self.page.locator("#end .tx-one button").click()
        expect(self.page.locator("#end .tx-one")).to_have_count(0)
        landed(self.page)
        self.page.locator("#end-ended_at").fill(self.clock(self.hours * 60))
        self.page.locator("#end-stop_reason").select_option("COMPLETED")
        submit(self.page, "#end")
        expect(self.page.locator(".tx-badge-ended")).to_be_visible()
        screenshot(self.page, "treatment-day-ended-zh-820", full_page=True)
