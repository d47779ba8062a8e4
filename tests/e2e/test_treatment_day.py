"""A day of treatment as the nurse and the physician live it, in Chinese, on a tablet: from the
plan to the reminder of the next morning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.test import override_settings
from playwright.sync_api import Page, expect

from outcomes.models import AdverseEvent, AdverseEventOrigin
from tests import databases
from tests.e2e.stack import assert_no_sideways_scroll, chinese, landed, screenshot
from tests.factories import as_person, given
from tests.notify.sink import Sink
from tests.screening.consenting import paper_in_force
from tests.visits.products import released_long_ago
from tests.visits.treating import treatable
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.notify.delivery import deliver_due
from trialsite.notify.planning import plan_notices
from visits.models import Complication, LoadedProduct, TreatmentSession
from visits.selectors.reminders import ahead
from visits.selectors.sessions import minutes_of

HOURS = 6


@pytest.fixture
def subject(cast):
    return treatable(cast, paper_in_force(cast))


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    with override_settings(
        NOTIFY_DELIVERY_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=sink.port,
    ):
        yield sink
    sink.stop()


def submit(page: Page, within: str) -> None:
    page.locator(f"{within} .btn-primary").first.click()


def test_a_day_of_treatment_and_the_mail_of_the_next_morning(visit, cast, subject, sink, stack):
    lot = released_long_ago(cast)
    zone = ZoneInfo(subject.site.time_zone)
    now = dt.datetime.now(zone).replace(tzinfo=None, second=0, microsecond=0)
    began = now - dt.timedelta(hours=HOURS, minutes=5)

    def wall(minutes: int) -> dt.datetime:
        return began + dt.timedelta(minutes=minutes)

    def clock(minutes: int) -> str:
        return wall(minutes).strftime("%H:%M")

    # Planned: the page says what stands in the way, and the session is prepared.
    page = visit(
        cast.nurse,
        f"/subjects/{subject.pk}/sessions/plan/",
        width=820,
        height=1180,
        language="zh-hans",
    )
    expect(page.locator("#readiness")).to_contain_text(chinese("Consent"))
    page.locator("[name=planned_minutes]").fill(str(HOURS * 60))
    page.locator("[name=modality][value=REACTOR]").check()
    submit(page, ".tx-stack form")
    expect(page.locator("#checklist")).to_be_visible()
    landed(page)
    sheet = page.url.split("#")[0]

    # The checklist: one "no", which only a physician lets pass.
    for radio in page.locator("#checklist input[type=radio][value=yes]").all():
        radio.check()
    page.locator("#checklist [name='q.bleeding'][value=no]").check()
    page.locator("#checklist [name='why.bleeding']").fill("穿刺点渗血")
    submit(page, "#checklist .tx-questions")
    expect(page.locator("#checklist .tx-override")).to_have_count(0)
    landed(page)
    doctor = visit(cast.sub_investigator, sheet, width=820, language="zh-hans")
    doctor.locator("#override-bleeding").fill("已压迫止血")
    doctor.locator("#checklist .tx-override button").click()
    expect(doctor.locator("#checklist")).to_contain_text("已压迫止血")

    # The lot is scanned, the cells are loaded by two people.
    page.goto(f"{sheet}product/?sheet=1")
    page.locator("#scan-lot").fill(lot.code)
    page.keyboard.press("Enter")
    expect(page.locator("#load .notice-success")).to_contain_text(lot.code)
    landed(page)
    load = page.locator("#load form")
    for name, minutes in (("thaw_started_at", -60), ("thaw_ended_at", -45), ("loaded_at", -20)):
        load.locator(f"[name={name}]").fill(wall(minutes).strftime("%Y-%m-%dT%H:%M"))
    load.locator("[name=reactor_serial]").fill(f"RX-{subject.number}")
    load.locator("[name=viable_cells]").fill("500")
    load.locator("[name=loaded_by]").select_option(str(cast.nurse.pk))
    load.locator("[name=checked_by]").select_option(str(cast.second_nurse.pk))
    submit(page, "#load form")
    expect(page.locator("#product")).to_contain_text(lot.code)
    landed(page)

    # The circuit runs, then the cells.
    page.locator("#start-started_at").fill(clock(0))
    page.locator("#start-second_checker").select_option(str(cast.second_nurse.pk))
    page.locator("#start-physician").select_option(str(cast.sub_investigator.pk))
    submit(page, "#start")
    expect(page.locator(".tx-badge-running")).to_be_visible()
    landed(page)
    page.locator("#start .tx-one input:not([type=hidden])").fill(clock(15))
    submit(page, "#start .tx-one")
    expect(page.locator("#start .tx-one")).to_have_count(0)
    landed(page)

    # It stands still twice; the pressure falls, and one touch makes it an adverse event.
    for number, (off, on) in enumerate(((60, 72), (200, 218)), start=1):
        page.locator("#interruption .tx-add > summary").click()
        page.locator("#interruption-off_at").fill(clock(off))
        page.locator("#interruption-on_at").fill(clock(on))
        page.locator("#interruption-reason").select_option("HYPOTENSION")
        submit(page, "#interruption form")
        expect(page.locator("#interruption .tx-number")).to_have_count(number)
        landed(page)
    page.locator("#complication .tx-add > summary").click()
    page.locator("#complication-code").select_option("HYPOTENSION")
    page.locator("#complication-onset_at").fill(clock(58))
    page.locator("#complication-severity").select_option("MODERATE")
    submit(page, "#complication form")
    expect(page.locator("#complication .tx-number")).to_have_count(1)
    landed(page)
    screenshot(page, "treatment-day-zh-820", full_page=True)
    assert_no_sideways_scroll(page)
    page.locator("#complication .tx-row-acts form button").click()
    expect(page.locator("#term")).to_have_value(chinese("Hypotension"))
    expect(page.locator("#started_time")).to_have_value(clock(58))

    # The cells come off, the session ends.
    page.goto(sheet)
    page.locator("#end .tx-one input:not([type=hidden])").fill(clock(HOURS * 60 - 10))
    page.locator("#end .tx-one button").click()
    expect(page.locator("#end .tx-one")).to_have_count(0)
    landed(page)
    page.locator("#end-ended_at").fill(clock(HOURS * 60))
    page.locator("#end-stop_reason").select_option("COMPLETED")
    submit(page, "#end")
    expect(page.locator(".tx-badge-ended")).to_be_visible()
    screenshot(page, "treatment-day-ended-zh-820", full_page=True)

    with as_person(cast.nurse):
        session = TreatmentSession.objects.get(subject=subject)
        assert session.started_at == began
        assert minutes_of(session).effective == HOURS * 60 - 12 - 18
        assert LoadedProduct.objects.get(session=session).lot_id == lot.pk
        complication = Complication.objects.get(record_id=session.pk)
        origin = AdverseEventOrigin.objects.get(complication=complication)
        assert AdverseEvent.objects.get(pk=origin.record_id).term == chinese("Hypotension")
        assert Subject.objects.get(pk=subject.pk).day_zero == began.date()
        planned = ahead(Subject.objects.select_related("site").get(pk=subject.pk))
        days = [each.at.astimezone(zone) for each in planned]
        assert days == sorted(days)
        assert len({each.visit for each in planned}) > 5

    _next_morning(stack.database, cast, subject, sink, zone)


def _next_morning(database: str, cast, subject, sink: Sink, zone: ZoneInfo) -> None:
    """At eight the nurse gets one mail that names the visit; asking again sends nothing."""
    fresh = given(Subject.objects.get)(pk=subject.pk)
    assert fresh.day_zero is not None
    morning = dt.datetime.combine(fresh.day_zero + dt.timedelta(days=1), dt.time(8, 2), tzinfo=zone)
    if morning < trial_now():
        morning += dt.timedelta(days=1)
    with psycopg.connect(databases.owner_url(database), autocommit=True) as owner:
        owner.execute(
            "INSERT INTO trial_clock (shift) VALUES (%s - clock_timestamp()) "
            "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
            [morning],
        )
        try:
            for _again in range(3):
                plan_notices(trial_now())
                while deliver_due():
                    pass
        finally:
            owner.execute("DELETE FROM trial_clock")
    to_the_nurse = [mail for mail in sink.arrived if mail["To"] == cast.nurse.email]
    texts = [bytes(mail.get_payload(decode=True)).decode() for mail in to_the_nurse]
    assert len([text for text in texts if subject.number in text]) == 1, texts
