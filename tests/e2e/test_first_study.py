"""One true line through the whole product: two languages, five roles, nine days.

The nurse screens, takes consent and enters results; the investigator signs; a session, a serious
event and its clock; the mail before the visit of day seven, the visit with its results and tubes;
the technician freezes by scan; the principal investigator sees the counts change; the data manager
pulls by REST what was typed, cell by cell; the monitor reads who did it.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from docs.examples.trialsite_client import Trialsite
from outcomes.selectors.sae_board import Look
from samples.models import Aliquot, Specimen
from screening.models import ConsentDocument, ScreeningEntry
from screening.models.forms import Allergies, Demographics, Examination, MedicalHistory
from tests.access.test_api_tokens import make_token
from tests.e2e.bedside import Bedside, deliver
from tests.e2e.recruiting import (
    answer_and_sign,
    button,
    log_the_person,
    looks_right,
    record_consent,
    recruiting,
)
from tests.e2e.stack import Stack, Visitors, assert_accessible, chinese
from tests.factories import Cast, as_person, given
from tests.notify.sink import Sink
from tests.samples.bench import box_at, technician_at, visit_of
from tests.screening.deciding import (
    HISTORY,
    NO_ALLERGIES,
    PERSON,
    RESULTS,
    UNITS,
    examination,
    favourable,
    record_of,
)
from tests.visits.products import released_long_ago
from tests.waiting import until
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject
from trialsite.core.clock import trial_today
from trialsite.crf.items import items_of
from trialsite.crf.models import CrfData
from trialsite.dashboard.overview.flow import Box
from trialsite.labs.codes import FORM_OID as LAB
from visits.models import VitalSigns

Clock = Callable[[dt.datetime], None]
TABLET: dict[str, Any] = {"width": 820, "height": 1180, "language": "zh-hans"}
SIGNS = {
    "systolic": "118",
    "diastolic": "70",
    "heart_rate": "80",
    "respiratory_rate": "16",
    "oxygen_saturation": "98",
    "temperature": "36.8",
}
#: What one participant more changes on the overview: consented, enrolled, treated, a case.
COUNTED = (f"flow.{Box.CONSENTED}", "enrolled.", f"flow.{Box.TREATED}", f"cases.{Look.OPEN}")
#: The dataset of laboratory results.
PANELS = "lb"
#: A week later the liver has begun to recover; the laboratory prints some as below a limit.
BETTER = {"BILI": "214", "PTA": "44", "INR": "1.6", "CREAT": "62", "SODIUM": "138", "CRP": "<5"}


def type_form(
    page: Page, table: type[CrfData], record: CrfRecord, texts: dict[str, str]
) -> dict[str, str]:
    """A form as a nurse fills it, until it is complete; the cells that this must come to.

    What the form needs besides is said to be not available.
    """
    page.goto(f"/records/{record.pk}/")
    cells: dict[str, str] = {}
    for name, item in items_of(table).items():
        if text := texts.get(name):
            entry = page.locator(f"[id='{name}']")
            choose = entry.evaluate("each => each.matches('select')")
            entry.select_option(text) if choose else entry.fill(text)
            cells |= {name: text, f"{name}_missing": ""}
        elif item.required:
            page.locator(f"#item-{name} details.item-menu summary").click()
            page.locator(f"[id='{name}.missing']").select_option("NAV")
            cells |= {name: "", f"{name}_missing": "NAV"}
    button(page, "Complete and next")
    stands = given(CrfRecord.objects.filter(pk=record.pk, status=RecordStatus.COMPLETE).exists)
    until(stands, within=60, what=f"{record.form_oid} is complete")
    return cells


def type_panel(page: Page, record: CrfRecord, drawn: dt.datetime, results: dict[str, str]) -> None:
    """One draw into the panel of a visit, as printed."""
    page.goto(f"/labs/panels/{record.pk}/")
    page.locator("#f-collected_at").fill(drawn.isoformat(timespec="minutes"))
    page.locator("#f-laboratory").select_option("CENTRAL")
    page.locator("#f-specimen").select_option("SERUM")
    page.locator("summary", has_text=chinese("Further analytes")).click()
    for analyte, text in results.items():
        page.locator(f"#f-{analyte}").fill(text)
        unit = page.locator(f"select[name='{analyte}.unit']")
        if unit.count():
            unit.select_option(UNITS[analyte])
    button(page, "Save")
    expect(page.locator("body")).to_contain_text(chinese("Saved. The form is not complete yet."))


@dataclass
class Journey:
    """One participant's way, and what was typed on it."""

    visit: Visitors
    cast: Cast
    to: Clock
    day_one: dt.date
    #: What was typed, by dataset and record: what the exports must give back.
    typed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.cast.site.time_zone)

    def at(self, day: int, hour: int, minute: int = 0) -> dt.datetime:
        """The clock of the trial, set to a time on the site's wall."""
        moment = dt.datetime.combine(
            self.day_one + dt.timedelta(days=day), dt.time(hour, minute), tzinfo=self.zone
        )
        self.to(moment)
        return moment.replace(tzinfo=None)

    def fill(self, page: Page, table: type[CrfData], record: CrfRecord, texts: dict[str, str]):
        cells = type_form(page, table, record, texts)
        self.typed[table.form_oid.removeprefix("F.").lower(), str(record.pk)] = cells

    def panel(self, page: Page, record: CrfRecord, drawn: dt.datetime, results: dict[str, str]):
        type_panel(page, record, drawn, results)
        self.typed[PANELS, str(record.pk)] = results


