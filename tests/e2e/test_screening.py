"""From first contact to enrolment in a browser: the nurse in Chinese on a tablet."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from screening.models import ConsentDocument
from screening.models.forms import Allergies, Demographics, Examination, MedicalHistory
from tests.e2e.recruiting import (
    answer_and_sign,
    button,
    link,
    log_the_person,
    looks_right,
    record_consent,
    recruiting,
)
from tests.e2e.stack import (
    Visitors,
    assert_accessible,
    chinese,
    onward,
)
from tests.factories import Cast, given, make_entry
from tests.screening.conftest import entry_of, make_screened
from tests.screening.consenting import sign, wall
from tests.screening.deciding import (
    HISTORY,
    NO_ALLERGIES,
    PERSON,
    RESULTS,
    complete,
    draw,
    examination,
    favourable,
    record_of,
)
from tests.screening.people import persons
from trialsite.casebook.models import Subject
from trialsite.labs.codes import FORM_OID as LAB

TABLET: dict[str, Any] = {"width": 820, "language": "zh-hans"}
#: As a laboratory prints it that reports in mg/dL.
IN_MG = {"BILI": ("25.3", "mg/dL"), "CREAT": ("2.4", "mg/dL")}
PLAIN = {"PTA": "31", "INR": "1.9", "SODIUM": "137", "CRP": "30"}
#: MELD as UNOS has it, from the numbers as they were printed.
MELD = 3.78 * math.log(25.3) + 11.2 * math.log(1.9) + 9.57 * math.log(2.4) + 6.43
NO_INR = {name: text for name, text in RESULTS.items() if name != "INR"}


@pytest.fixture
def document(cast: Cast) -> ConsentDocument:
    return recruiting(cast)


_CROWDED = """() => [...document.querySelectorAll("table.evidence :is(td, th)")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent.trim())"""


def criteria_look_right(page: Page, name: str) -> None:
    """The page of eligibility: also no value runs into its neighbour."""
    looks_right(page, name)
    assert page.evaluate(_CROWDED) == []


def fill_forms(cast: Cast, subject: Subject) -> None:
    """The screening forms of a person whom no criterion keeps out."""
    complete(cast, subject, Demographics, PERSON)
    complete(cast, subject, MedicalHistory, HISTORY)
    complete(cast, subject, Allergies, NO_ALLERGIES)
    complete(cast, subject, Examination, examination(subject))


def type_draw(page: Page, cast: Cast) -> None:
    """One draw into the panel of the screening visit."""
    drawn = wall(cast.site, hours=-1).isoformat(timespec="minutes")
    page.locator("#f-collected_at").fill(drawn)
    page.locator("#f-laboratory").select_option("CENTRAL")
    page.locator("#f-specimen").select_option("SERUM")
    for analyte, (text, unit) in IN_MG.items():
        page.locator(f"#f-{analyte}").fill(text)
        page.locator(f"[name='{analyte}.unit']").select_option(unit)
    for analyte, text in PLAIN.items():
        page.locator(f"#f-{analyte}").fill(text)
    page.locator("#f-CRP").blur()
    expect(page.locator("#item-CRP .labs-flag-high")).to_be_visible()
    looks_right(page, "panel")
    button(page, "Save")
    expect(page.locator("body")).to_contain_text(chinese("Saved. The form is not complete yet."))
    expect(page.locator("#f-BILI")).to_have_value("25.3")


def test_labs_in_mg_per_decilitre_exclude_by_meld_and_the_page_says_why(
    visit: Visitors, cast: Cast, document: ConsentDocument
) -> None:
    page = visit(cast.nurse, "/screening/new/", **TABLET)
    entry = log_the_person(page, cast)
    record_consent(page, cast, document)
    subject = given(Subject.objects.get)(screening=entry)
    fill_forms(cast, subject)

    page.goto(f"/screening/{entry.pk}/")
    looks_right(page, "entry")
    lab = record_of(subject, LAB)
    with onward(page):
        page.locator(f"main a[href='/records/{lab.pk}/']").first.click()
    expect(page).to_have_url(re.compile(f"/labs/panels/{lab.pk}/$"))
    type_draw(page, cast)

    page.goto(f"/screening/{entry.pk}/")
    link(page, "Eligibility")
    overall = page.locator(".overall")
    expect(overall).to_contain_text(chinese("Not eligible"))
    expect(overall).to_contain_text(f"EX04 {chinese('Excluded')}")
    expect(overall).to_contain_text(str(round(MELD)))
    meld = page.locator("#criterion-EX04")
    expect(meld).to_contain_text("MELD评分>30的患者")
    expect(meld.locator(".verdict")).to_contain_text(chinese("Excluded"))
    expect(meld).to_contain_text("UNOS")
    expect(meld).to_contain_text("25.3 mg/dL")
    expect(meld).to_contain_text("432.73")
    expect(meld).to_contain_text("CENTRAL")
    said = chinese(
        "%(score)s is %(displayed)s (version %(version)s, computed %(raw)s), above %(threshold)s."
    )
    shape = re.escape(said).replace(re.escape("%(raw)s"), r"(\d+\.\d+)")
    why = re.search(re.sub(r"%\\\((\w+)\\\)s", ".+?", shape), meld.inner_text())
    assert why is not None
    assert abs(float(why[1]) - MELD) < 0.02
    criteria_look_right(page, "ineligible")


def test_the_missing_inr_arrives_the_investigator_signs_and_the_nurse_enrols(
    visit: Visitors, cast: Cast, document: ConsentDocument
) -> None:
    subject = make_screened(cast.site, cast.nurse)
    sign(cast, subject, document, hours=-5)
    given(subject.refresh_from_db)()
    fill_forms(cast, subject)
    draw(cast, subject, NO_INR, record=record_of(subject, LAB))
    address = f"/subjects/{subject.pk}/eligibility/"

    page = visit(cast.nurse, address, **TABLET)
    missing = chinese("%(name)s: no result yet.") % {"name": "国际标准化比值"}
    overall = page.locator(".overall")
    expect(overall).to_contain_text(chinese("Not yet known"))
    expect(overall).to_contain_text(missing)
    criteria_look_right(page, "unknown")
    with onward(page):
        page.locator("#criterion-EX04").get_by_role("link", name=missing).click()
    expect(page).to_have_url(re.compile("/labs/panels/"))
    page.locator("summary", has_text=chinese("Further analytes")).click()
    page.locator("#f-INR").fill("1.9")
    button(page, "Save")
    expect(page.locator("body")).to_contain_text(chinese("Saved. The form is not complete yet."))
    page.goto(address)
    expect(overall).not_to_contain_text(missing)
    judged = chinese("Criteria the investigator has yet to judge: %(n)s.") % {"n": 6}
    expect(overall).to_contain_text(judged)
    expect(page.locator("#criterion-EX04 .verdict")).to_contain_text(chinese("Not excluded"))
    looks_right(page)

    answer_and_sign(visit, cast.sub_investigator, address, favourable(cast, subject))
    page.goto(address)
    looks_right(page, "signed")
    button(page, "Enrol: give the subject number")
    expect(page).to_have_url(re.compile(f"/screening/{entry_of(subject).pk}/$"))
    given(subject.refresh_from_db)()
    assert re.fullmatch(rf"{cast.site.code}-\d{{3}}", subject.number or "")
    expect(page.get_by_role("main")).to_contain_text(subject.number or "")
    looks_right(page, "enrolled")


@pytest.mark.requirement("PR5")
def test_identifiers_are_kept_masked_and_shown_once_after_a_reason(
    visit: Visitors, cast: Cast
) -> None:
    person = persons(1)[0]
    entry = make_entry(cast.site, cast.nurse)
    page = visit(cast.nurse, f"/screening/{entry.pk}/", **TABLET)
    link(page, "Identifiers")
    for name, text in person.said.items():
        page.locator(f"#identity-{name}").fill(text)
    looks_right(page)
    button(page, "Keep")
    kept = page.get_by_role("main")
    expect(kept).to_contain_text(f"****{person.phone[-4:]}")
    for text in person.said.values():
        expect(kept).not_to_contain_text(text)
    looks_right(page, "masked")

    page.locator("summary", has_text=chinese("Show")).first.click()
    page.locator("#show-reason").fill("回电话")
    button(page, "Show the identifiers")
    for text in person.said.values():
        expect(kept).to_contain_text(text)
    looks_right(page)
    shown = page.url
    link(page, "Done")
    expect(kept).not_to_contain_text(person.phone)
    visit.expect("409")
    page.goto(shown)
    expect(kept).not_to_contain_text(person.phone)

    visit.expect("403")
    other = visit(cast.monitor, f"/screening/{entry.pk}/identity/")
    assert person.phone[-4:] not in other.content()
    other.goto(f"/screening/{entry.pk}/")
    expect(other.locator("h1")).to_contain_text(entry.number)
    expect(other.locator(f"a[href='/screening/{entry.pk}/identity/']")).to_have_count(0)
    assert_accessible(other)
