"""Pasting a block: looked at before anything is filled in, nothing lost, slips asked about."""

from __future__ import annotations

import html
import re
from decimal import Decimal

import pytest

from tests.factories import as_person, make_record, make_visit, sign_in
from tests.labs.conftest import DRAW
from tests.labs.test_panel_page import Tab
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.labs.models import LabPanel, LabResult

#: 25 lines as a spreadsheet gives them, in mixed units. Creatinine and haemoglobin are slips.
BLOCK = """\
项目\t结果\t单位
总胆红素\t18.5\tmg/dL
直接胆红素\t12.0\tmg/dL
ALT\t420\tU/L
AST\t388\tU/L
ALP\t160\tU/L
GGT\t95\tU/L
白蛋白\t2.9\tg/dL
PT\t24.1\ts
PTA\t36\t%
INR\t1.7\t
纤维蛋白原\t150\tmg/dL
肌酐\t1.1\tumol/L
尿素\t6.2\tmmol/L
钠\t134\tmmol/L
钾\t3.9\tmmol/L
白细胞\t7.2\t10^9/L
中性粒细胞\t5.1\t10^9/L
淋巴细胞\t1.3\t10^9/L
血红蛋白\t11.2\tg/L
血小板\t88\t10^9/L
CRP\t12\tmg/L
PCT\t0.4\tng/mL
乳酸\t18\tmg/dL
IL-6\t<1.5\tpg/mL
铁蛋白\t1200\tng/mL
"""

#: analyte -> text, unit, canonical value
RIGHT = {
    "BILI": ("18.5", "mg/dL", Decimal("316.424")),
    "BILDIR": ("12.0", "mg/dL", Decimal("205.248")),
    "ALT": ("420", "U/L", Decimal(420)),
    "AST": ("388", "U/L", Decimal(388)),
    "ALP": ("160", "U/L", Decimal(160)),
    "GGT": ("95", "U/L", Decimal(95)),
    "ALB": ("2.9", "g/dL", Decimal(29)),
    "PT": ("24.1", "s", Decimal("24.1")),
    "PTA": ("36", "%", Decimal(36)),
    "INR": ("1.7", "{INR}", Decimal("1.7")),
    "FIBRINO": ("150", "mg/dL", Decimal("1.5")),
    "CREAT": ("1.1", "mg/dL", Decimal("97.24")),
    "UREA": ("6.2", "mmol/L", Decimal("6.2")),
    "SODIUM": ("134", "mmol/L", Decimal(134)),
    "K": ("3.9", "mmol/L", Decimal("3.9")),
    "WBC": ("7.2", "10*9/L", Decimal("7.2")),
    "NEUT": ("5.1", "10*9/L", Decimal("5.1")),
    "LYM": ("1.3", "10*9/L", Decimal("1.3")),
    "HGB": ("11.2", "g/dL", Decimal(112)),
    "PLAT": ("88", "10*9/L", Decimal(88)),
    "CRP": ("12", "mg/L", Decimal(12)),
    "PCT": ("0.4", "ng/mL", Decimal("0.4")),
    "LACTICAC": ("18", "mg/dL", Decimal("1.998")),
    "INTLK6": ("<1.5", "pg/mL", Decimal("1.5")),
    "FERRITIN": ("1200", "ng/mL", Decimal(1200)),
}