def screened(journey: Journey, paper: ConsentDocument) -> Subject:
    """The nurse: the log, the consent, the four forms, the first results; then the decision."""
    cast = journey.cast
    morning = journey.at(0, 9)
    page = journey.visit(cast.nurse, "/screening/new/", **TABLET)
    entry: ScreeningEntry = log_the_person(page, cast)
    record_consent(page, cast, paper)
    subject: Subject = given(Subject.objects.get)(screening=entry)
    for table, texts in (
        (Demographics, PERSON),
        (MedicalHistory, HISTORY),
        (Allergies, NO_ALLERGIES),
        (Examination, examination(subject)),
    ):
        journey.fill(page, table, record_of(subject, table.form_oid), texts)
    drawn = morning - dt.timedelta(hours=1)
    journey.panel(page, record_of(subject, LAB), drawn, RESULTS)

    address = f"/subjects/{subject.pk}/eligibility/"
    answer_and_sign(journey.visit, cast.sub_investigator, address, favourable(cast, subject))
    page.goto(address)
    looks_right(page)
    button(page, "Enrol: give the subject number")
    expect(page).to_have_url(re.compile(f"/screening/{entry.pk}/$"))
    given(subject.refresh_from_db)()
    assert subject.number
    return subject


def treated(journey: Journey, subject: Subject) -> None:
    """The next day: six hours at the circuit; the fall of pressure is reported as serious."""
    journey.at(1, 4)
    lot = released_long_ago(journey.cast)
    now = journey.at(1, 16)
    bedside = Bedside(
        visit=journey.visit,
        cast=journey.cast,
        subject=subject,
        lot=lot,
        began=now - dt.timedelta(hours=6, minutes=5),
    )
    for step in (bedside.planned, bedside.prepared, bedside.loaded, bedside.started,
                 bedside.troubled):  # fmt: skip
        step()
    page = bedside.page
    page.locator("a[href*='/safety/new/?complication=']").first.click()
    page.locator("[name=criterion][value=life_threatening]").check()
    page.locator("[name=suspected][value=circuit]").check()
    page.locator("form.first-word .btn-primary").click()
    tomorrow = (now + dt.timedelta(days=1)).date()
    expect(page.locator("body")).to_contain_text(f"{tomorrow} ")
    bedside.ended()
    given(subject.refresh_from_db)()
    assert subject.day_zero == bedside.began.date()


def reminded(journey: Journey, subject: Subject, sink: Sink) -> None:
    """Two days before the window of day seven opens, the nurse has a mail that names it."""
    seventh = visit_of(subject)
    assert seventh.window_ends is not None
    day = (seventh.window_ends[0] - journey.day_one).days - 2
    journey.at(day - 1, 18)
    deliver()
    sink.arrived.clear()
    journey.at(day, 8, 2)
    deliver()
    mails = [mail for mail in sink.arrived if mail["To"] == journey.cast.nurse.email]
    texts = [bytes(mail.get_payload(decode=True)).decode() for mail in mails]
    (mine,) = [text for text in texts if subject.number and subject.number in text]
    assert f"/visits/{seventh.pk}/" in mine


def seen_on_day_seven(journey: Journey, subject: Subject, technician: User) -> None:
    """The visit with its vital signs, results and tubes; the tubes go into the freezer by scan."""
    seventh = visit_of(subject)
    assert seventh.target_on is not None
    now = journey.at((seventh.target_on - journey.day_one).days, 10)
    page = journey.visit(journey.cast.nurse, f"/visits/{seventh.pk}/", **TABLET)
    button(page, "Start the visit")
    page.locator("[name=mode]").first.select_option("ward")
    button(page, "Attended")
    expect(page.get_by_text(chinese("The visit is recorded as attended."))).to_be_visible()
    signs = SIGNS | {"assessed_at": (now - dt.timedelta(minutes=40)).isoformat(timespec="minutes")}
    records = {each.form_oid: each for each in given(lambda: list(seventh.records.all()))()}
    journey.fill(page, VitalSigns, records[VitalSigns.form_oid], signs)
    journey.panel(page, records[LAB], now - dt.timedelta(hours=1), BETTER)
    frozen(journey, page, subject, technician)


