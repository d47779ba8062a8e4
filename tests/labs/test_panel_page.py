"""The page of a lab panel: as printed in, judged beside it, nothing typed is lost."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import as_person, make_record, make_subject, make_visit, sign_in
from tests.labs.conftest import DRAW, make_laboratory
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.crf.models import Draft
from trialsite.labs.models import LabPanel, LabResult

BILI = {"BILI": "12.5", "BILI.unit": "mg/dL", "BILI.sig": "NCS_DISEASE"}


def first(pattern: str, text: str, group: int = 0) -> str:
    """What a pattern finds on a page; it must be there."""
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None, pattern
    return match[group]


class Tab:
    """One browser tab on one draw."""

    def __init__(self, client, record):
        self.client, self.address = client, f"/labs/panels/{record.pk}/"
        self.record = record
        self.read(client.get(self.address))

    def read(self, answer):
        self.html, self.status = answer.content.decode(), answer.status_code
        self.hidden = {
            name: html.unescape(first(rf'name="{name}" value="([^"]*)"', self.html, 1))
            for name in ("version", "page", "base")
        }
        return self

    def post(self, fields, action="save"):
        body = {**self.hidden, **DRAW, "action": action, **fields}
        answer = self.client.post(self.address, body)
        self.status = answer.status_code
        return self if answer.status_code == 302 else self.read(answer)

    def again(self):
        return self.read(self.client.get(self.address))

    def value(self, name):
        found = re.search(rf'name="{re.escape(name)}"[^>]*?value="([^"]*)"', self.html)
        return html.unescape(found[1]) if found else None

    def line(self, key):
        return first(rf'id="item-{key}".*?</tr>', self.html)

    @property
    def conflicts(self):
        return re.findall(r'name="(\w+)\.keep" value="mine"', self.html)


@pytest.fixture
def tab(cast, draw):
    return Tab(sign_in(cast.nurse), draw)


def test_a_companions_record_opens_on_the_page_of_its_own_app(cast, draw):
    answer = sign_in(cast.nurse).get(f"/records/{draw.pk}/")
    assert answer.status_code == 302
    assert answer["Location"] == f"/labs/panels/{draw.pk}/"


def test_a_result_stands_as_printed_beside_conversion_range_and_flag(cast, draw, tab):
    assert tab.post(BILI).status == 302
    line = tab.again().line("BILI")
    assert tab.value("BILI") == "12.5"
    for seen in ("213.8", "3–23 umol/L", "labs-flag-high", "High"):
        assert seen in line
    with as_person(cast.nurse):
        assert LabResult.objects.get(panel_id=draw.pk).text == "12.5"


def test_the_visits_panels_are_the_lines_of_its_first_draw(cast, subject):
    record = make_record(subject, form_oid="F.LB", visit=make_visit(subject, "SE.D7"))
    tab = Tab(sign_in(cast.nurse), record)
    assert "checked" in first(r'name="panel.chemistry"[^>]*>', tab.html)
    assert tab.html.index('id="item-BILI"') < tab.html.index("labs-more")


def test_the_unit_that_the_laboratory_last_used_is_preset(cast, subject, tab):
    tab.post(BILI)
    second = make_record(subject, form_oid="F.LB", repeat_key=2)
    line = Tab(tab.client, second).line("BILI")
    assert re.search(r'<option value="mg/dL" selected>', line)


def test_what_was_measured_before_is_in_view(cast, subject, tab):
    tab.post(BILI)
    second = make_record(subject, form_oid="F.LB", repeat_key=2)
    other = Tab(tab.client, second)
    other.post(
        {"BILI": "11", "BILI.unit": "mg/dL", "collected_at": "2026-03-06T07:30", "received_at": ""}
    )
    assert "12.5 mg/dL" in other.again().line("BILI")


def test_a_refused_post_loses_nothing_and_says_why_beside_the_field(tab):
    typed = {"BILI": "12,5", "BILI.unit": "mg/dL", "K": "4.1", "K.unit": "meq/L", "comment": "sic"}
    tab.post(typed)
    assert tab.status == 422
    assert "item-error" in tab.line("BILI")
    assert (tab.value("BILI"), tab.value("K"), tab.value("laboratory")) == ("12,5", "4.1", None)
    assert '<option value="CENTRAL" selected>' in tab.html
    assert ">sic</textarea>" in tab.html
    assert '<option value="meq/L" selected>' in tab.line("K")


def test_completing_lists_every_problem_and_goes_on_when_none_is_left(cast, draw, tab):
    texts = {"panel.il6": "true", "BILI": "40", "BILI.unit": "umol/L"}
    assert tab.post(texts, action="complete").status == 422
    assert '<a href="#f-INTLK6">' in tab.html
    assert '<a href="#f-BILI">' in tab.html
    tab.post(texts | {"significance": "NCS_DISEASE", "INTLK6.missing": "ND"}, action="complete")
    assert tab.status == 302
    with as_person(cast.nurse):
        assert CrfRecord.objects.get(pk=draw.pk).status == RecordStatus.COMPLETE


def test_a_complete_panel_asks_for_the_reason_of_a_change(tab):
    tab.post(BILI, action="complete")
    tab.again()
    assert tab.post(BILI | {"BILI": "12.6"}).status == 422
    assert tab.value("BILI") == "12.6"
    assert tab.post(BILI | {"BILI": "12.6", "reason_code": "transcription"}).status == 302


def test_two_people_on_one_panel_see_both_rows_and_decide(cast, draw, tab):
    other = Tab(sign_in(cast.second_nurse), draw)
    other.post(BILI | {"K": "4.1", "K.unit": "mmol/L"})
    tab.post({"BILI": "210", "BILI.unit": "umol/L", "INR": "2.1", "INR.unit": "{INR}"})
    assert tab.status == 409
    assert tab.conflicts == ["BILI"]
    assert (tab.value("BILI"), tab.value("K"), tab.value("INR")) == ("210", "4.1", "2.1")
    assert "12.5 mg/dL" in tab.line("BILI")
    kept = {
        "BILI": "210",
        "BILI.unit": "umol/L",
        "BILI.keep": "theirs",
        "K": "4.1",
        "K.unit": "mmol/L",
        "INR": "2.1",
        "INR.unit": "{INR}",
    }
    assert tab.post(kept).status == 302
    with as_person(cast.nurse):
        rows = {
            row.analyte: (row.text, row.unit) for row in LabResult.objects.filter(voided_at=None)
        }
    assert rows == {"BILI": ("12.5", "mg/dL"), "K": ("4.1", "mmol/L"), "INR": ("2.1", "{INR}")}


def test_a_draft_comes_back_and_is_no_data(cast, draw, tab):
    hidden = {"version": "0", "page": tab.hidden["page"], "part": ""}
    tab.client.post(
        f"/records/{draw.pk}/draft/",
        {**hidden, "BILI": "12.5", "BILI.unit": "mg/dL", "laboratory": "CENTRAL",
         "collected_at": "2026-03-05T07:30"},
    )  # fmt: skip
    tab.again()
    assert tab.value("BILI") == "12.5"
    assert "labs-flag-high" in tab.line("BILI")
    with as_person(cast.nurse):
        assert not LabPanel.objects.exists()


def test_a_number_of_one_is_never_shown_with_the_unit_of_another(cast, draw, tab):
    """A draft of a number meets a save in another unit: the row stays whole."""
    hidden = {"version": "0", "page": tab.hidden["page"], "part": ""}
    tab.client.post(f"/records/{draw.pk}/draft/", {**hidden, "BILI": "200", "BILI.unit": "umol/L"})
    Tab(sign_in(cast.second_nurse), draw).post(BILI)
    tab.again()
    assert tab.conflicts == ["BILI"]
    assert re.search(r'<option value="umol/L" selected>', tab.line("BILI"))
    assert tab.value("BILI") == "200"


def test_the_page_says_how_a_result_is_read_and_keeps_nothing(cast, draw, tab):
    fields = {**DRAW, "analyte": "CREAT", "CREAT": "1.2", "CREAT.unit": "umol/L"}
    said = tab.client.post(f"{tab.address}look/", fields).json()
    assert (said["flag"], said["unit"], said["confirm"]) == ("low", "mg/dL", True)
    assert said["would_be"] == "106.08 umol/L"
    fields |= {"CREAT": "1,2"}
    assert "comma" in tab.client.post(f"{tab.address}look/", fields).json()["error"]
    with as_person(cast.nurse):
        assert not LabPanel.objects.exists()
        assert not Draft.objects.exists()


def test_nothing_drawn_is_one_click_with_a_reason(cast, draw, tab):
    tab.client.post(f"{tab.address}not-done/", {"reason": "Transferred"})
    with as_person(cast.nurse):
        assert CrfRecord.objects.get(pk=draw.pk).not_done_reason == "Transferred"


def test_another_draw_is_one_more_record_of_the_visit(cast, subject, tab):
    answer = tab.client.post(f"{tab.address}again/")
    with as_person(cast.nurse):
        made = CrfRecord.objects.filter(subject=subject, form_oid="F.LB").latest("repeat_key")
    assert made.repeat_key == 2
    assert answer["Location"] == f"/labs/panels/{made.pk}/"
    assert "Draw 2" in tab.again().html


def test_scores_show_their_inputs_or_why_there_is_none(tab):
    tab.post(BILI | {"INR": "2.1", "INR.unit": "{INR}", "CREAT": "<40", "CREAT.unit": "umol/L"})
    tab.again()
    assert "MELD (UNOS)" in tab.html
    assert "known only as a limit" in tab.html


def test_the_monitor_reads_and_cannot_write(cast, draw, tab):
    tab.post(BILI)
    client = sign_in(cast.monitor)
    page = client.get(tab.address)
    assert page.status_code == 200
    assert b"Entering data is not delegated to you here." in page.content
    assert client.post(tab.address, {**tab.hidden, **DRAW, "BILI": "1"}).status_code == 403
    for act in ("paste/", "paste/accept/", "not-done/", "ranges/", "again/", "look/"):
        assert client.post(f"{tab.address}{act}", {"reason": "x"}).status_code == 403


def test_another_sites_draw_is_not_there(cast, draw, tab):
    tab.post(BILI)
    client = sign_in(cast.stranger)
    assert client.get(tab.address).status_code == 404
    assert client.post(tab.address, {"BILI": "1"}).status_code == 404
    assert client.get(f"/labs/subjects/{draw.subject_id}/").status_code == 404
    for act in ("paste/", "paste/accept/", "not-done/", "ranges/", "again/", "look/"):
        assert client.post(f"{tab.address}{act}", {"reason": "x"}).status_code == 404


def test_a_query_about_a_result_names_the_analyte(cast, tab):
    tab.post({"AST": "80", "AST.unit": "U/L", "significance": "NCS_DISEASE"}, action="complete")
    assert tab.status == 302
    page = tab.again().html
    assert "<strong>ALT</strong>" in page
    assert "AST is there without ALT" in page


def test_the_page_costs_no_more_queries_for_a_longer_history(cast, subject, tab):
    def cost():
        with CaptureQueriesContext(connection) as captured:
            assert tab.client.get(tab.address).status_code == 200
        return len(captured)

    tab.post(BILI)
    cost()
    few = cost()
    make_laboratory(cast.site, "ICU")
    for number in range(2, 6):
        record = make_record(subject, form_oid="F.LB", repeat_key=number)
        Tab(tab.client, record).post(BILI | {"collected_at": f"2026-03-0{number}T07:00"})
    assert cost() == few


def test_the_subjects_draws_are_listed_with_a_constant_number_of_queries(cast, subject, tab):
    address = f"/labs/subjects/{subject.pk}/"

    def cost():
        with CaptureQueriesContext(connection) as captured:
            answer = tab.client.get(address)
        return len(captured), answer.content.decode().count("/labs/panels/")

    tab.post(BILI)
    cost()
    few, one = cost()
    for number in range(2, 7):
        record = make_record(subject, form_oid="F.LB", repeat_key=number)
        Tab(tab.client, record).post(BILI)
    assert (few, one, cost()) == (few, 1, (few, 6))
    assert make_subject(cast.site).pk != subject.pk


def test_a_corrected_value_is_judged_anew_even_when_the_judgement_is_the_same_word(cast, draw, tab):
    high = {"PLAT": "400", "PLAT.unit": "10*9/L", "PLAT.sig": "CS"}
    tab.post(high, action="complete")
    assert tab.again().value("PLAT") == "400"
    low = high | {"PLAT": "100", "reason_choice": "other", "reason_text": "typed wrongly"}
    tab.post(low)
    # The judgement was made on a high value: it is asked for again, and not shown as given.
    assert tab.status == 422
    assert "judge its clinical significance" in tab.html
    assert 'value="CS" selected' not in tab.line("PLAT")
    tab.post(low)
    assert tab.status == 302
    with as_person(cast.nurse):
        row = LabResult.objects.get(panel_id=draw.pk, voided_at=None)
    assert (row.text, row.flag, row.significance) == ("100", "low", "CS")


def test_a_corrected_implausible_value_is_confirmed_anew_even_in_the_same_words(cast, draw, tab):
    first = {"K": "19", "K.unit": "mmol/L", "K.confirm": "measured twice"}
    tab.post(first, action="complete")
    assert tab.again().value("K") == "19"
    again = first | {"K": "21", "reason_choice": "other", "reason_text": "typed wrongly"}
    tab.post(again)
    assert tab.status == 422
    assert "measured twice" not in tab.line("K")
    tab.post(again)
    assert tab.status == 302
    with as_person(cast.nurse):
        row = LabResult.objects.get(panel_id=draw.pk, voided_at=None)
    assert (row.text, row.confirmed) == ("21", "measured twice")
