"""The run sheet at the bedside, in a real browser on a tablet."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, landed, screenshot
from tests.factories import as_person
from tests.screening.consenting import paper_in_force
from tests.visits.treating import prepared, read, running, treatable
from visits.models import Complication, Interruption, SessionReading, TreatmentSession
from visits.selectors.sessions import minutes_of

#: The grid's columns in the order of the paper, and twelve of them with values.
COLUMNS = (
    "systolic", "diastolic", "heart_rate", "respiratory_rate", "oxygen_saturation",
    "temperature", "gcs", "west_haven", "blood_flow", "plasma_flow", "reactor_flow",
    "access_pressure", "return_pressure",
)  # fmt: skip
TYPED = tuple(name for name in COLUMNS if name != "west_haven")


@pytest.fixture
def subject(cast):
    """Somebody who may be treated; the running product keeps its one consent document."""
    return treatable(cast, paper_in_force(cast))


def open_sheet(visit, cast, session, *, who=None, **options):
    return visit(who or cast.nurse, f"/sessions/{session.pk}/", width=820, height=1180, **options)


def readings(cast, session) -> list[SessionReading]:
    with as_person(cast.nurse):
        rows = SessionReading.objects.filter(record_id=session.pk, voided_at=None)
        return list(rows.order_by("observed_at"))


def line(page: Page, at: str):
    """The line that is due at a time of the clock."""
    return page.locator("tr[data-row]").filter(has=page.locator("[data-due] b", has_text=at))


def cell(row, name: str):
    return row.locator(f"[data-cell={name}] > input, [data-cell={name}] > select")


def at(session, minutes):
    return (session.started_at + dt.timedelta(minutes=minutes)).strftime("%H:%M")


def values_of(n: int) -> tuple[str, ...]:
    return (
        str(118 - n), str(70 - n), str(80 + n), "16", "98.5", f"36.{n % 10}", "15",
        str(100 + n), "30", "150", str(-60 - n), str(70 + n),
    )  # fmt: skip


def all_saved(page: Page) -> None:
    expect(page.locator("[data-all-said][data-state=saved]")).to_be_visible()


@pytest.mark.requirement("DI1")
def test_twenty_readings_of_twelve_values_by_keyboard_without_a_page_load(visit, cast, subject):
    session = running(cast, subject, hours=-11, minutes=600)
    page = open_sheet(visit, cast, session)
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.locator("input.tx-time").first.focus()
    for n in range(20):
        minute = (-15, 0, 15, 30)[n] if n < 4 else 30 * (n - 2)
        page.keyboard.type(at(session, minute).replace(":", ""))
        page.keyboard.press("Enter")
        typed = dict(zip(TYPED, values_of(n), strict=True))
        for name in COLUMNS:
            if name in typed:
                page.keyboard.type(typed[name])
            page.keyboard.press("Control+Enter" if name == COLUMNS[-1] else "Enter")
    all_saved(page)
    assert loads == []
    found = readings(cast, session)
    assert len(found) == 20
    for n, row in enumerate(found):
        texts = tuple(f"{getattr(row, name)}" for name in TYPED)
        assert tuple(map(_plain, texts)) == tuple(map(_plain, values_of(n))), n
        minute = (-15, 0, 15, 30)[n] if n < 4 else 30 * (n - 2)
        assert row.observed_at == (session.started_at + dt.timedelta(minutes=minute)).replace(
            second=0, microsecond=0
        )
        assert row.planned_minute == minute
    screenshot(page, "session-grid-820")


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.requirement("DI1")
@pytest.mark.fault("two people at one run sheet", promised="both readings stand")
def test_two_nurses_on_one_sheet_do_not_overwrite_each_other(visit, cast, subject):
    visit.expect("409")
    session = running(cast, subject, hours=-2)
    first = open_sheet(visit, cast, session)
    second = open_sheet(visit, cast, session, who=cast.second_nurse)
    half = at(session, 30)

    # Both fill the same line: one the circulation, the other the flows. Both stay.
    for page, name, text in ((first, "heart_rate", "80"), (second, "blood_flow", "110")):
        row = line(page, half)
        row.locator("input.tx-time").fill(half)
        cell(row, name).fill(text)
        expect(row).not_to_have_attribute("data-state", "saved")
    cell(line(first, half), "heart_rate").blur()
    all_saved(first)
    cell(line(second, half), "blood_flow").blur()
    all_saved(second)
    expect(cell(line(second, half), "heart_rate")).to_have_value("80")
    row, *others = readings(cast, session)
    assert others == []
    assert (row.heart_rate, str(row.blood_flow)) == (80, "110.0")

    # What the first then sees has come by itself; what both change is for a person.
    first.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(cell(line(first, half), "blood_flow")).to_have_value("110")
    cell(line(first, half), "heart_rate").fill("84")
    cell(line(second, half), "heart_rate").fill("90")
    cell(line(first, half), "heart_rate").blur()
    all_saved(first)
    cell(line(second, half), "heart_rate").blur()
    conflict = line(second, half).locator(".tx-conflict")
    expect(conflict).to_contain_text("84")
    expect(conflict).to_contain_text("90")
    assert readings(cast, session)[0].heart_rate == 84
    assert_accessible(second)
    conflict.get_by_label("90").click()
    all_saved(second)
    assert readings(cast, session)[0].heart_rate == 90

    # A new reading of one appears at the other while they type elsewhere.
    typing = cell(line(second, at(session, 60)), "systolic")
    typing.fill("101")
    row = line(first, at(session, 90))
    row.locator("input.tx-time").fill(at(session, 90))
    cell(row, "systolic").fill("99")
    cell(row, "systolic").blur()
    all_saved(first)
    typing.focus()
    second.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(cell(line(second, at(session, 90)), "systolic")).to_have_value("99")
    expect(typing).to_have_value("101")
    expect(typing).to_be_focused()


@pytest.mark.requirement("DI10")
@pytest.mark.fault(
    "tablet offline while a reading is sent, or its answer lost",
    promised="no reading lost, none twice",
)
def test_a_lost_connection_and_a_lost_answer_lose_and_double_nothing(visit, cast, subject):
    visit.expect("ERR_INTERNET_DISCONNECTED|ERR_FAILED|failed .*readings")
    visit.expect("409")
    session = running(cast, subject, hours=-2)
    page = open_sheet(visit, cast, session)
    row = line(page, at(session, 0))
    page.context.set_offline(True)
    row.locator("input.tx-time").fill(at(session, 0))
    cell(row, "systolic").fill("118")
    cell(row, "systolic").blur()
    expect(page.locator("tr[data-state=failed]")).to_have_count(1)
    expect(page.locator("[data-all-said][data-state=open]")).to_be_visible()
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    all_saved(page)

    # The server has stored it, and its answer never arrives: asking again makes no second.
    answers: list[int] = []

    def lose_the_first(route) -> None:
        answers.append(route.fetch().status)
        route.abort()

    pattern = re.compile(r"/readings/[0-9a-f-]+/$")
    page.route(pattern, lose_the_first, times=1)
    row = line(page, at(session, 15))
    row.locator("input.tx-time").fill(at(session, 15))
    cell(row, "systolic").fill("116")
    cell(row, "systolic").blur()
    expect(page.locator("tr[data-state=failed]")).to_have_count(1)
    assert answers == [200]
    page.evaluate("window.dispatchEvent(new Event('online'))")
    all_saved(page)
    assert [row.systolic for row in readings(cast, session)] == [118, 116]


@pytest.mark.requirement("DI10")
def test_what_is_typed_and_not_saved_is_there_again(visit, cast, subject):
    session = running(cast, subject, hours=-2)
    page = open_sheet(visit, cast, session)
    row = line(page, at(session, 0))
    cell(row, "alarms").fill("静脉压高")
    expect(row).to_have_attribute("data-state", "kept")
    page.goto("about:blank")
    assert readings(cast, session) == []
    again = open_sheet(visit, cast, session)
    row = line(again, at(session, 0))
    expect(cell(row, "alarms")).to_have_value("静脉压高")
    expect(row).to_have_attribute("data-state", "draft")
    other = open_sheet(visit, cast, session, who=cast.second_nurse)
    expect(cell(line(other, at(session, 0)), "alarms")).to_have_value("")


def test_a_session_with_two_interruptions_and_a_hypotension(visit, cast, subject):
    session = prepared(cast, subject, minutes=300)
    page = open_sheet(visit, cast, session, language="zh-hans")
    began = dt.datetime.fromisoformat(page.locator("#sheet").get_attribute("data-now") or "")
    zone = dt.timezone(dt.timedelta(hours=8))
    began = began.astimezone(zone).replace(tzinfo=None) - dt.timedelta(hours=5)

    def clock(minutes: int) -> str:
        return (began + dt.timedelta(minutes=minutes)).strftime("%H:%M")

    page.locator("#start-started_at").fill(clock(0))
    page.locator("#start-second_checker").select_option(str(cast.second_nurse.pk))
    page.locator("#start-physician").select_option(str(cast.sub_investigator.pk))
    page.locator("#start .btn-primary").click()
    expect(page.locator(".tx-badge-running")).to_be_visible()
    landed(page)

    for off, on in ((60, 72), (150, 160)):
        page.locator("#interruption .tx-add > summary").click()
        page.locator("#interruption-off_at").fill(clock(off))
        page.locator("#interruption-on_at").fill(clock(on))
        page.locator("#interruption-reason").select_option("ALARM")
        page.locator("#interruption form .btn-primary").click()
        expect(page.locator("#interruption .tx-number")).to_have_count(1 if off == 60 else 2)
        landed(page)
    page.locator("#complication .tx-add > summary").click()
    page.locator("#complication-code").select_option("HYPOTENSION")
    page.locator("#complication-onset_at").fill(clock(148))
    page.locator("#complication-severity").select_option("MODERATE")
    page.locator("#complication form .btn-primary").click()
    expect(page.locator("#complication .tx-number")).to_have_count(1)

    # One tap stops the circuit, one lets it run again. The page is at its part at once: while
    # it glided there, a tap went down on the button and came up beside it.
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    landed(page)
    page.locator(".tx-stop").click()
    expect(page.locator(".tx-stopped")).to_be_visible()
    landed(page)
    page.locator("#again-reason").select_option("CARE")
    page.locator(".tx-again .btn-primary").click()
    expect(page.locator(".tx-stopped")).to_have_count(0)
    landed(page)

    page.locator("#end-stop_reason").select_option("COMPLETED")
    page.locator("#end .btn-primary").click()
    expect(page.locator(".tx-badge-ended")).to_be_visible()
    with as_person(cast.nurse):
        done = TreatmentSession.objects.get(pk=session.pk)
        assert done.started_at == began.replace(second=0, microsecond=0)
        assert Interruption.objects.filter(record_id=session.pk).count() == 3
        assert Complication.objects.get(record_id=session.pk).code == "HYPOTENSION"
        effective = int(minutes_of(done).effective or 0)
    # Two interruptions of 12 and 10 minutes are out; the test itself takes some.
    assert 5 * 60 - 22 <= effective <= 5 * 60 - 22 + 10
    expect(page.locator("#end dl")).to_contain_text(f"{effective // 60}:{effective % 60:02d}")
    assert_no_sideways_scroll(page)


def test_the_sheet_reads_well(visit, cast, subject):
    session = running(cast, subject, hours=-5)
    for n in range(8):
        moment = session.started_at + dt.timedelta(minutes=30 * n)
        texts = dict(zip(TYPED, values_of(4 * n), strict=True))
        texts |= {"prefilter_pressure": str(140 + 12 * n), "effluent_pressure": "60"}
        texts |= {"observed_at": moment.isoformat(timespec="minutes"), "west_haven": "I"}
        read(session, cast.nurse, texts)
    still = {
        "off_at": (session.started_at + dt.timedelta(minutes=100)).isoformat(),
        "on_at": (session.started_at + dt.timedelta(minutes=112)).isoformat(),
        "reason": "ALARM",
    }
    read(session, cast.nurse, still, group=Interruption)
    trouble = {
        "code": "HYPOTENSION",
        "onset_at": (session.started_at + dt.timedelta(minutes=170)).isoformat(),
        "severity": "MODERATE",
    }
    read(session, cast.nurse, trouble, group=Complication)
    for width, theme, language in ((1440, "light", "en"), (820, "dark", "zh-hans")):
        page = visit(
            cast.nurse,
            f"/sessions/{session.pk}/",
            width=width,
            height=1180,
            theme=theme,
            language=language,
        )
        assert_accessible(page)
        assert_no_sideways_scroll(page)
        screenshot(page, f"session-{language}-{width}-{theme}", full_page=True)
        page.goto(f"/sessions/{session.pk}/paper/?blank=1")
        assert_accessible(page)
        assert_no_sideways_scroll(page)
        screenshot(page, f"session-paper-{language}-{width}", full_page=True)