def frozen(journey: Journey, page: Page, subject: Subject, technician: User) -> None:
    """The technician's morning, with the scanner."""
    seventh = visit_of(subject)
    box = box_at(journey.cast.site, technician, n=subject.number)
    page = journey.visit(technician, f"/samples/visits/{seventh.pk}/")
    page.get_by_role("button", name="Number all planned tubes").click()
    with as_person(technician):
        serum = Specimen.objects.filter(visit=seventh, kind="SERUM").order_by("code")[0]
    for step, said in (("collect", "Collected"), ("spin", "Centrifuged"), ("aliquot", "aliquot")):
        page.goto(f"/samples/scan/{step}/?visit={seventh.pk}")
        scan(page, serum.code, said)
    page.goto(f"/samples/scan/freeze/?visit={seventh.pk}&box={box.pk}")
    with as_person(technician):
        (code, *_more) = Aliquot.objects.filter(specimen=serum).values_list("code", flat=True)
    scan(page, code, box.code)
    page.goto(f"/samples/one/{code}/")
    expect(page.get_by_role("main")).to_contain_text(box.code)


def scan(page: Page, code: str, said: str) -> None:
    """What a keyboard-wedge scanner does: it types the code, and Enter."""
    expect(page.locator("input[name=code]")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".scan-answer")).to_contain_text(code)
    expect(page.locator(".scan-answer strong")).to_contain_text(said)


def pulled(journey: Journey, stack: Stack, place: Path) -> None:
    """The data manager's files say what was typed, cell by cell."""
    client = Trialsite(stack.url, make_token(journey.cast.data_manager))
    for name, record in journey.typed:
        path = place / f"{name}.csv"
        if not path.exists():
            client.save_dataset(name, path)
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["RECORD"] == record]
        typed = journey.typed[name, record]
        if name == PANELS:
            told = {row["LBTESTCD"]: (row["LBORRES"], row["LBORRESU"]) for row in rows}
            assert told == {key: (text, UNITS[key]) for key, text in typed.items()}
        else:
            (row,) = rows
            assert {key: as_typed(row[key]) for key in typed} == {
                key: as_typed(text) for key, text in typed.items()
            }


def as_typed(text: str) -> str | Decimal | dt.datetime:
    """A cell or an entry by what it says: `98.0` is `98`, `09:20:00` is `09:20`."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return Decimal(text)
    return dt.datetime.fromisoformat(text) if "T" in text and text[:4].isdigit() else text


def counted(journey: Journey) -> dict[str, int]:
    """The first line of the study overview, as the principal investigator reads it."""
    page = journey.visit(journey.cast.investigator, "/overview/")
    assert_accessible(page)
    tiles = page.locator("[data-tile]").evaluate_all(
        "all => all.map(each => [each.dataset.tile, each.firstChild.textContent])"
    )
    return {name: int(text) for name, text in tiles}


def opened(journey: Journey, subject: Subject, tile: str) -> None:
    """The count opens to its rows; the participant is one of them."""
    page = journey.visit(journey.cast.investigator, "/overview/")
    page.locator("a", has=page.locator(f"[data-tile='{tile}']")).click()
    # The log knows a person by the screening number, everything after enrolment by the other.
    either = re.compile(f"{subject.number}|{subject.screening_number}")
    expect(page.get_by_role("main")).to_contain_text(either)


def read_by_the_monitor(journey: Journey) -> None:
    """The trail of the last form says who typed what, and when by the clock of the trial."""
    ((_name, record), cells) = next(each for each in journey.typed.items() if each[0][0] == "vs")
    page = journey.visit(journey.cast.monitor, f"/records/{record}/trail/")
    trail = page.get_by_role("main")
    expect(trail).to_contain_text(journey.cast.nurse.full_name)
    for name in SIGNS:
        expect(trail).to_contain_text(cells[name])
    assert_accessible(page)


@pytest.mark.requirement("EX1")
def test_from_the_first_contact_to_the_file(
    visit: Visitors, cast: Cast, stack: Stack, clock: Clock, sink: Sink, tmp_path: Path
) -> None:
    zone = cast.site.time_zone
    journey = Journey(visit, cast, clock, trial_today(zone) - dt.timedelta(days=9))
    journey.at(0, 8)
    paper = recruiting(cast)
    technician = technician_at(cast.site, full_name="Tara Technician")
    before = counted(journey)
    subject = screened(journey, paper)
    treated(journey, subject)
    reminded(journey, subject, sink)
    seen_on_day_seven(journey, subject, technician)
    after = counted(journey)
    for tile in COUNTED:
        assert after[tile] == before[tile] + 1, tile
        opened(journey, subject, tile)
    pulled(journey, stack, tmp_path)
    read_by_the_monitor(journey)