class Preview:
    """The page that shows how a block is understood, as its fields stand."""

    def __init__(self, client, record, answer):
        self.client, self.record = client, record
        self.read(answer)

    def read(self, answer):
        self.status, self.html = answer.status_code, answer.content.decode()
        self.fields: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>", self.html):
            name = re.search(r'name="([^"]*)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name is None or ("checkbox" in tag and "checked" not in tag) or "radio" in tag:
                continue
            self.fields.setdefault(html.unescape(name[1]), []).append(
                html.unescape(value[1]) if value else ""
            )
        for name, body in re.findall(
            r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', self.html, re.DOTALL
        ):
            chosen = re.search(r'value="([^"]*)" selected', body)
            self.fields[name] = [html.unescape(chosen[1]) if chosen else ""]
        return self

    def line(self, key):
        """The number of the pasted line that holds an analyte."""
        names = (n for n, v in self.fields.items() if n.endswith(".analyte") and v == [key])
        return next(names)[1:].partition(".")[0]

    @property
    def slips(self):
        """Analyte -> the units offered, the suggested one first."""
        found = {}
        for number in re.findall(r'name="p(\d+)\.asked"', self.html):
            units = re.findall(rf'name="p{number}\.slip" value="([^"]*)"', self.html)
            found[self.fields[f"p{number}.analyte"][0]] = units
        return found

    def accept(self, **choices):
        fields = {**self.fields, **{name: [value] for name, value in choices.items()}}
        answer = self.client.post(f"/labs/panels/{self.record.pk}/paste/accept/", fields)
        self.status = answer.status_code
        return self if answer.status_code == 302 else self.read(answer)


def paste(tab, block, **typed):
    answer = tab.client.post(
        f"{tab.address}paste/", {**tab.hidden, **DRAW, **typed, "block": block, "action": "paste"}
    )
    return Preview(tab.client, tab.record, answer)


@pytest.fixture
def tab(cast, draw):
    return Tab(sign_in(cast.nurse), draw)


def grid(page):
    """What the page would save: every result with its unit."""
    body = {}
    for key in RIGHT:
        line = page.line(key)
        body[key] = page.value(key)
        select = re.search(rf'<select[^>]*name="{key}.unit".*?</select>', line, re.DOTALL)
        chosen = select and re.search(r'value="([^"]*)" selected', select[0])
        body[f"{key}.unit"] = html.unescape(chosen[1]) if chosen else page.value(f"{key}.unit")
    return body


def test_a_panel_of_25_rows_pasted_from_a_spreadsheet_in_mixed_units_with_two_slips_ends_right(
    cast, draw, tab
):
    preview = paste(tab, BLOCK)
    assert preview.status == 200
    assert {key: units[0] for key, units in preview.slips.items()} == {
        "CREAT": "mg/dL",
        "HGB": "g/dL",
    }
    assert preview.accept().status == 422  # a slip is a question: somebody answers it
    creatinine, haemoglobin = preview.line("CREAT"), preview.line("HGB")
    preview.accept(**{f"p{creatinine}.slip": "mg/dL", f"p{haemoglobin}.slip": "g/dL"})
    assert preview.status == 302
    with as_person(cast.nurse):
        assert not LabPanel.objects.exists()
    body = grid(tab.again())
    assert {key: (body[key], body[f"{key}.unit"]) for key in RIGHT} == {
        key: (text, unit) for key, (text, unit, _canonical) in RIGHT.items()
    }
    tab.post(body | {"significance": "NCS_DISEASE"}, action="complete")
    assert tab.status == 302
    with as_person(cast.nurse):
        rows = LabResult.objects.filter(panel_id=draw.pk, voided_at=None)
        stored = {row.analyte: (row.text, row.unit, row.canonical) for row in rows}
        assert CrfRecord.objects.get(pk=draw.pk).status == RecordStatus.COMPLETE
    assert stored == RIGHT


def test_what_was_typed_before_pasting_is_still_there(tab):
    preview = paste(
        tab, "K\t4.4\tmmol/L", **{"BILI": "12.5", "BILI.unit": "mg/dL", "comment": "sic"}
    )
    assert preview.accept().status == 302
    tab.again()
    assert (tab.value("BILI"), tab.value("K")) == ("12.5", "4.4")
    assert ">sic</textarea>" in tab.html


def test_a_difference_to_what_stands_is_shown_before_it_is_taken(tab):
    tab.post({"K": "3.9", "K.unit": "mmol/L"})
    tab.again()
    preview = paste(tab, "K\t4.4\tmmol/L", **{"K": "3.9", "K.unit": "mmol/L"})
    assert "3.9 mmol/L" in preview.html
    preview.accept()
    assert tab.again().value("K") == "4.4"


def test_a_line_that_is_not_understood_is_left_out_unless_somebody_says_what_it_is(tab):
    preview = paste(tab, "K\t4.4\tmmol/L\nNo such test\t7\tmmol/L\nCREAT\t90\tfurlong")
    assert preview.fields.get("p2.take") is None
    assert preview.fields.get("p3.take") is None
    preview.accept(**{"p3.take": "1"})
    assert preview.status == 422
    assert "Say in which unit" in preview.html
    preview.accept(**{"p3.take": "1", "p3.unit": "umol/L"})
    assert preview.status == 302
    tab.again()
    assert (tab.value("K"), tab.value("CREAT")) == ("4.4", "90")


def test_a_test_that_stands_twice_is_taken_once(tab):
    preview = paste(tab, "K\t4.4\tmmol/L\nPotassium\t4.6\tmmol/L")
    preview.accept(**{"p1.take": "1", "p2.take": "1"})
    assert preview.status == 422
    assert preview.accept(**{"p1.take": "", "p2.take": "1"}).status == 302
    assert tab.again().value("K") == "4.6"


@pytest.mark.parametrize("block", ["", "   \n\n", "K\t4\tmmol/L\n" * 501])
def test_nothing_or_too_much_is_refused_and_what_was_typed_stays(tab, block):
    preview = paste(tab, block, **{"BILI": "12.5", "BILI.unit": "mg/dL"})
    assert preview.status == 302
    assert tab.again().value("BILI") == "12.5"


def test_a_block_is_shown_and_never_run(tab):
    preview = paste(tab, "<script>alert(1)</script>\t4.4\tmmol/L")
    assert "<script>alert" not in preview.html
    assert "&lt;script&gt;alert" in preview.html


def test_pasting_into_a_visits_panel_fills_its_lines(cast, subject):
    record = make_record(subject, form_oid="F.LB", visit=make_visit(subject, "SE.D7"))
    tab = Tab(sign_in(cast.nurse), record)
    paste(tab, "K\t4.4\tmmol/L", **{"panel.chemistry": "true"}).accept()
    assert tab.again().html.index('id="item-K"') < tab.html.index("labs-more")


def test_what_was_left_out_of_a_pasted_block_is_said(cast, subject):
    record = make_record(subject, form_oid="F.LB", visit=make_visit(subject, "SE.D7"))
    tab = Tab(sign_in(cast.nurse), record)
    paste(tab, "K\t4.4\tmmol/L\n某某\t12\t\n", **{"panel.chemistry": "true"}).accept()
    assert "1 line was left out" in tab.again().html


def test_a_chinese_reader_finds_the_analytes_by_their_chinese_names(cast, subject):
    record = make_record(subject, form_oid="F.LB", visit=make_visit(subject, "SE.D7"))
    client = sign_in(cast.nurse)
    client.cookies["django_language"] = "zh-hans"
    page = paste(Tab(client, record), "K\t4.4\tmmol/L").html
    assert "钾 · Potassium" in page
