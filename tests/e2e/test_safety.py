"""Grades of laboratory values, and the safety rules with their inputs, in a browser."""

from __future__ import annotations

import pytest

from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, screenshot
from tests.factories import as_person, make_record, make_subject
from tests.labs.conftest import DRAW, make_laboratory, make_range
from tests.labs.test_grade_pages import treated as purified
from tests.labs.test_grade_pages import with_units
from tests.outcomes.test_safety_rules import RELATED, SUSAR, happened, participant
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.conduct.services.snapshots import take_snapshot
from trialsite.labs.entry import read_panel
from trialsite.labs.models import Laboratory
from trialsite.labs.services.panels import save_panel

DRAWS = (
    ("2026-03-05T07:30", {"BILI": "320", "INR": "2.0", "PLAT": "140", "ALT": "90"}),
    ("2026-03-07T08:00", {"BILI": "500", "INR": "2.4", "PLAT": "49.9", "ALT": "<40"}),
    ("2026-03-09T08:00", {"BILI": "961", "INR": "2.51", "PLAT": "<50", "ALT": "300"}),
)


@pytest.fixture
def pages(cast) -> dict[str, tuple[object, str]]:
    """Who looks at what."""
    with as_person(cast.nurse):
        known = Laboratory.objects.filter(site=cast.site, code="CENTRAL").first()
    laboratory = known or make_laboratory(cast.site)
    if known is None:
        make_range(laboratory, "BILI", "3", "23", "umol/L")
        make_range(laboratory, "INR", "0.8", "1.2", "{INR}")
    make_range(laboratory, "PLAT", "125", "350", "10*9/L", since="2026-03-01")
    subject = make_subject(cast.site)
    record: CrfRecord | None = None
    for number, (moment, texts) in enumerate(DRAWS, start=1):
        record = make_record(subject, form_oid="F.LB", repeat_key=number)
        texts = with_units(texts) | DRAW | {"collected_at": moment, "received_at": ""}
        with as_person(cast.nurse):
            entry = read_panel(protocol_of(record.protocol_version_id), texts)
            save_panel(record=record, entry=entry, by=cast.nurse, base_version=0)
    purified(subject)
    harmed = participant(cast.site, "001-901", cast.nurse)
    happened(harmed, cast.nurse, **SUSAR)
    happened(harmed, cast.nurse, **RELATED)
    with as_person(cast.investigator):
        cut = take_snapshot(version=current_version(), purpose="Safety board", by=cast.investigator)
    assert record is not None
    return {
        "grades": (cast.nurse, f"/labs/subjects/{subject.pk}/grades/"),
        "graded-panel": (cast.nurse, f"/labs/panels/{record.pk}/"),
        "rules": (cast.investigator, "/holds/"),
        "rule-on": (cast.investigator, "/holds/rules/monitor/toxicity/on/"),
        "snapshot": (cast.investigator, f"/holds/snapshots/{cut.pk}/"),
        "snapshot-review": (cast.investigator, f"/holds/snapshots/{cut.pk}/review/"),
    }


def test_grades_rules_and_snapshots_fit_and_are_accessible(visit, pages):
    for width, language in ((1440, "en"), (820, "zh-hans")):
        for name, (person, path) in pages.items():
            page = visit(person, path, width=width, language=language, touch=width == 820)
            for each in page.locator("details.inputs").all():
                each.locator("summary").click()
            screenshot(page, f"{name}-{language}-{width}", full_page=True)
            assert_accessible(page)
            assert_no_sideways_scroll(page)
