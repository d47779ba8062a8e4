"""A hospital's file in a browser, on a tablet: counted at a glance, decided, taken."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.stack import (
    Visitors,
    assert_accessible,
    assert_no_sideways_scroll,
    onward,
    screenshot,
)
from tests.factories import Cast, as_person, make_subject
from tests.labs.hospital import MAPPING, export
from tests.labs.importing import make_person
from tests.screening.deciding import make_laboratory_of
from trialsite.labs.models import LabResult
from trialsite.labs.services.mappings import keep_mapping


@pytest.mark.parametrize("look", [{"language": "zh-hans", "width": 820}, {"width": 1440}])
def test_a_nurse_reads_decides_and_takes_a_hospitals_file(
    visit: Visitors, cast: Cast, look: dict[str, Any]
) -> None:
    laboratory = make_laboratory_of(cast)
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=MAPPING, by=cast.data_manager)
    people = [make_subject(cast.site) for _n in range(10)]
    file = export([each.screening_number for each in people])
    assert len(file.rows) == 500
    file.rows[11][4:6] = ["1.1", "umol/L"]
    file.rows[40][0] = file.rows[60][0] = "HOSPITAL-77"
    file.rows[12][5] = "furlong"
    assert file.rows[21][3] == "降钙素原"
    file.rows[21][4] = "<0.2"
    make_person(people[0], sex="M")
    make_person(people[9], sex="F")
    file.rows[80][4] = ""
    stated = visit(cast.data_manager, f"/labs/laboratories/{laboratory.pk}/mapping/", **look)
    assert_no_sideways_scroll(stated)
    screenshot(stated, f"lab-mapping-{look['width']}", full_page=True)
    page = visit(cast.nurse, "/labs/imports/", **look)
    if page.locator("#laboratory option[value='']").count():
        page.locator("#laboratory").select_option(str(laboratory.pk))
    page.locator("#file").set_input_files(
        {"name": "检验结果.csv", "mimeType": "text/csv", "buffer": file.content()}
    )
    assert_accessible(page)
    with onward(page):
        page.locator("form[enctype] button").click()
    counts = page.locator(".import-count b")
    expect(counts).to_have_text(["445", "1", "2", "50", "1", "1"])
    # Of the other eight nobody has entered a sex yet.
    expect(page.locator(".note-warning").first).to_contain_text("8")
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    screenshot(page, f"lab-import-{look['width']}", full_page=True)
    for outcome in ("unknown_person", "other_person", "unit"):
        with onward(page):
            page.locator(f"button[name=leave_all][value={outcome}]").click()
    page.locator("select[name^='choice.13:']").select_option("as:mg/dL")
    with onward(page):
        page.locator("button[name=keep]").click()
    take = page.locator("form[action$='/accept/'] button")
    expect(take).to_have_text(re.compile("446"))
    with onward(page):
        take.click()
    expect(page.locator(".tag-success")).to_be_visible()
    assert_no_sideways_scroll(page)
    screenshot(page, f"lab-import-taken-{look['width']}", full_page=True)
    with as_person(cast.nurse):
        taken = LabResult.objects.filter(subject__in=people)
        assert taken.count() == 446
        assert taken.get(text="<0.2").comparator == "<"
